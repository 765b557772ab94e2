// Host scalars: the learning rate's schedule and AdamW's bias corrections, at the steps where formulas go wrong.
import { describe, expect, test } from "vitest";
import { hostValue } from "../../ir/host.ts";

const near = (actual: number, expected: number) => expect(Math.abs(actual - expected)).toBeLessThan(1e-15);

describe("warmup_cosine", () => {
  const rule = { warmup_cosine: { peak: 3e-3, warmup: 60, steps: 600, floor: 0.1 } };
  const at = (step: number) => hostValue(rule, step);

  test("the first step takes a share of the peak, not nothing", () => near(at(0), 3e-3 / 60));
  test("the warm-up ends at the peak, where the cosine begins", () => {
    near(at(59), 3e-3);
    near(at(60), 3e-3);
  });
  test("half way down it is half way between peak and floor", () => {
    // The cosine runs over the steps 60 to 599; 329 and 330 stand on both sides of its middle.
    near((at(329) + at(330)) / 2, (3e-3 * (1 + 0.1)) / 2);
  });
  test("the last step takes the floor, and so does every step behind it", () => {
    near(at(599), 3e-4);
    near(at(600), 3e-4);
    near(at(10_000), 3e-4);
  });
  test("it never rises behind the peak", () => {
    for (let step = 60; step < 620; step++) expect(at(step + 1)).toBeLessThanOrEqual(at(step));
  });
  test("without a warm-up it starts at the peak", () => near(hostValue({ warmup_cosine: { ...rule.warmup_cosine, warmup: 0 } }, 0), 3e-3));
  test("a warm-up as long as the schedule ends at the peak", () => {
    const short = { warmup_cosine: { peak: 1, warmup: 10, steps: 10, floor: 0.1 } };
    near(hostValue(short, 9), 1);
  });
  test("one step alone", () => near(hostValue({ warmup_cosine: { peak: 1, warmup: 0, steps: 1, floor: 0.1 } }, 0), 1));
});

describe("one_cycle", () => {
  // PyTorch's OneCycleLR with two phases of cosine, as QuEST's 30M model was trained: from peak/100 to the peak to peak/10.
  const rule = { one_cycle: { peak: 1.2e-3, warmup: 1144, steps: 11_444, start: 0.01, floor: 0.1 } };
  test.each([
    [0, 1.2e-5],
    [100, 3.4296e-5],
    [572, 6.06816e-4],
    [1143, 1.2e-3],
    [2000, 1.18166e-3],
    [6000, 7.08194e-4],
    [11_443, 1.2e-4],
    [20_000, 1.2e-4],
  ])("step %i", (step, expected) => expect(Math.abs(hostValue(rule, step) - expected)).toBeLessThan(5e-6 * expected));
  test.each([0, 1])("a warm-up of %i steps begins at the peak", (warmup) =>
    near(hostValue({ one_cycle: { ...rule.one_cycle, warmup } }, 0), 1.2e-3),
  );
  test("one step alone", () => near(hostValue({ one_cycle: { peak: 1, warmup: 1, steps: 1, start: 0.5, floor: 0.1 } }, 0), 1));
});

test("the bias correction of the first step is 1 - beta", () => {
  near(hostValue({ bias_correction: { beta: 0.95 } }, 0), 0.05);
  near(hostValue({ bias_correction: { beta: 0.95 } }, 1), 1 - 0.95 ** 2);
});
