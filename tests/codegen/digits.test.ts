// Every kernel of a quantized training step of `digits`, on the subgroup paths that other tests do not take: each dispatch gets the
// buffers that the reference has at that point, so that one wrong kernel shows as itself.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { emitKernel } from "../../compiler/codegen/templates.ts";
import { selectEntries } from "../../compiler/driver/entries.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { runPasses } from "../../compiler/driver/passes.ts";
import { Reference } from "../../ir/agreement.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateProblem } from "../../ir/evaluate-problem.ts";
import type { KernelPlan, MemoryPlan, Target } from "../../ir/plan.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { toPlan } from "../../passes/to-plan.ts";
import { availableAdapters } from "../support/adapters.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { noise } from "./support/problems.ts";
import { runKernel } from "./support/run-kernel.ts";

const text = readFileSync(new URL("../../models/mlp.loom", import.meta.url), "utf8");
const lowered = unwrap(lowerSource({ path: "models/mlp.loom", text }, { recipe: "digits", policy: "quest_w4a4" }));
const trained = unwrap(selectEntries(lowered.module, (name) => name === "train"));
const { module } = unwrap(runPasses(trained));

function planFor(target: Target): KernelPlan & { readonly memory: MemoryPlan } {
  return planMemory(unwrap(toPlan(module, { target, choose: chooseSchedule })), module);
}

/** Slabs with plausible contents: weights and pixels small, labels below ten, moments and gradients zero. */
function slabsOf(plan: KernelPlan & { readonly memory: MemoryPlan }): ReadonlyMap<string, ArrayBuffer> {
  const slabs = new Map(plan.memory.slabs.map(({ name, bytes }) => [name, new ArrayBuffer(bytes)]));
  const [entry] = plan.entries;
  for (const [i, buffer] of (entry?.buffers ?? []).entries()) {
    const place = plan.memory.places["train"]?.[buffer.name];
    const slab = slabs.get(place?.slab ?? "");
    if (place === undefined || slab === undefined) continue;
    const floats = new Float32Array(slab, place.offset, buffer.bytes / 4);
    if (buffer.role.kind === "state" && !buffer.name.includes("#")) floats.set(noise(floats.length, i + 1).map((x) => x * 0.1));
    else if (buffer.role.kind === "host") floats.set([1e-3, 0.1, 0.05].slice(0, floats.length));
  }
  for (const port of entry?.inputs ?? []) {
    const place = plan.memory.places["train"]?.[port.buffer];
    const slab = slabs.get(place?.slab ?? "");
    if (place === undefined || slab === undefined || port.buffer === "host") continue;
    const count = port.type.dims.reduce<number>((n, d) => n * Number(d), 1);
    if (port.type.kind === "tensor" && port.type.scalar === "i32")
      new Int32Array(slab, place.offset, count).set(Int32Array.from({ length: count }, (_, n) => (n * 7) % 10));
    else new Float32Array(slab, place.offset, count).set(noise(count, 99).map((x) => Math.max(0, x)));
  }
  return slabs;
}

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter).filter((p) => !p.name.startsWith("fixed") && !p.name.startsWith("forced"))) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const device = deviceOn(path);

      test("every dispatch of a step", { timeout: 120_000 }, async () => {
        const plan = planFor(path.target);
        const slabs = slabsOf(plan);
        const [entry] = plan.entries;
        const places = plan.memory.places["train"] ?? {};
        const bytesOf = (name: string) => entry?.buffers.find((b) => b.name === name)?.bytes ?? 0;
        expect(entry?.dispatches.length).toBeGreaterThan(20);
        for (const dispatch of entry?.dispatches ?? []) {
          const bound = dispatch.bind.map((use) => {
            const [first, last] = [places[use.buffer], places[use.through ?? use.buffer]];
            const slab = slabs.get(first?.slab ?? "");
            if (first === undefined || last === undefined || slab === undefined) throw new Error(`no place for ${use.buffer}`);
            return new Uint32Array(slab, first.offset, (last.offset + bytesOf(use.through ?? use.buffer) - first.offset) / 4);
          });
          const before = bound.map((b) => Uint32Array.from(b));
          const kernel = emitKernel(dispatch.problem, dispatch.schedule, path.target, dispatch.serves);
          const found = await runKernel(device(), kernel, before);
          expect(new Reference(dispatch.problem, before).differenceFrom(found) ?? "", dispatch.serves.join(", ")).toBe("");
          evaluateProblem(dispatch.problem, bound);
        }
      });
    });
  }
}
