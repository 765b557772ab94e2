// A step that went wrong must show: NaN passes through the layers to the loss on every adapter, and the step changes nothing.
import { afterAll, describe, expect, test } from "vitest";
import { quantizers } from "../../ir/quant/table.ts";
import { moduleOf } from "../passes/run.ts";
import { availableAdapters } from "../support/adapters.ts";
import { openSession } from "../support/backends.ts";
import { throughPasses } from "../support/plan-compare.ts";

const text = (activation: string) => `loomir 1
form quantized
host "lr" = constant(value = 0.5)
training {optimizer = sgd(momentum = 0.9, decay = 0.1), rate = "lr"}
state "w": f32[5, 4] {role = parameter, init = zeros, decay = true}
state "v": f32[3, 5] {role = parameter, init = zeros, decay = true}

entry @train(%x: f32[2, 4], %labels: i32[2]) -> (loss: f32[]) {
  %w: f32[5, 4] = state.read {name = "w"}
  %v: f32[3, 5] = state.read {name = "v"}
  %h: f32[2, 5] = dot %x, %w {contract = [[1], [1]], batch = [[], []]}
  %a: f32[2, 5] = ${activation} %h
  %y: f32[2, 3] = dot %a, %v {contract = [[1], [1]], batch = [[], []]}
  %loss: f32[] = cross_entropy %y, %labels
  return %loss
}
`;

const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => (i % 7) / 7 - 0.4);
const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each(["relu", "silu", "sigmoid", "tanh", "gelu"])("%s", async (activation) => {
    const kernels = throughPasses(moduleOf(text(activation)));
    if (kernels === undefined) throw new Error("rejected");
    using session = await openSession(kernels, await device, { w: ramp(20), v: ramp(15) });
    const labels = Int32Array.of(0, 2);
    const before = await session.readState("w");
    const bad = ramp(8);
    bad[5] = Number.NaN;
    const wrong = await session.run("train", { x: bad, labels }, { step: 0 });
    expect(wrong["ok"]?.[0]).toBe(0);
    expect(Number.isFinite(wrong["loss"]?.[0])).toBe(false);
    expect(await session.readState("w")).toEqual(before);
    expect(await session.readState("w#sgd.velocity")).toEqual(new Float32Array(20));
    const right = await session.run("train", { x: ramp(8), labels }, { step: 1 });
    expect(right["ok"]?.[0]).toBe(1);
    expect(await session.readState("w")).not.toEqual(before);
  });

  // A scale that is measured carries what is not finite; a learned one does not, and there the gradient of the scale does.
  const measuring = quantizers.filter(({ scaleGradient }) => scaleGradient === "none");
  test.each(measuring)("rows rounded by $name", async ({ name: scheme, widths, outers }) => {
    const [bits, outer] = [widths.at(-1), outers[0]];
    const kernels = throughPasses(
      moduleOf(`loomir 1
form quantized

entry @main(%x: f32[3, 64], %w: f32[5, 64]) -> (y: f32[3, 5]) {
  %s: f32[3, 1] = quant.scale %x {scheme = ${scheme}, bits = ${bits}, group = row}
  %q: f32[3, 64] = quant.fake %x, %s {scheme = ${scheme}, bits = ${bits}, outer = ${outer}}
  %y: f32[3, 5] = dot %q, %w {contract = [[1], [1]], batch = [[], []]}
  return %y
}
`),
    );
    if (kernels === undefined) throw new Error("rejected");
    using session = await openSession(kernels, await device, {});
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const x = ramp(3 * 64);
      x[64 + 21] = wrong;
      const { y } = await session.run("main", { x, w: ramp(5 * 64) });
      expect(Array.from(y!, Number.isFinite)).toEqual(Array.from({ length: 15 }, (_, i) => i < 5 || i >= 10));
    }
  });
});
