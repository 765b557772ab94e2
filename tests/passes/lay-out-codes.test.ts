// Which arithmetic contractions of codes get, and that every pair of widths gives what its decoded form gives, whatever is chosen.
import { describe, expect, test } from "vitest";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import { dot } from "../../ir/ops/dot.ts";
import { quantDecode, quantEncode } from "../../ir/ops/quant.ts";
import { arithmetics, type CodeArithmetic, quantDot } from "../../ir/ops/quant-dot.ts";
import { rewriteEntry, ruleFor } from "../../ir/rewrite.ts";
import { contiguous, denseTensor } from "../../ir/tensor.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printType, shapeOf } from "../../ir/type.ts";
import { verifyModule } from "../../ir/verify.ts";
import { fuse } from "../../passes/fuse.ts";
import { layOutCodes } from "../../passes/lay-out-codes.ts";
import type { PipelineStep } from "../../passes/pass.ts";
import { runPipeline } from "../../passes/runner.ts";
import { targetOf } from "../codegen/support/problems.ts";
import { runPlan } from "../support/plan-runner.ts";

interface Site {
  readonly x: number;
  readonly w: readonly number[];
  readonly columns?: number;
}

/** y_i = fake(x) fake(w_i), of 8 rows and 6 rows over 40 columns if not said otherwise; `more` reads %x_c or %w0_c besides. */
function linear({ x, w, columns = 40 }: Site, more = "", outputs = ""): Module {
  const encode = (
    name: string,
    bits: number,
    rows: number,
  ) => `  %${name}_s: f32[${rows}, 1] = quant.scale %${name} {scheme = quest, bits = ${bits}}
  %${name}_c: q${bits}[${rows}, ${columns}; grid = half] = quant.encode %${name}, %${name}_s {scheme = quest, bits = ${bits}}`;
  const dots = w.map((_, i) => `  %y${i}: f32[8, 6] = quant.dot %x_c, %x_s, %w${i}_c, %w${i}_s {contract = [[1], [1]], batch = [[], []]}`);
  const text = `loomir 1
form primitive

entry @main(%x: f32[8, ${columns}], ${w.map((_, i) => `%w${i}: f32[6, ${columns}]`).join(", ")}, %g: f32[8, 6]) -> (${w.map((_, i) => `y${i}: f32[8, 6]`).join(", ")}${outputs === "" ? "" : `, ${outputs.replace(/%(\w+): /, "$1: ")}`}) {
${[encode("x", x, 8), ...w.map((bits, i) => encode(`w${i}`, bits, 6)), ...dots].join("\n")}
${more}  return ${w.map((_, i) => `%y${i}`).join(", ")}${outputs === "" ? "" : `, ${outputs.split(":")[0]}`}
}
`;
  return unwrap(parseModule({ path: "linear.loomir", text }));
}

const target = targetOf("none", 1);
/** Costs that make one arithmetic the cheapest. */
const prefer = (wanted: CodeArithmetic) => () => ({
  product: (arithmetic: CodeArithmetic, a: number, b: number) => (arithmetic === wanted ? 0.01 * a * b : 1),
  decodedPlane: 0.1,
});

const choices = (module: Module) =>
  module.entries
    .flatMap((e) => e.instructions)
    .filter((i) => i.op.signature.name === quantDot.name)
    .map((i) => i.attrs["arithmetic"]);
