// Which inputs choose rows of a table, and of how many: what the artifact says so that data can be refused.
import { expect, test } from "vitest";
import { compile, unwrap } from "../../compiler/index.ts";

const text = `
use std.{Embedding}
module Two(first: int = 30, second: int = 20) {
  a = Embedding(first, 4)
  b = Embedding(second, 4)
  fn (x: i32[B, T], y: i32[B, T]) -> f32[B, 4] { return mean(a(x) + b(y), axis = 1) }
}
train it of Two {
  data ids: i32[2, 9], labels: i32[2] = arrays("x.safetensors")
  loss { return cross_entropy(model(ids[.., 0..8], ids[.., 1..9]), labels) }
  optimizer sgd {}
  schedule constant { rate = 1e-1, steps = 1 }
  eval every 1 { loss }
}
`;

test.each(["train", "eval"])("slices of an input of @%s choose rows, of the smallest table where there are several", (name) => {
  const { manifest } = unwrap(compile({ path: "two.loom", text }, { recipe: "it", entries: (entry) => entry === name }));
  const data = manifest.entries[name]!.inputs.filter(({ source }) => source === "data");
  expect(data).toEqual([
    { name: "ids", type: "i32[2, 9]", source: "data", below: 20 },
    { name: "labels", type: "i32[2]", source: "data" },
  ]);
});
