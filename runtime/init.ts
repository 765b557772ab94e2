// Initial values of state, drawn on the CPU so that all adapters start equal.
import type { InitRule } from "../ir/init.ts";
import { elementCount, type Type } from "../ir/type.ts";
import { normalQuantile } from "./normal.ts";
import { wordStream } from "./philox.ts";
import { boundShape, type HostArray, newArray } from "./values.ts";

/**
 * The values of a tensor of state in row-major order: a function of rule, seed and name alone.
 * Random draws take one 32-bit word w an element: u = (w + 1/2) / 2^32; uniform is low + (high - low) u, normal is mean + deviation * quantile(u),
 * in f64, rounded once to f32. Packed and narrow types can only be zeros.
 */
export function initialValues(name: string, type: Type, rule: InitRule, seed: number): HostArray {
  const count = elementCount(boundShape(type));
  if (type.kind === "codes" || type.scalar !== "f32") {
    if (rule === "zeros" && type.kind === "tensor" && type.scalar !== "bool" && type.scalar !== "b1") return newArray(type, count);
    if (
      type.kind === "tensor" &&
      (type.scalar === "i32" || type.scalar === "u32") &&
      (rule === "ones" || (typeof rule === "object" && "constant" in rule))
    ) {
      return newArray(type, count).fill(rule === "ones" ? 1 : rule.constant);
    }
    throw new Error(`state ${name}: no initial values of this rule for its type`);
  }
  const values = new Float32Array(count);
  if (rule === "zeros") return values;
  if (rule === "ones") return values.fill(1);
  if ("constant" in rule) return values.fill(rule.constant);
  const next = wordStream(seed, name);
  if ("uniform" in rule) {
    const [low, high] = rule.uniform;
    for (let i = 0; i < count; i++) values[i] = low + (high - low) * unit(next());
    return values;
  }
  if ("normal" in rule) {
    const [mean, deviation] = rule.normal;
    for (let i = 0; i < count; i++) values[i] = mean + deviation * normalQuantile(unit(next()));
    return values;
  }
  return rule satisfies never;
}

/** Whether a rule can give the initial values of a type. Zeros always can: memory begins cleared. */
export function canInitialise(type: Type, rule: InitRule): boolean {
  if (rule === "zeros") return true;
  if (type.kind === "codes") return false;
  if (type.scalar === "f32") return true;
  return (type.scalar === "i32" || type.scalar === "u32") && (rule === "ones" || "constant" in rule);
}

/** Between 0 and 1, both excluded. */
const unit = (word: number): number => (word + 0.5) / 2 ** 32;