const layouts = (module: Module) =>
  module.entries
    .flatMap((e) => e.instructions)
    .filter((i) => i.op.signature.name === quantEncode.name)
    .map((i) =>
      printType(i.results[0]!.type)
        .replace(/\[.*grid = half/, "")
        .replace("]", ""),
    );

describe("the choice", () => {
  test("codes lie as the arithmetic reads them", () => {
    expect(layouts(layOutCodes(linear({ x: 2, w: [1] }), target, prefer("planes")))).toEqual([
      "q2, layout = planes",
      "q1, layout = planes",
    ]);
    expect(layouts(layOutCodes(linear({ x: 2, w: [8] }), target, prefer("bytes")))).toEqual(["q2, layout = nibbles", "q8"]);
    expect(layouts(layOutCodes(linear({ x: 4, w: [5] }), target, prefer("bytes")))).toEqual(["q4", "q5, layout = bytes"]);
    expect(layouts(layOutCodes(linear({ x: 4, w: [3] }), target, prefer("floats")))).toEqual(["q4", "q3, layout = nibbles"]);
  });

  test("codes that meet in contractions are laid out alike, by the cost of all", () => {
    const costs = () => ({
      product: (a: CodeArithmetic, x: number, w: number) => (a === "planes" ? 0.1 * x * w : a === "bytes" ? 0.5 : 1),
      decodedPlane: 0,
    });
    expect(choices(layOutCodes(linear({ x: 2, w: [2] }), target, costs))).toEqual(["planes"]);
    expect(choices(layOutCodes(linear({ x: 2, w: [2, 4] }), target, costs))).toEqual(["bytes", "bytes"]);
    expect(choices(layOutCodes(linear({ x: 2, w: [2, 2, 4] }), target, costs))).toEqual(["bytes", "bytes", "bytes"]);
    expect(choices(layOutCodes(linear({ x: 2, w: [1, 1, 3] }), target, costs))).toEqual(["planes", "planes", "planes"]);
  });

  test("what decodes planes on load counts against them", () => {
    const backward =
      "  %d: f32[6, 40] = quant.decode %w0_c, %w0_s\n  %dx: f32[8, 40] = dot %g, %d {contract = [[1], [0]], batch = [[], []]}\n";
    const module = linear({ x: 2, w: [2] }, backward, "%dx: f32[8, 40]");
    const costs = (decodedPlane: number) => () => ({
      product: (a: CodeArithmetic) => (a === "planes" ? 0.3 : a === "bytes" ? 0.5 : 1),
      decodedPlane,
    });
    expect(choices(layOutCodes(module, target, costs(0.1)))).toEqual(["planes"]);
    expect(choices(layOutCodes(module, target, costs(0.3)))).toEqual(["bytes"]);
  });

  test("codes that others see stay as they are", () => {
    const seen = linear({ x: 2, w: [2] }, "", "%x_c: q2[8, 40; grid = half]");
    expect(choices(layOutCodes(seen, target, prefer("planes")))).toEqual(["floats"]);
    const wide = linear({ x: 4, w: [8] }, "", "%x_c: q4[8, 40; grid = half]");
    expect(choices(layOutCodes(wide, target, prefer("bytes")))).toEqual(["bytes"]);
  });

  test("sums that would pass an i32 are sums of floats", () => {
    const chosen = (x: number, w: number, columns: number) => choices(layOutCodes(linear({ x, w: [w], columns }), target, prefer("bytes")));
    expect(chosen(8, 8, 33_025)).toEqual(["bytes"]);
    expect(chosen(8, 8, 33_026)).toEqual(["floats"]);
    expect(chosen(8, 4, 65_536)).toEqual(["bytes"]);
  });

  test("what a module says stays", () => {
    const module = layOutCodes(linear({ x: 4, w: [4] }), target, prefer("bytes"));
    expect(layOutCodes(module, target, prefer("floats")).entries).toEqual(module.entries);
  });

  test.each(arithmetics)("%s: what comes out verifies", (arithmetic) => {
    for (const x of [1, 2, 3, 4, 5, 8])
      for (const w of [1, 3, 4, 6, 8]) expect(verifyModule(layOutCodes(linear({ x, w: [w, x] }), target, prefer(arithmetic)))).toEqual([]);
  });
});

describe("the same numbers as of decoded tensors", () => {
  const widths = [1, 2, 3, 4, 5, 6, 7, 8];
  const noise = (length: number, seed: number) =>
    Float32Array.from({ length }, (_, i) => Math.sin(1 + i * (seed + 0.37)) + 0.5 * Math.cos(i * i * 0.013 + seed));
  const inputs = { x: noise(8 * 40, 1), w0: noise(6 * 40, 2), g: new Float32Array(8 * 6) };

  test.each(widths.flatMap((x) => widths.map((w) => [x, w] as const)))("%i by %i bits", (x, w) => {
    const codes = linear({ x, w: [w] });
    const decoded = decodedForm(codes);
    const tensors = Object.fromEntries(
      decoded.entries[0]!.inputs.map(({ value: { hint, type } }) => [hint, denseTensor(shapeOf(type), inputs[hint as "x"])]),
    );
    const expected = contiguous(evaluateEntry(decoded, "main", { inputs: tensors, precision: "f32" }).outputs["y0"]!);
    const largest = Math.max(...Array.from(expected, Math.abs));
    for (const arithmetic of arithmetics) {
      const { y0 } = runPlan(fused(layOutCodes(codes, target, prefer(arithmetic))), {}).run("main", inputs, 0);
      for (const [i, value] of expected.entries()) expect(Math.abs(y0![i]! - value)).toBeLessThan(8 * 2 ** -24 * largest);
    }
  });
});

/** quant.dot as dot of what both sides decode to. */
function decodedForm(module: Module): Module {
  const rule = ruleFor(quantDot, "decode", ([lhs, lhsScale, rhs, rhsScale], { contract, batch }, { builder }) => [
    builder.emit(dot, [builder.emit(quantDecode, [lhs, lhsScale]), builder.emit(quantDecode, [rhs, rhsScale])], { contract, batch }),
  ]);
  return { ...module, entries: module.entries.map((entry) => rewriteEntry(entry, [rule], () => {})) };
}

function fused(module: Module): Module {
  const pipeline: readonly PipelineStep[] = [{ pass: fuse, options: {}, stage: "primitive" }];
  const outcome = runPipeline(module, pipeline);
  if (outcome.kind !== "done") throw new Error(outcome.kind);
  return outcome.module;
}
