// State that no binding holds: a tied table in pieces of rows trains like the whole, and is read and written as one.
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Target } from "../../ir/plan.ts";
import type { Device } from "../../runtime/device.ts";
import { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";

const [vocab, dim, steps, accumulate] = [500, 32, 4, 2];
const text = `use std.{Embedding, Linear, RmsNorm}

module Tied() {
  embed = Embedding(${vocab}, ${dim}, deviation = 0.3)
  mid = Linear(${dim}, ${dim})
  norm = RmsNorm(${dim})
  lm_head = Linear(${dim}, ${vocab})
  tie lm_head.weight = embed.table

  fn (ids: i32[B, T]) -> f32[B, T, ${vocab}] {
    let h = embed(ids)
    return (h + relu(mid(h))) |> norm |> lm_head
  }
}

quantize float for any { ** => none }
quantize quantized for any {
  embed => none
  ** => quest { w = 4, a = 4 }
}

train it of Tied {
  data tokens: i32[2, 9] = corpus("sotu", tokenizer = bytes)
  loss {
    return cross_entropy(model(tokens[.., 0..8]), tokens[.., 1..])
  }
  accumulate = ${accumulate}
  optimizer adamw { betas = [0.9, 0.95], decay = 0.1 }
  schedule constant { rate = 0.01, steps = 100 }
  clip grad_norm = 1.0
}
`;
const source = { path: "models/tied.loom", text };
const table = "embed.table";
/** Ids of all pieces. */
const tokens = (seed: number) => Int32Array.from({ length: 18 }, (_, i) => (i * 97 + seed * 31) % vocab);

const compiled = (target: Target, policy: string) =>
  unwrap(compile(source, { recipe: "it", policy, targets: [target], portable: false, entries: (name) => name !== "logits" }));

async function run(device: Device, artifact: ReturnType<typeof compiled>) {
  using session = await Session.open(artifact, device, { seed: 3 });
  const initial = await session.readState(table);
  const figures: number[] = [];
  for (let step = 0; step < steps; step++) {
    for (let batch = 0; batch < accumulate; batch++) {
      const { loss } = await session.run("accumulate", { tokens: tokens(accumulate * step + batch) }, { step });
      figures.push(loss![0]!);
    }
    const { grad_norm, ok } = await session.run("apply", {}, { step });
    expect(ok?.[0]).toBe(1);
    figures.push(grad_norm![0]!);
  }
  const trained = await session.readState(table);
  const moments = await session.readState(`${table}#adamw.m`);
  session.writeState(table, initial);
  expect(await session.readState(table)).toEqual(initial);
  return { initial, figures, trained, moments };
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe.each(await availableAdapters())("$name", ({ open }) => {
  const device = open();
  afterAll(async () => (await device).dispose());

  test.each(["float", "quantized"])("%s: steps and state as of the whole", async (policy) => {
    const target = await targetOn(await device);
    const narrow = { ...target, limits: { ...target.limits, maxStorageBufferBindingSize: 34 * 1024 } };
    const [whole, cut] = [compiled(target, policy), compiled(narrow, policy)];
    const record = ({ manifest }: typeof cut, name: string) => manifest.state.find((state) => state.name === name);
    for (const name of [table, `${table}#adamw.m`, `${table}#adamw.v`, `${table}#grad`]) {
      expect(record(cut, name)?.pieces, name).toHaveLength(2);
      expect({ ...record(cut, name), pieces: undefined, slab: "", offset: 0 }).toEqual({
        ...record(whole, name),
        pieces: undefined,
        slab: "",
        offset: 0,
      });
    }
    const [expected, found] = [await run(await device, whole), await run(await device, cut)];
    expect(found.initial).toEqual(expected.initial);
    for (const [i, value] of expected.figures.entries()) expect(Math.abs(found.figures[i]! / value - 1), `figure ${i}`).toBeLessThan(1e-5);
    expect(distance(found.trained, expected.initial)).toBeGreaterThan(0.02);
    expect(distance(found.trained, expected.trained)).toBeLessThan(1e-4);
    expect(distance(found.moments, expected.moments)).toBeLessThan(1e-6);
  });
});
