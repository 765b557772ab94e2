// `@prefill` and `@decode`: a text in pieces gives the logits of the whole, by the reference interpreter; models without them say why.
import { describe, expect, test } from "vitest";
import { lower } from "../../compiler/lower/lower.ts";
import { resolve } from "../../compiler/sema/resolve.ts";
import { printDiagnostic, unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { entryNamed, type Module } from "../../ir/module.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printModule } from "../../ir/text/print.ts";
import { elementCount, printType, shapeOf } from "../../ir/type.ts";
import { verifyModule } from "../../ir/verify.ts";
import { loadSource, modelSource } from "./file-cases.ts";

const models = {
  "rotary positions, grouped heads": {
    text: modelSource("models/llama.loom").text,
    recipe: "demo",
    set: ["model.dim=8", "model.heads=4", "model.kv_heads=2", "model.hidden=12", "model.vocab=11"],
  },
  "learned positions, two calls in one instance, one instance called twice": {
    text: `use std.{Embedding, LayerNorm, Linear}
    module Twice(dim: int) {
      norm = LayerNorm(dim)
      qkv = Linear(dim, 3 * dim, bias = true)
      fn (x: f32[B, T, dim]) -> f32[B, T, dim] {
        let p = qkv(norm(x)) |> split(-1, [3, 2, dim / 2])
        let q = p[.., 0, 0..2, 0..dim / 2]
        let k = p[.., 1, 0..2, 0..dim / 2]
        let v = p[.., 2, 0..2, 0..dim / 2]
        let a = attention(q, k, v, causal = true, scale = 0.4)
        return x + merge(a + attention(k, q, v, causal = true), -2)
      }
    }
    module Net(dim: int = 8, vocab: int = 11, context: int = 16) {
      tokens = Embedding(vocab, dim, deviation = 1.0)
      places = Embedding(context, dim, deviation = 1.0)
      layer = Twice(dim)
      fn (ids: i32[B, T]) -> f32[B, T, vocab] {
        let h = tokens(ids) + places(positions(T))
        // Positions of an axis other than the sequence's are no places in it.
        let channel = cast(positions(dim), f32) * 0.01
        return dot(layer(layer(h + channel)), tokens.table)
      }
    }`,
    set: [],
  },
} as const;

type Model = (typeof models)[keyof typeof models];

function compiled(model: Model, set: readonly string[] = []): Module {
  const { text, ...rest } = model;
  const options = { ...("recipe" in rest ? { recipe: rest.recipe, policy: "float" } : { model: "Net" }), set: [...rest.set, ...set] };
  const resolved = unwrap(resolve({ path: "models/test.loom", text }, { load: loadSource, ...options }));
  return unwrap(lower(resolved, { inference: { context: 16, chunk: 5 } }));
}

/** Numbers without a pattern, the same in every run. */
function noise(shape: readonly number[], seed: number): Tensor {
  const data = Float64Array.from({ length: elementCount(shape) }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453;
    return 2 * (x - Math.floor(x)) - 1;
  });
  return denseTensor(shape, data);
}

const ints = (shape: readonly number[], values: readonly number[]): Tensor => denseTensor(shape, Int32Array.from(values));

const stateOf = (module: Module): Record<string, Tensor> =>
  Object.fromEntries(
    module.states.map(({ name, type, role }, i) => {
      const drawn = noise(shapeOf(type), i + 1);
      // A cache's own content must not matter: nothing has been seen yet.
      return [
        name,
        role === "cache"
          ? denseTensor(
              shapeOf(type),
              contiguous(drawn).map(() => 7),
            )
          : drawn,
      ];
    }),
  );

function run(module: Module, entry: string, inputs: Record<string, Tensor>, state: Readonly<Record<string, Tensor>>) {
  const result = evaluateEntry(module, entry, { precision: "wide", inputs, state });
  return { logits: [...contiguous(result.outputs["logits"]!)], state: result.state };
}

