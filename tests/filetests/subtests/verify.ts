// `// test verify`: parse and verify; only problems count.
import { parseModule } from "../../../ir/text/parse.ts";
import type { Subtest } from "./subtest.ts";

export const verify: Subtest = {
  name: "verify",
  run: (input) => ({ diagnostics: parseModule(input).diagnostics }),
};
