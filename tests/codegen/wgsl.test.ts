// The typed builder and its printer: literals, immediates, declarations by use, parentheses, the source map. What must not compile
// stands in tests/types/wgsl.ts.
import { describe, expect, test } from "vitest";
import { fillKernel, slotsOfOne } from "../../compiler/codegen/kernel-text.ts";
import { add, bitAnd, component, div, f32, i32, lt, mul, scale, select, size, sub, u32, Wgsl } from "../../compiler/codegen/wgsl.ts";
import { outlineKernel } from "../../compiler/codegen/wgsl-print.ts";

const print = (build: (wgsl: Wgsl) => void, forcedSubgroupSize?: number) => {
  const wgsl = new Wgsl();
  build(wgsl);
  const outline = outlineKernel(wgsl, {
    title: "test",
    workgroup: [8, 1, 1],
    ...(forcedSubgroupSize === undefined ? {} : { forcedSubgroupSize }),
  });
  return fillKernel(outline, slotsOfOne(outline));
};
const body = (build: (wgsl: Wgsl) => void): readonly string[] => {
  const lines = print(build).text.split("\n");
  return lines.slice(lines.findIndex((l) => l.startsWith("fn main")) + 1, -2).map((l) => l.trim());
};

test("literals", () => {
  const lines = body((w) => {
    for (const x of [0.1, 1, -0, 1e-8, 3.4028234663852886e38, 0.33333334, 1 / 3]) w.let("x", f32(x));
    w.let("i", i32(-(2 ** 31)));
    w.let("u", u32(0xffffffff));
  });
  expect(lines).toEqual([
    "let x = 0.1f;",
    "let x_1 = 1.0f;",
    "let x_2 = -0.0f;",
    "let x_3 = 1e-8f;",
    "let x_4 = 3.4028234663852886e38f;",
    "let x_5 = 0.33333334f;",
    "let x_6 = 0.33333334f;",
    "let i = i32(-2147483648);",
    "let u = 4294967295u;",
  ]);
});

test("parentheses keep the order of evaluation and no more", () => {
  const lines = body((w) => {
    const [a, b, c] = [w.let("a", u32(1)), w.let("b", u32(2)), w.let("c", u32(3))];
    w.let("x", add(add(a, b), c));
    w.let("x", add(a, add(b, c)));
    w.let("x", sub(a, sub(b, c)));
    w.let("x", add(mul(a, b), c));
    w.let("x", mul(add(a, b), c));
    w.let("x", div(a, mul(b, c)));
    w.let("x", bitAnd(a, add(b, c)));
    w.let("x", select(lt(add(a, b), c), a, b));
    w.let("x", mul(f32(2), f32(-3)));
  });
  expect(lines.slice(3)).toEqual([
    "let x = a + b + c;",
    "let x_1 = a + (b + c);",
    "let x_2 = a - (b - c);",
    "let x_3 = a * b + c;",
    "let x_4 = (a + b) * c;",
    "let x_5 = a / (b * c);",
    "let x_6 = a & (b + c);",
    "let x_7 = select(b, a, a + b < c);",
    "let x_8 = 2.0f * (-3.0f);",
  ]);
});

describe("immediates", () => {
  test("in order of first appearance, equal ones once", () => {
    const printed = print((w) => {
      w.let("x", add(size(784), size(64)));
      w.let("x", add(u32(4), size(784)));
    });
    expect(printed.immediates).toEqual([784, 64]);
    expect(printed.text).toContain("struct Sizes { s0: u32, s1: u32 }\nvar<immediate> sizes: Sizes;");
    expect(printed.text).toContain("let x = sizes.s0 + sizes.s1;");
    expect(printed.text).toContain("let x_1 = 4u + sizes.s0;");
  });

  test("beyond sixteen the rest stays in the text; what is not finite never does", () => {
    const printed = print((w) => {
      for (let i = 0; i < 20; i++) w.let("x", size(100 + i));
      w.let("y", f32(Number.NEGATIVE_INFINITY));
    });
    expect(printed.immediates).toHaveLength(16);
    expect(printed.immediates).toContain(0xff800000);
    expect(printed.text).toContain("let y = bitcast<f32>(sizes.s15);");
    expect(printed.text).toContain("let x_14 = sizes.s14;");
    expect(printed.text).toContain("let x_15 = 115u;");
  });

  test("a kernel without sizes asks for nothing", () => {
    expect(print((w) => w.let("x", u32(1))).text).not.toContain("immediate");
  });
});

