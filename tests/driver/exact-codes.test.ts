// Whatever rounds a weight to codes is one kernel, whichever entry it stands in: a code that differed between training and evaluation
// would be a silent bug where a driver contracts multiplications and additions.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { portable } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";

test.each([
  ["models/mlp.loom", "digits", "quest_w4a4", 3],
  // At 2 bits the cheapest layout of codes differs from entry to entry.
  ["models/mlp.loom", "digits", "quest_w2a2", 3],
  ["models/llama.loom", "demo", "quest_w2a2", 14],
  ["models/llama.loom", "demo", "quest_w4a4", 14],
  ["models/llama.loom", "demo", "quest_w1a1", 14],
  ["models/mlp.loom", "digits", "ste(w = 4, a = 4)", 3],
  ["models/mlp.loom", "digits", "e2m1", 3],
  ["models/mlp.loom", "digits", "sparse_4_8", 3],
  ["models/mlp.loom", "digits", "sparse_2_4", 3],
  ["models/mlp.loom", "digits", "prune_4_8", 3],
  ["models/mlp.loom", "digits", "lsq(w = 4, a = 4, learn = factor)", 3],
  ["models/llama.loom", "demo", "lsq(w = 4, a = 4)", 14],
])("%s %s under %s", (path, recipe, policy, weights) => {
  const source = { path, text: readFileSync(new URL(`../../${path}`, import.meta.url), "utf8") };
  const entries = (name: string) => name === "train" || name === "eval" || name === "logits";
  const set = ["B=1", "T=8"];
  const { manifest } = unwrap(compile(source, { recipe, policy, targets: [portable], portable: false, entries, set }));
  const [target] = manifest.targets;
  /** What makes the codes or the mask of each weight, by the names of the values. */
  const roundings = (entry: string) =>
    Object.fromEntries(
      (target?.dispatches[entry] ?? [])
        .filter(({ serves }) => serves.some((value) => /weight_[cm]$/.test(value)))
        .map(({ kernel, serves }) => [serves.join(), target?.kernels[kernel]?.file]),
    );
  const train = roundings("train");
  expect(Object.keys(train)).toHaveLength(weights);
  expect(roundings("eval")).toEqual(train);
  expect(roundings("logits")).toEqual(train);
});
