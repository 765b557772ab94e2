// Runs a kernel plan on the CPU: slabs as byte arrays, each problem by its reference evaluation.

import { dispatchCost } from "../../compiler/codegen/dispatch-cost.ts";
import { portable } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateProblem } from "../../ir/evaluate-problem.ts";
import { hostValue } from "../../ir/host.ts";
import type { Module } from "../../ir/module.ts";
import { bufferBytes, byteLength, packValues, storageOf, unpackValues } from "../../ir/packing.ts";
import type { PlacedPlan, Schedule, Target } from "../../ir/plan.ts";
import type { TensorData } from "../../ir/tensor.ts";
import type { Type } from "../../ir/type.ts";
import { MemoryFitter } from "../../passes/fit-memory.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { rematerialize } from "../../passes/rematerialize.ts";
import { layoutStates } from "../../passes/state-layout.ts";
import { toPlan } from "../../passes/to-plan.ts";
import { verifyPlan } from "../../passes/verify-plan.ts";

const anySchedule = (): Schedule => ({ kind: "pointwise", width: 1, perLane: 1, workgroup: 64 });

/** `memory`: bytes that the plan fits, by whatever it computes again. */
export function planOf(module: Module, target: Target = portable, memory?: number): PlacedPlan {
  const whole = rematerialize(unwrap(toPlan(module, { target, choose: anySchedule })));
  const plan = memory === undefined ? planMemory(whole, module) : new MemoryFitter(whole, module, dispatchCost(target)).within(memory);
  verifyPlan(plan);
  return plan;
}

export interface PlanRun {
  run(entry: string, inputs: Readonly<Record<string, TensorData>>, step: number): Record<string, ArrayLike<number>>;
  state(name: string): ArrayLike<number>;
}

export function runPlan(module: Module, state: Readonly<Record<string, TensorData>>, target: Target = portable, memory?: number): PlanRun {
  const plan = planOf(module, target, memory);
  const { memory: placed } = plan;
  const slabs = new Map(placed.slabs.map((s) => [s.name, new ArrayBuffer(s.bytes)]));
  const slab = (name: string) => slabs.get(name) ?? new ArrayBuffer(0);
  const layout = layoutStates(module, plan.target.limits.maxStorageBufferBindingSize);
  const write = (to: { slab: string; offset: number }, data: TensorData) =>
    new Uint8Array(slab(to.slab), to.offset).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  for (const [name, data] of Object.entries(state)) write(layout.states.get(name) ?? { slab: "", offset: 0 }, data);
  return {
    run(entryName, inputs, step) {
      const entry = plan.entries.find((e) => e.name === entryName);
      const places = placed.places[entryName];
      if (entry === undefined || places === undefined) throw new Error(`no entry ${entryName}`);
      const placeOf = (buffer: string) => places[buffer] ?? { slab: "", offset: 0 };
      const bytesOf = (buffer: string) => entry.buffers.find((b) => b.name === buffer)?.bytes ?? 0;
      for (const port of entry.inputs) {
        const place = placeOf(port.buffer);
        const rule = module.host[port.name];
        const data = inputs[port.name] ?? (rule === undefined ? undefined : Float32Array.of(hostValue(rule, step)));
        if (data === undefined) throw new Error(`no input ${port.name}`);
        write({ slab: place.slab, offset: place.offset + port.byteOffset }, data);
      }
      for (const { buffer, values } of entry.constants) {
        const type = entry.buffers.find((b) => b.name === buffer)?.type;
        if (type === undefined) throw new Error(`a constant in no buffer, ${buffer}`);
        write(placeOf(buffer), new Uint8Array(packValues(type, values)));
      }
      for (const dispatch of entry.dispatches) {
        const buffers = dispatch.bind.map((use) => {
          const from = placeOf(use.buffer);
          if (use.part !== undefined) return new Uint8Array(slab(from.slab), from.offset + use.part.offset, use.part.bytes);
          const last = use.through ?? use.buffer;
          return new Uint8Array(slab(from.slab), from.offset, placeOf(last).offset + bytesOf(last) - from.offset);
        });
        evaluateProblem(dispatch.problem, buffers);
      }
      return Object.fromEntries(
        entry.outputs.map((port) => {
          const { slab: name, offset } = placeOf(port.buffer);
          const start = offset + port.byteOffset;
          return [port.name, elementsOf(port.type, slab(name).slice(start, start + byteLength(port.type)))];
        }),
      );
    },
    state(name) {
      const place = layout.states.get(name);
      const type = module.states.find((s) => s.name === name)?.type;
      if (place === undefined || type === undefined) throw new Error(`no state ${name}`);
      return elementsOf(type, slab(place.slab).slice(place.offset, place.offset + bufferBytes(type)));
    },
  };
}

/** Words as a buffer holds them, one number an element. */
function elementsOf(type: Type, bytes: ArrayBuffer): ArrayLike<number> {
  const storage = storageOf(type);
  return storage.kind === "packed"
    ? unpackValues(type, bytes)
    : storage.scalar === "f32"
      ? new Float32Array(bytes)
      : storage.scalar === "i32"
        ? new Int32Array(bytes)
        : new Uint32Array(bytes);
}