describe.each(Object.entries(models))("%s", (_what, model) => {
  test.each([1, 2])("%i rows: two chunks, the second padded, then token by token", (rows) => {
    const module = compiled(model, rows === 1 ? [] : [`B=${rows}`]);
    expect(verifyModule(module).map(printDiagnostic)).toEqual([]);
    const length = 16;
    const ids = Array.from({ length: rows * length }, (_, i) => (i * 7 + 3 * (i % 4)) % 11);
    const of = (row: number, from: number, to: number) => ids.slice(row * length + from, row * length + to);
    const each = (pick: (row: number) => readonly number[]) => Array.from({ length: rows }, (_, row) => pick(row)).flat();
    let state: Readonly<Record<string, Tensor>> = stateOf(module);
    const whole = run(module, "logits", { ids: ints([rows, length], ids) }, state).logits;
    const expected = (at: number) => each((row) => whole.slice((row * length + at) * 11, (row * length + at + 1) * 11));
    const check = (entry: string, inputs: Record<string, Tensor>, at: number) => {
      const result = run(module, entry, inputs, state);
      state = result.state;
      expect(result.logits.length).toBe(rows * 11);
      for (const [i, value] of expected(at).entries()) expect(result.logits[i]).toBeCloseTo(value, 12);
    };
    check(
      "prefill",
      {
        ids: ints(
          [rows, 5],
          each((row) => of(row, 0, 5)),
        ),
        first: ints([], [0]),
        last: ints([], [4]),
      },
      4,
    );
    const padded = each((row) => [...of(row, 5, 8), 9, 9]);
    check("prefill", { ids: ints([rows, 5], padded), first: ints([], [5]), last: ints([], [2]) }, 7);
    for (let at = 8; at < length; at++)
      check(
        "decode",
        {
          ids: ints(
            [rows, 1],
            each((row) => of(row, at, at + 1)),
          ),
          first: ints([], [at]),
        },
        at,
      );
  });

  test("a chunk that reaches beyond the context", () => {
    const module = compiled(model);
    const ids = Array.from({ length: 16 }, (_, i) => (i * 5) % 11);
    let state: Readonly<Record<string, Tensor>> = stateOf(module);
    const whole = run(module, "logits", { ids: ints([1, 16], ids) }, state).logits;
    for (const [first, last] of [
      [0, 4],
      [5, 4],
      [10, 4],
      [15, 0],
    ] as const) {
      const chunk = Array.from({ length: 5 }, (_, i) => ids[first + i] ?? 0);
      const result = run(module, "prefill", { ids: ints([1, 5], chunk), first: ints([], [first]), last: ints([], [last]) }, state);
      state = result.state;
      const at = first + last;
      for (const [i, value] of whole.slice(at * 11, (at + 1) * 11).entries()) expect(result.logits[i]).toBeCloseTo(value, 12);
    }
  });

  test("its text parses back", () => {
    const text = printModule(compiled(model));
    expect(printModule(unwrap(parseModule({ path: "cached.loomir", text })))).toBe(text);
  });
});

test("states of the cache are named after the instance that calls, further calls by number", () => {
  const cachesOf = (module: Module) =>
    module.states.filter(({ role }) => role === "cache").map(({ name, type }) => `${name}: ${printType(type)}`);
  const [rotary, learned] = [
    models["rotary positions, grouped heads"],
    models["learned positions, two calls in one instance, one instance called twice"],
  ];
  expect(cachesOf(compiled(rotary, ["B=3"]))).toEqual(
    [0, 1].flatMap((i) => ["k", "v"].map((side) => `layers.${i}.attn#${side}: f32[3, 16, 2, 2]`)),
  );
  expect(cachesOf(compiled(learned))).toEqual(
    ["", "2", "3", "4"].flatMap((call) => ["k", "v"].map((side) => `layer#${side}${call}: f32[1, 16, 2, 4]`)),
  );
});

