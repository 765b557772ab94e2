// `// test plan`: run the whole pipeline and print the kernel plan for the target that promises nothing; `// test plan shader-f16`: for one that has
// this feature beside. Schedules are code generation's choice; here one stands for each family.

import { portable } from "../../../compiler/driver/targets.ts";
import { unwrap } from "../../../ir/diagnostic.ts";
import type { Family, Problem, Schedule, Target } from "../../../ir/plan.ts";
import { parseModule } from "../../../ir/text/parse.ts";
import { parsePlan } from "../../../ir/text/parse-plan.ts";
import { printPlan } from "../../../ir/text/print-plan.ts";
import { pipeline } from "../../../passes/pipeline.ts";
import { planMemory } from "../../../passes/plan-memory.ts";
import { rematerialize } from "../../../passes/rematerialize.ts";
import { runPipeline } from "../../../passes/runner.ts";
import { toPlan } from "../../../passes/to-plan.ts";
import type { Subtest } from "./subtest.ts";

const schedules: Readonly<Record<Family, Schedule>> = {
  pointwise: { kind: "pointwise", width: 1, perLane: 1, workgroup: 64 },
  reduce: { kind: "reduce", lanes: 1, workgroup: 64 },
  dot: { kind: "dot", frame: "tile", rows: 4, workgroup: [8, 8] },
  rows: { kind: "rows", frame: "workgroup", workgroup: 64 },
  attention: { kind: "attention", frame: "plain", workgroup: 8 },
};

const withFeatures = (words: string): Target => ({ ...portable, features: words.split(" ").filter((word) => word !== "") });

export const plan: Subtest = {
  name: "plan",
  run(input, argument) {
    const parsed = parseModule(input);
    if (parsed.value === undefined) return { diagnostics: parsed.diagnostics };
    const outcome = runPipeline(parsed.value, pipeline, { sources: [input] });
    if (outcome.kind === "crashed") throw outcome.crash.error;
    if (outcome.kind === "rejected") return { diagnostics: outcome.diagnostics };
    const planned = toPlan(outcome.module, { target: withFeatures(argument), choose: ({ kind }: Problem) => schedules[kind] });
    if (planned.value === undefined) return { diagnostics: planned.diagnostics };
    const output = printPlan(planMemory(rematerialize(planned.value), outcome.module));
    const again = printPlan(unwrap(parsePlan({ path: "plan", text: output })));
    if (again !== output) throw new Error(`the plan's text does not read back:\n${output}\n${again}`);
    return { output, diagnostics: outcome.diagnostics };
  },
};
