// `// test pass NAME, NAME ...`: run a pipeline and print the module that it leaves, and below it what each pass did.
import { parseWithSpans } from "../../../ir/text/parse.ts";
import { printModule } from "../../../ir/text/print.ts";
import { parsePipeline } from "../../../passes/parse-pipeline.ts";
import { describeStep, runPipeline } from "../../../passes/runner.ts";
import type { Subtest } from "./subtest.ts";

export const pass: Subtest = {
  name: "pass",
  run(input, argument) {
    const parsed = parseWithSpans(input);
    const pipeline = parsePipeline({ path: "pipeline", text: argument });
    if (parsed.value === undefined || pipeline.value === undefined)
      return { diagnostics: [...parsed.diagnostics, ...pipeline.diagnostics] };
    const outcome = runPipeline(parsed.value.module, pipeline.value, { spans: parsed.value.spans });
    if (outcome.kind === "crashed") throw outcome.crash.error;
    if (outcome.kind === "rejected") return { diagnostics: outcome.diagnostics };
    const told = outcome.steps.map((step) => `// ${describeStep(step)}\n`);
    return { output: `${printModule(outcome.module)}${told.join("")}`, diagnostics: outcome.diagnostics };
  },
};
