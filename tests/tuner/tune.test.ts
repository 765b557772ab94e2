// Tuning for real, on every adapter: operands of a running model, candidates that are wrong, and a table that compiles.
import { describe, expect, test } from "vitest";
import { emitKernel } from "../../compiler/codegen/templates.ts";
import {
  compileModule,
  parseTable,
  printTable,
  type Schedules,
  schedulesAsOn,
  schedulesFrom,
  targetFor,
  unwrap,
} from "../../compiler/index.ts";
import type { PlacedPlan, Schedule, Target } from "../../ir/plan.ts";
import { float, plus } from "../../ir/scalar.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printSchedule } from "../../ir/text/plan-records.ts";
import { bestSubgroups, type Device, probeSubgroups } from "../../runtime/index.ts";
import { OperandReader } from "../../tuner/operands.ts";
import { type Compiled, type TuneOptions, type TuneResult, tune } from "../../tuner/tune.ts";
import { availableAdapters } from "../support/adapters.ts";

const module = unwrap(
  parseModule({
    path: "tiny.loomir",
    text: `loomir 1
form primitive
state "w": f32[96, 64] {role = parameter, init = normal(0.0, 0.1), decay = false}

entry @main(%x: f32[128, 64], %rows: i32[128]) -> (y: f32[128, 96], s: f32[96]) {
  %w: f32[96, 64] = state.read {name = "w"}
  %h: f32[128, 96] = dot %x, %w {contract = [[1], [1]], batch = [[], []]}
  %y: f32[128, 96] = exp %h
  %s: f32[96] = sum %y {axes = [0]}
  return %y, %s
}
`,
  }),
);

const compilerFor =
  (target: Target) =>
  async (schedules: Schedules): Promise<Compiled> => {
    let plan: PlacedPlan | undefined;
    const options = {
      targets: [target],
      portable: false,
      schedules,
      planned: (made: PlacedPlan) => {
        plan = made;
      },
    };
    return { artifact: unwrap(compileModule(module, options)), plan: plan! };
  };

const text = (schedule: Schedule): string => printSchedule(schedule).join(", ");

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    async function tuned(
      options: (target: Target) => Partial<TuneOptions>,
    ): Promise<{ readonly result: TuneResult; readonly target: Target }> {
      using device = await adapter.open();
      const target = await targetOn(device);
      const start = schedulesFrom([]);
      const result = await tune(device, { target, start, compile: compilerFor(target), budgetMs: 20_000, ...options(target) });
      return { result, target };
    }

    test("operands are what the model has computed up to there", async () => {
      using device = await adapter.open();
      const { artifact, plan } = await compilerFor(await targetOn(device))(schedulesFrom([]));
      const { dispatches } = plan.entries[0]!;
      const reduce = dispatches.findIndex(({ problem }) => problem.kind === "reduce");
      using reader = await OperandReader.open(device, artifact, [
        { entry: "main", dispatch: 0 },
        { entry: "main", dispatch: reduce },
      ]);
      const [x, w] = await reader.read({ entry: "main", dispatch: 0 });
      const [y] = await reader.read({ entry: "main", dispatch: reduce });
      const [xs, ws, ys] = [x, w, y].map((words) => new Float32Array(words!.buffer));
      expect(xs).toHaveLength(128 * 64);
      expect(xs!.every((value) => value >= 0 && value < 1)).toBe(true);
      const sum = Array.from({ length: 64 }, (_, k) => xs![3 * 64 + k]! * ws![5 * 64 + k]!).reduce((a, b) => a + b);
      expect(Math.abs(ys![3 * 96 + 5]! / Math.exp(sum) - 1)).toBeLessThan(1e-4);
    });

    test("candidates that are wrong are left aside and never chosen; the table compiles", { timeout: 120_000 }, async () => {
      const dropped: string[] = [];
      const { result, target } = await tuned(() => ({
        // Of contractions only the kernels at the start are right.
        emit: (problem, schedule, on, serves) => {
          const isStart = text(schedule) === text(schedulesFrom([]).choose(problem, on));
          if (problem.kind !== "dot" || isStart) return emitKernel(problem, schedule, on, serves);
          const wrong = { ...problem, stores: problem.stores.map((s) => ({ ...s, value: plus(s.value, float(1)) })) };
          return emitKernel(wrong, schedule, on, serves);
        },
        progress: {
          dropped: (key, schedule, reason) => dropped.push(`${key.split(" ")[0]} ${text(schedule)}: ${reason}`),
        },
      }));
      const dots = dropped.filter((line) => line.startsWith("dot "));
      expect(dots.filter((line) => line.includes("it differs from the reference: binding")).length).toBeGreaterThan(0);
      expect(dots.filter((line) => !/it differs from the reference|to compile$/.test(line))).toEqual([]);
      expect(dropped.filter((line) => !line.startsWith("dot "))).toEqual([]);
      const dot = result.keys.find(({ name }) => name.startsWith("dot "));
      expect(dot).toMatchObject({ best: dot?.default, gain: 1, candidates: 0 });
      expect(result.keys.reduce((sum, { share }) => sum + share, 0)).toBeGreaterThan(0.5);
      expect(result.table.entries.filter(({ family }) => family === "dot")).toEqual([]);

      const table = unwrap(parseTable(printTable(result.table), "tuned.json"));
      expect(table.adapter).toMatchObject({ class: target.adapterClass, subgroupSize: target.subgroupSize });
      const { plan } = await compilerFor(target)(schedulesFrom([table]));
      for (const { schedule } of table.entries)
        expect(plan.entries.flatMap(({ dispatches }) => dispatches.map((d) => text(d.schedule)))).toContain(text(schedule));
    });

    test("from another class's schedules, compared with those of the rules", { timeout: 120_000 }, async () => {
      const { result } = await tuned(({ adapterClass }) => ({
        start: schedulesAsOn(adapterClass === "lavapipe" ? "swiftshader" : "lavapipe"),
        against: schedulesFrom([]),
      }));
      expect(result.step?.sides).toHaveLength(3);
      for (const { ms, speed } of result.step?.sides ?? []) expect(ms > 0 && speed > 0).toBe(true);
      expect(result.step?.sides[0]?.speed).toBe(1);
      expect(result.keys.every(({ gain }) => gain >= 1)).toBe(true);
    });

    test("what is slow to compile is left aside, and a search may be stopped", async () => {
      const reasons: string[] = [];
      await tuned(() => ({
        mostCompileMs: 0.01,
        progress: { dropped: (_key, _schedule, reason) => reasons.push(reason) },
      }));
      expect(reasons.length).toBeGreaterThan(0);
      expect(reasons.every((reason) => /^it (takes|would take about) \d+\.\d s to compile$/.test(reason))).toBe(true);
      const stopped = await tuned(() => ({ signal: AbortSignal.abort() }));
      expect(stopped.result).toMatchObject({ keys: [], table: { entries: [] }, isWithdrawn: false });
    });
  });
}

async function targetOn(device: Device): Promise<Target> {
  return targetFor(device.adapter, bestSubgroups(await probeSubgroups(device)));
}
