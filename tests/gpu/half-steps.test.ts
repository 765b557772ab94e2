// `precision = f16`: steps of the Llama `demo` stay near those in f32 in less memory, and where an adapter has no f16 they are those in f32.
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Device } from "../../runtime/device.ts";
import { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { llamaSource, textBatches } from "../support/llama.ts";

const [rows, length, steps] = [4, 64, 12];
const source = llamaSource(rows, length);
const batches = textBatches(rows, length);

/** Losses and gradient norms of steps from one seed, and what they ran in. */
async function run(device: Device, policy: string, precision: "f32" | "f16") {
  const targets = [await targetOn(device)];
  const artifact = unwrap(
    compile(source, {
      recipe: "demo",
      policy,
      set: [`precision=${precision}`],
      targets,
      portable: false,
      entries: (name) => name === "train",
    }),
  );
  using session = await Session.open(artifact, device, { seed: 1 });
  const results: { readonly loss: number; readonly norm: number }[] = [];
  for (let step = 0; step < steps; step++) {
    const { loss, grad_norm, ok } = await session.run("train", batches(step), { step });
    expect(ok?.[0]).toBe(1);
    results.push({ loss: loss![0]!, norm: grad_norm![0]! });
  }
  return { results, bytes: session.byteLength, features: session.target.requires.features, asked: artifact.manifest.precision };
}

const adapters = await availableAdapters();

describe.each(adapters)("$name", ({ name, open, description }) => {
  const device = open();
  afterAll(async () => (await device).dispose());
  const hasHalf = description.features.includes("shader-f16");

  // A rounding to 11 bits behind each kernel: the first step differs by that alone, later ones by what it leads to. Codes that flip lead to more.
  test.runIf(hasHalf).each([
    ["float", 2e-4, 2e-3],
    ["quest_w4a4", 2e-3, 1e-2],
  ] as const)("%s: steps near those in f32, in less memory", async (policy, first, later) => {
    const [single, half] = [await run(await device, policy, "f32"), await run(await device, policy, "f16")];
    expect(half.features).toContain("shader-f16");
    expect(half.asked).toBe("f16");
    expect(single.asked).toBeUndefined();
    expect(half.bytes).toBeLessThan(0.9 * single.bytes);
    for (const [step, { loss, norm }] of half.results.entries()) {
      const of = single.results[step]!;
      expect(Math.abs(loss / of.loss - 1), `loss of step ${step}`).toBeLessThan(step === 0 ? first : later);
      if (step === 0) expect(Math.abs(norm / of.norm - 1), "gradient norm").toBeLessThan(10 * first);
    }
    expect(half.results).not.toEqual(single.results);
    expect(half.results.at(-1)!.loss).toBeLessThan(half.results[0]!.loss - 0.3);
  });

  // The compiler leaves it out, whatever the driver.
  test.runIf(name === adapters.at(-1)?.name)("without the feature: the same bits as in f32", async () => {
    using plain = await open({ withoutFeatures: ["shader-f16"] });
    const [single, half] = [await run(plain, "float", "f32"), await run(plain, "float", "f16")];
    expect(half.features).not.toContain("shader-f16");
    expect(half.asked).toBe("f16");
    expect(half).toEqual({ ...single, asked: "f16" });
  });
});
