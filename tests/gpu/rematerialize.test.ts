// Recomputation changes memory as the plan says, and no bit of the result: losses and weights with and without it, on every adapter.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { parseType } from "../../ir/parse-type.ts";
import type { PlacedPlan, Target } from "../../ir/plan.ts";
import { type Inputs, Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";

const stack = "tests/scale/stack.loom";
/** The stack of six layers without residuals, the one with them, and layers with attention. */
const cases: readonly (readonly [path: string, recipe: string, policy: string, selector: string])[] = [
  [stack, "mlp", "float", "layers.*"],
  [stack, "mlp", "quest_w4a4", "layers.*"],
  [stack, "residual", "float", "layers.*"],
  [stack, "residual", "quest_w4a4", "layers.*"],
  [stack, "residual", "quest_w1a1", "[layers.*.mixer, layers.1.out]"],
  ["models/llama.loom", "demo", "quest_w4a4", "layers.*"],
];

/** Budgets for `remat auto`, as a share of the plain plan's bytes. */
const fitted: readonly (readonly [path: string, recipe: string, policy: string, shares: readonly number[]])[] = [
  [stack, "mlp", "float", [0.95]],
  [stack, "residual", "quest_w4a4", [0.9, 0.8]],
  [stack, "residual", "quest_w1a1", [0.85]],
  ["models/llama.loom", "demo", "quest_w4a4", [0.75, 0.55]],
  ["models/llama.loom", "demo", "float", [0.6]],
];

const steps = 3;

function planAndArtifact(path: string, recipe: string, policy: string, target: Target, selector: string, memory?: number) {
  const plans: PlacedPlan[] = [];
  const artifact = unwrap(
    compile(
      { path, text: readFileSync(path, "utf8") },
      {
        recipe,
        policy,
        set: [`remat=${selector}`],
        ...(memory === undefined ? {} : { memory }),
        targets: [target],
        portable: false,
        entries: (name) => name === "train",
        planned: (plan) => plans.push(plan),
      },
    ),
  );
  return { artifact, plan: plans[0]! };
}

/** Numbers without meaning, other ones in each step. */
function inputsOf({ manifest }: CompiledArtifact, step: number): Inputs {
  const data = manifest.entries["train"]!.inputs.filter((input) => input.source === "data");
  return Object.fromEntries(
    data.map(({ name, type }) => {
      const { dims, ...rest } = parseType(type);
      const length = dims.reduce<number>((n, d) => n * Number(d), 1);
      const isFloat = rest.kind === "tensor" && rest.scalar === "f32";
      return [
        name,
        isFloat
          ? Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + step))
          : Int32Array.from({ length }, (_, i) => (i * 7 + step) % 10),
      ];
    }),
  );
}

const adapters = await availableAdapters();

for (const adapter of adapters) {
  describe(adapter.name, () => {
    const opened = adapter.open();
    afterAll(async () => (await opened).dispose());

    const run = async (path: string, recipe: string, policy: string, selector: string, memory?: number) => {
      const device = await opened;
      const { artifact, plan } = planAndArtifact(path, recipe, policy, await targetOn(device), selector, memory);
      using session = await Session.open(artifact, device, { seed: 3 });
      expect(session.byteLength).toBe(plan.memory.peakBytes);
      const losses: number[] = [];
      for (let step = 0; step < steps; step++) {
        const { loss, ok } = await session.run("train", inputsOf(artifact, step), { step });
        expect(ok?.[0]).toBe(1);
        losses.push(loss?.[0] ?? Number.NaN);
      }
      const state: Uint8Array[] = [];
      for (const { name } of artifact.manifest.state) {
        const { buffer, byteOffset, byteLength } = await session.readState(name);
        state.push(new Uint8Array(buffer, byteOffset, byteLength));
      }
      return { losses, state, bytes: session.byteLength, dispatches: plan.entries[0]!.dispatches };
    };
    type Run = Awaited<ReturnType<typeof run>>;

    function expectSameBits(again: Run, plain: Run): void {
      expect(again.losses).toEqual(plain.losses);
      expect(again.losses[2]).not.toBe(again.losses[0]);
      expect(again.state.every((bytes, i) => Buffer.compare(bytes, plain.state[i]!) === 0)).toBe(true);
      expect(plain.dispatches.some((d) => d.recompute !== undefined)).toBe(false);
      expect(again.dispatches.some((d) => d.recompute !== undefined)).toBe(true);
    }

    // SwiftShader takes long for a Llama, and nothing here depends on a driver but that kernels run: the regions of the stack are enough there.
    const isSlow = adapter.description.adapterClass === "swiftshader" && adapters.length > 1;
    const onSlow = (path: string, policy: string) => path === stack && policy !== "float";
    const here = cases.filter(([path, , policy]) => !isSlow || onSlow(path, policy));
    test.each(here)("%s %s %s, remat %s", async (path, recipe, policy, selector) => {
      const plain = await run(path, recipe, policy, "none");
      const again = await run(path, recipe, policy, selector);
      expectSameBits(again, plain);
      expect(again.bytes).toBeLessThan(plain.bytes);
    });

    const budgeted = fitted.filter(([path, , policy]) => !isSlow || onSlow(path, policy));
    test.each(budgeted)("%s %s %s, remat auto within shares %s", async (path, recipe, policy, shares) => {
      const plain = await run(path, recipe, policy, "none");
      for (const share of shares) {
        const budget = Math.floor(share * plain.bytes);
        const again = await run(path, recipe, policy, "auto", budget);
        expectSameBits(again, plain);
        expect(again.bytes).toBeLessThanOrEqual(budget);
      }
    });
  });
}
