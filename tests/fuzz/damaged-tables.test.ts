// Damaged tables of schedules: refused with a diagnostic, or read; and whatever is read gives schedules from which kernels can be made.
import { expect, test } from "vitest";
import { keyOf } from "../../compiler/codegen/schedule-key.ts";
import { emitKernel, refuseSchedule } from "../../compiler/codegen/templates.ts";
import { schedulesFrom } from "../../compiler/codegen/tuned-schedules.ts";
import { parseTable, printTable } from "../../compiler/codegen/tuned-table.ts";
import type { PointwiseProblem, Problem, Schedule } from "../../ir/plan.ts";
import { plus, variable } from "../../ir/scalar.ts";
import { dotProblem, loadF32, questRows, reduceProblem, storeF32, targetOf } from "../codegen/support/problems.ts";
import { mutateText, Random, splitWords } from "./mutate.ts";
import { survive } from "./support.ts";

const x = loadF32(0, variable("c0", 4096));
const doubled: PointwiseProblem = { kind: "pointwise", shape: [4096], stores: [storeF32(1, variable("c0", 4096), plus(x, x))] };
const entries: readonly (readonly [Problem, Schedule])[] = [
  [doubled, { kind: "pointwise", width: 4, perLane: 2, workgroup: 64 }],
  [reduceProblem(64, 1024, "inner", "sum"), { kind: "reduce", lanes: 8, workgroup: 8 }],
  [dotProblem(64, 64, 64), { kind: "dot", frame: "broadcast", rows: 2 }],
  [dotProblem(128, 64, 64), { kind: "dot", frame: "tile", rows: 4, workgroup: [8, 2] }],
  [questRows(64, 128, 128, 4), { kind: "rows", frame: "subgroup", lanes: 8, vectors: 4, rowsPerGroup: 4 }],
];
const text = printTable({
  adapter: { class: "lavapipe", subgroups: "fixed", subgroupSize: 8, name: "lavapipe", driver: "1" },
  entries: entries.map(([problem, schedule]) => ({ ...keyOf(problem), schedule })),
});
const target = targetOf("fixed", 8, "lavapipe");

test("4,000 changes of a table", () => {
  const random = new Random(1);
  const pool = [
    ...splitWords(text),
    "0",
    "-1",
    "3",
    "1000000",
    "1e9",
    "1.5",
    "[]",
    "null",
    '"__proto__"',
    "frame = workgroup",
    "depth = 2",
  ];
  let [read, changed] = [0, 0];
  for (let i = 0; i < 4000; i++) {
    const damaged = mutateText(text, pool, random);
    survive(`${i}-table.json`, damaged, () => {
      const { value: table, diagnostics } = parseTable(damaged, "table.json");
      if (table === undefined) {
        expect(diagnostics.map(({ code }) => code)).toEqual(["bad-schedules"]);
        return;
      }
      read++;
      const { choose } = schedulesFrom([table]);
      for (const [problem, schedule] of entries) {
        const chosen = choose(problem, target);
        if (JSON.stringify(chosen) !== JSON.stringify(schedule)) changed++;
        expect(refuseSchedule(problem, chosen, target)).toBeUndefined();
        expect(emitKernel(problem, chosen, target).groups.every((n) => Number.isInteger(n) && n >= 1)).toBe(true);
      }
    });
  }
  expect(read).toBeGreaterThan(100);
  expect(changed).toBeGreaterThan(50);
});