describe("bindings are declared by the union of their uses", () => {
  test("vectors where nothing is stored by elements", () => {
    const { text } = print((w) => {
      w.let("v", w.read4(0, "f32", u32(2)));
      w.let("x", w.read(0, "f32", add(u32(2), u32(3))));
    });
    expect(text).toContain("var<storage, read_write> b0: array<vec4<f32>>;");
    expect(text).toContain("let v = b0[2u];");
    expect(text).toContain("let x = b0[(2u + 3u) >> 2u][(2u + 3u) & 3u];");
  });

  test("elements where one is stored: storing a component may touch its vector", () => {
    const { text } = print((w) => {
      const v = w.let("v", w.read4(0, "f32", u32(2)));
      w.write(0, "f32", u32(1), component(v, 0));
      w.write4(0, "f32", u32(5), v);
    });
    expect(text).toContain("var<storage, read_write> b0: array<f32>;");
    expect(text).toContain("let v = vec4<f32>(b0[2u * 4u], b0[2u * 4u + 1u], b0[2u * 4u + 2u], b0[2u * 4u + 3u]);");
    expect(text).toContain("b0[5u * 4u + 3u] = v.w;");
  });

  test("words where types are mixed", () => {
    const { text } = print((w) => {
      w.let("x", w.read(3, "f32", u32(0)));
      w.let("i", w.read(3, "i32", u32(1)));
      w.let("u", w.read(3, "u32", u32(2)));
    });
    expect(text).toContain("@group(0) @binding(3) var<storage, read_write> b3: array<u32>;");
    expect(text).toContain("let x = bitcast<f32>(b3[0u]);");
    expect(text).toContain("let u = b3[2u];");
  });
});

test("extensions and built-ins are collected from use", () => {
  const { text } = print((w) => w.let("x", w.shuffleXor(w.builtin("lane"), 1)), 8);
  expect(text).toContain("enable subgroup_size_control;\nenable subgroups;\n");
  expect(text).toContain("@compute @workgroup_size(8, 1, 1) @subgroup_size(8)\nfn main(@builtin(subgroup_invocation_id) lane: u32) {");
});

test("statements that move out of a loop come before it", () => {
  const lines = body((w) => {
    const outer = w.block;
    w.loop("k", u32(0), size(10), u32(1), (k) => {
      const invariant = w.let("scale", w.read(1, "f32", u32(7)), outer);
      w.write(0, "f32", k, invariant);
    });
  });
  expect(lines).toEqual(["let scale = b1[7u];", "for (var k = 0u; k < sizes.s0; k += 1u) {", "b0[k] = scale;", "}"]);
});

test("each line knows the value that it serves", () => {
  const printed = print((w) => {
    const sum = w.zero("sum", "vec4f");
    w.serving("%y", () => w.accumulate(sum, scale<"f32">(w.read4(0, "f32", u32(0)), f32(2))));
    w.serving("%z", () => w.write4(1, "f32", u32(0), sum));
  });
  const lines = printed.text.split("\n");
  expect(printed.sourceMap[lines.findIndex((l) => l.includes("sum +="))]).toBe("%y");
  expect(printed.sourceMap[lines.findIndex((l) => l.includes("b1["))]).toBe("%z");
  expect(printed.sourceMap[0]).toBeUndefined();
});
