// Every kernel of a quantized training step of `digits`, on the subgroup paths that other tests do not take: each dispatch gets the
// buffers that the reference has at that point, so that one wrong kernel shows as itself.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { emitKernel } from "../../compiler/codegen/templates.ts";
import { selectEntries } from "../../compiler/driver/entries.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { runPasses } from "../../compiler/driver/passes.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateProblem } from "../../ir/evaluate-problem.ts";
import type { Dispatch, KernelPlan, MemoryPlan, Target } from "../../ir/plan.ts";
import { storesOf } from "../../ir/problem.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { toPlan } from "../../passes/to-plan.ts";
import type { Device } from "../../runtime/device.ts";
import { availableAdapters } from "../support/adapters.ts";
import { epsilon, sumBound } from "./support/compare.ts";
import { pathsOf } from "./support/paths.ts";
import { noise } from "./support/problems.ts";
import { runKernel, type Words } from "./support/run-kernel.ts";

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

/** The typed array of a binding: floats where floats are stored, else words, which are compared as they are. */
function viewOf({ problem }: Dispatch, binding: number, bytes: ArrayBuffer, offset: number, length: number): Words {
  const storage = storesOf(problem).find((s) => s.binding === binding)?.storage;
  const isFloat = storage?.kind === "dense" && storage.scalar === "f32";
  return isFloat ? new Float32Array(bytes, offset, length) : new Uint32Array(bytes, offset, length);
}

function agree(dispatch: Dispatch, before: readonly Words[], found: readonly Uint32Array[], expected: readonly Words[]): void {
  const { problem, serves } = dispatch;
  const binding = problem.kind === "rows" ? -1 : (problem.stores[0]?.binding ?? 0);
  const isSum = problem.kind === "dot" || (problem.kind === "reduce" && problem.accumulators.every((a) => a.combine === "sum"));
  const terms = problem.kind === "dot" ? problem.k : problem.kind === "reduce" ? problem.reduced.reduce((n, s) => n * s, 1) : 1;
  const ofSum = isSum ? sumBound(problem, before, binding, terms + 8) : () => 0;
  for (const [b, reference] of expected.entries()) {
    const words = found[b] ?? new Uint32Array();
    if (reference instanceof Uint32Array) {
      const differing = reference.reduce((n, word, i) => n + Number(word !== words[i]), 0);
      // A code next to a boundary may go either way.
      expect(differing, serves.join(", ")).toBeLessThanOrEqual(problem.kind === "rows" ? reference.length / 1000 : 0);
      continue;
    }
    const floats = new Float32Array(words.buffer, 0, words.length);
    const largest = Float32Array.from(reference).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const wrong = Float32Array.from(reference).findIndex(
      (x, i) => !(Math.abs((floats[i] ?? 0) - x) <= ofSum(b, i) + 64 * epsilon * largest),
    );
    expect(wrong < 0 ? "" : `element ${wrong} of binding ${b}: ${floats[wrong]}, not ${reference[wrong]} (${serves.join(", ")})`).toBe("");
  }
}

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter).filter((p) => !p.name.startsWith("fixed") && !p.name.startsWith("forced"))) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      let device: Device;
      beforeAll(async () => {
        device = await path.open();
      });
      afterAll(() => device.dispose());

      test("every dispatch of a step", { timeout: 120_000 }, async () => {
        const plan = planFor(path.target);
        const slabs = slabsOf(plan);
        const [entry] = plan.entries;
        const places = plan.memory.places["train"] ?? {};
        const bytesOf = (name: string) => entry?.buffers.find((b) => b.name === name)?.bytes ?? 0;
        expect(entry?.dispatches.length).toBeGreaterThan(20);
        for (const dispatch of entry?.dispatches ?? []) {
          const bound = dispatch.bind.map((use, binding) => {
            const [first, last] = [places[use.buffer], places[use.through ?? use.buffer]];
            const slab = slabs.get(first?.slab ?? "");
            if (first === undefined || last === undefined || slab === undefined) throw new Error(`no place for ${use.buffer}`);
            return viewOf(dispatch, binding, slab, first.offset, (last.offset + bytesOf(use.through ?? use.buffer) - first.offset) / 4);
          });
          const before = bound.map((b) => b.slice());
          const kernel = emitKernel(dispatch.problem, dispatch.schedule, path.target, dispatch.serves);
          const found = await runKernel(device, kernel, before);
          evaluateProblem(dispatch.problem, bound);
          agree(dispatch, before, found, bound);
        }
      });
    });
  }
}