test("the context is the recipe's sequence length, the chunk at most 64 and at most the context", () => {
  const sizes = (set: readonly string[], inference: Parameters<typeof lower>[1]) => {
    const module = unwrap(
      lower(unwrap(resolve(modelSource("models/llama.loom"), { load: loadSource, recipe: "demo", policy: "float", set })), inference),
    );
    const type = (entry: string) =>
      entryNamed(module, entry)!
        .inputs.map(({ value }) => printType(value.type))
        .join(" ");
    return [type("prefill"), type("decode"), module.states.find(({ role }) => role === "cache")!.type.dims[1]];
  };
  expect(sizes([], { inference: {} })).toEqual(["i32[1, 64] i32[] i32[]", "i32[1, 1] i32[]", 128]);
  // T is the number of positions at a time, which these entries say themselves.
  expect(sizes(["B=2", "T=9"], { inference: { context: 40 } })).toEqual(["i32[2, 40] i32[] i32[]", "i32[2, 1] i32[]", 40]);
});

describe("models that have no such entries", () => {
  const net = (body: string, signature = "ids: i32[B, T]", result = "f32[B, T, 4]") => `use std.{Embedding}
module Net {
  table = Embedding(4, 4)
  fn (${signature}) -> ${result} {
    ${body}
  }
}`;
  const heads = "let h = table(ids) |> split(-1, [2, 2])";
  test.each([
    ["attention that looks ahead", net(`${heads}\n    return attention(h, h, h) |> merge(-2)`), "is not causal"],
    ["a mean over the sequence", net("let h = table(ids)\n    return h - mean(h, axis = 1, keep = true)"), "`mean` of f32[1, T, 4] joins"],
    [
      "attention by hand",
      net("let h = table(ids)\n    return matmul(softmax(matmul(h, transpose(h))), h)"),
      "`softmax` of f32[1, T, T] joins",
    ],
    [
      "attention across rows",
      net(
        "let h = table(ids) |> split(-1, [2, 2]) |> transpose(0, 1)\n    return attention(h, h, h, causal = true) |> transpose(0, 1) |> merge(-2)",
      ),
      "joins",
    ],
    [
      "a sequence folded into channels",
      net("return reshape(reshape(table(ids), [B, 4, T]), [B, T, 4])"),
      "`reshape` of f32[1, T, 4] joins",
    ],
    [
      "rows by position",
      net("return table(ids) |> transpose(0, 1) |> gather(positions(T)) |> transpose(0, 1)"),
      "`gather` of f32[T, 1, 4] joins",
    ],
    ["one result a sequence", net("return mean(table(ids), axis = 1)", "ids: i32[B, T]", "f32[B, 4]"), "`mean` of f32[1, T, 4] joins"],
    [
      "a hidden state for a result",
      net("return table(ids) |> split(-1, [2, 2])", "ids: i32[B, T]", "f32[B, T, 2, 2]"),
      "its result is f32[1, T, 2, 2]",
    ],
    ["a length of its own", net("return table(ids)", "ids: i32[B, 8]", "f32[B, 8, 4]"), "its input `ids` is not i32[B, T]"],
    ["numbers for ids", net("return dot(x, table.table)", "x: f32[B, T, 4]"), "its input `x` is not i32[B, T]"],
    ["two inputs", net("return table(ids) + table(more)", "ids: i32[B, T], more: i32[B, T]"), "no function of one input"],
  ])("%s", (_what, text, reason) => {
    const resolved = unwrap(resolve({ path: "models/test.loom", text }, { load: loadSource, model: "Net" }));
    const { value, diagnostics } = lower(resolved, { inference: {} });
    expect(diagnostics.map(({ code, severity }) => [code, severity])).toEqual([["no-cache", "warning"]]);
    expect(diagnostics[0]?.message).toContain(reason);
    expect(value?.entries.map(({ name }) => name)).toEqual(["logits"]);
    // Nobody is told who does not ask.
    expect(lower(resolved).diagnostics).toEqual([]);
  });
});
