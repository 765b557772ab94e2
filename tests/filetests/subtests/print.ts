// `// test print`: parse and print. `// test print locations` prints places too.
import { parseModule } from "../../../ir/text/parse.ts";
import { printModule } from "../../../ir/text/print.ts";
import type { Subtest } from "./subtest.ts";

export const print: Subtest = {
  name: "print",
  roundTrip: true,
  run(input, argument) {
    const { value, diagnostics } = parseModule(input);
    return value === undefined ? { diagnostics } : { output: printModule(value, { locations: argument === "locations" }), diagnostics };
  },
};
