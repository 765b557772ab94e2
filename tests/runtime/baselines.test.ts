// Tables of counts: probabilities by hand, distributions that sum to one, and the figures that stand beside every run on State of the Union.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { baselines, bitsPerByte } from "../../runtime/data/baselines.ts";
import type { TokenCorpus } from "../../runtime/data/dataset.ts";
import { openData } from "../../runtime/data/source.ts";
import { bytes } from "../../runtime/data/tokenizer.ts";

const corpusOf = (
  training: readonly number[],
  heldOut: readonly number[],
  vocabulary: number,
  heldOutBytes = heldOut.length,
): TokenCorpus => ({
  tokenizer: { ...bytes, vocabulary },
  training: Uint16Array.from(training),
  heldOut: Uint16Array.from(heldOut),
  heldOutBytes,
});

describe("tables of counts", () => {
  it("are what counting by hand gives", () => {
    // Pairs of 0 1 0 1 2: 01 twice, 10, 12; so three kinds of pairs. 0 is followed twice by one kind, 1 twice by two kinds, 2 by none.
    const { unigram, bigram } = baselines(corpusOf([0, 1, 0, 1, 2], [0, 1, 1], 3));
    expect(unigram).toBeCloseTo(-Math.log((3 / 8) * (3 / 8) * (3 / 8)) / 3, 12);
    // Each token is reached by one kind of pair: (1 + 1) / (3 + 3) anywhere.
    const anywhere = 1 / 3;
    const after = [anywhere /* 2 tells nothing */, (2 + 1 * anywhere) / (2 + 1), (0 + 2 * anywhere) / (2 + 2)];
    expect(bigram).toBeCloseTo(-Math.log(after[0]! * after[1]! * after[2]!) / 3, 12);
  });

  it("are distributions: over all tokens the probabilities sum to one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat(5), { minLength: 1, maxLength: 30 }), (vocabulary, tokens) => {
        const training = tokens.map((token) => token % vocabulary);
        const sums = { unigram: 0, bigram: 0 };
        for (let token = 0; token < vocabulary; token++) {
          const { unigram, bigram } = baselines(corpusOf(training, [token], vocabulary));
          sums.unigram += Math.exp(-unigram);
          sums.bigram += Math.exp(-bigram);
        }
        expect(sums.unigram).toBeCloseTo(1, 10);
        expect(sums.bigram).toBeCloseTo(1, 10);
      }),
    );
  });

  it("on State of the Union bytes give 3.11 and 2.50 nats", async () => {
    const call = { source: "corpus", args: ["sotu"], named: {}, arrays: ["tokens"] };
    const { corpus } = await openData(call, { inputs: [{ name: "tokens", type: "i32[8, 129]", source: "data" }] });
    const { unigram, bigram } = baselines(corpus!);
    expect(unigram.toFixed(2)).toBe("3.11");
    expect(bigram.toFixed(2)).toBe("2.50");
  });
});

it("bits per byte compare tokens of any length", () => {
  expect(bitsPerByte(Math.LN2, corpusOf([0], [1, 2, 3], 256))).toBeCloseTo(1, 12);
  expect(bitsPerByte(3 * Math.LN2, corpusOf([0], [1, 2, 3], 1024, 9))).toBeCloseTo(1, 12);
});
