// 20,000 changed model files: each gives diagnostics or a module that verifies, never an exception, and none runs without end.
import { describe, expect, test } from "vitest";
import { mutateText, Random } from "./mutate.ts";
import { compileModel, models, modelWords, survive, targetOf } from "./support.ts";

const count = 20_000;
/** Small files get more of them, so that each takes about as long. */
const weights = models.map(({ text }) => 1 / text.length);
const weightSum = weights.reduce((sum, weight) => sum + weight, 0);

describe("changed model files", () => {
  test.each(models)(
    "$path",
    (source) => {
      const { path, text } = source;
      const options = targetOf(source);
      const random = new Random(1);
      const share = Math.ceil(count / text.length / weightSum);
      let compiled = 0;
      for (let i = 0; i < share; i++) {
        const changed = mutateText(text, modelWords, random);
        survive(`mutant-${i}.loom`, changed, () => {
          if (compileModel({ path, text: changed }, options).value !== undefined) compiled++;
        });
      }
      // Some changes do no harm, or the test would never reach lowering.
      expect(compiled).toBeGreaterThan(share / 100);
    },
    300_000,
  );
});
