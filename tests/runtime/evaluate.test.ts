// Averages over a held-out split whose last batch is incomplete, on every adapter: padding must not count.
import { afterAll, describe, expect, test } from "vitest";
import { compileModule } from "../../compiler/driver/compile.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Dataset } from "../../runtime/data/dataset.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import { Session } from "../../runtime/session.ts";
import { moduleOf } from "../passes/run.ts";
import { availableAdapters } from "../support/adapters.ts";

/** Rows x of two numbers and a label; 4 a batch. */
const header = `loomir 1
form primitive

entry @eval(%x: f32[4, 2] {data = "x"}, %labels: i32[4] {data = "labels"}) -> (loss_sum: f32[], correct: i32[], targets: i32[]) {`;

/** The sum of squares of x - 1 over rows: a row of padding (zeros) would add 2. Every row counts as a target. */
const regression = `${header}
  %one: f32[4, 2] = constant {values = [1.0]}
  %gap: f32[4, 2] = sub %x, %one
  %square: f32[4, 2] = mul %gap, %gap
  %loss: f32[] = sum %square {axes = [0, 1]}
  %none: i32[] = constant {values = [0.0]}
  %rows: i32[] = constant {values = [4.0]}
  return %loss, %none, %rows
}
`;

/** The same over rows whose label is not negative. */
const masked = `${header}
  %zero: i32[4] = constant {values = [0.0]}
  %counted: bool[4] = greater_equal %labels, %zero
  %whole: i32[4] = cast %counted {to = i32}
  %targets: i32[] = sum %whole {axes = [0]}
  %one: f32[4, 2] = constant {values = [1.0]}
  %gap: f32[4, 2] = sub %x, %one
  %square: f32[4, 2] = mul %gap, %gap
  %rows: f32[4] = sum %square {axes = [1]}
  %nothing: f32[4] = constant {values = [0.0]}
  %kept: f32[4] = select %counted, %rows, %nothing
  %loss: f32[] = sum %kept {axes = [0]}
  return %loss, %targets, %targets
}
`;

const datasetOf = (examples: number): Dataset => ({
  fields: [
    { scalar: "f32", shape: [2], padding: 0 },
    { scalar: "i32", shape: [], padding: -1 },
  ],
  unit: "example",
  unitsPerExample: 1,
  count: (split) => (split === "held-out" ? examples : 0),
  copy(_split, example, field, out, at) {
    if (field === 0) out.set([example, example], at);
    else out[at] = 0;
  },
});

/** Mean over the first `count` rows of 2 (i - 1)^2. */
const meanOf = (count: number): number => Array.from({ length: count }, (_, i) => 2 * (i - 1) ** 2).reduce((a, b) => a + b, 0) / count;

const call = { source: "rows", args: [], named: {}, arrays: ["x", "labels"] };
const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());
  const average = async (text: string, examples: number, batches?: number) => {
    using session = await Session.open(unwrap(compileModule(moduleOf(text))), await device);
    return await evaluate(session, datasetOf(examples), call, [{ metric: "loss", ...(batches === undefined ? {} : { batches }) }]);
  };

  test("a loss that ignores negative labels counts every example", async () => {
    expect(await average(masked, 10)).toEqual({ loss: meanOf(10), targets: 10 });
    expect(await average(masked, 3)).toEqual({ loss: meanOf(3), targets: 3 });
  });

  test("a loss that cannot tell padding leaves out the incomplete batch", async () => {
    expect(await average(regression, 10)).toEqual({ loss: meanOf(8), targets: 8 });
    expect(await average(regression, 8)).toEqual({ loss: meanOf(8), targets: 8 });
    expect(await average(regression, 10, 1)).toEqual({ loss: meanOf(4), targets: 4 });
  });

  test("a part of the batches is spread over the whole", async () => {
    // Batches 0 and 2 of the four: examples 0 to 3 and 8 to 11.
    const rows = [0, 1, 2, 3, 8, 9, 10, 11];
    const loss = rows.reduce((sum, i) => sum + 2 * (i - 1) ** 2, 0) / rows.length;
    expect(await average(regression, 16, 2)).toEqual({ loss, targets: 8 });
  });

  test("where that is the only batch, it says so", async () => {
    await expect(average(regression, 3)).rejects.toThrow("do not fill a batch of 4");
  });
});
