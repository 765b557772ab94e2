// `// test print-plan`: parse and print the text of a kernel plan.
import { parsePlan } from "../../../ir/text/parse-plan.ts";
import { printPlan } from "../../../ir/text/print-plan.ts";
import type { Subtest } from "./subtest.ts";

export const printPlanText: Subtest = {
  name: "print-plan",
  roundTrip: true,
  run(input) {
    const { value, diagnostics } = parsePlan(input);
    return value === undefined ? { diagnostics } : { output: printPlan(value), diagnostics };
  },
};
