// Whether a kernel may write a state in place: where it reads the old value at the very element that it replaces, and nowhere else.
import { shapesEqual } from "../ir/dim.ts";
import type { Value } from "../ir/module.ts";
import { storageOf } from "../ir/packing.ts";
import type { Kernel } from "./plan-problems.ts";

/**
 * `next` is the kernel's result that replaces the state, `isOld` says whether a value is what it replaces. From each reader on, all must
 * be pointwise and of the state's shape: then every value is made of the old one at its own element, by the lane that stores it. An
 * anchor or a view behind a reader would look at other elements.
 */
export function readsOwnElement({ members }: Kernel, next: Value, isOld: (value: Value) => boolean): boolean {
  const isAlike = ({ type }: Value): boolean => shapesEqual(type.dims, next.type.dims) && storageOf(type).kind === "dense";
  const derived = new Set<Value>();
  for (const { op, operands, results } of members) {
    if (!operands.some((o) => isOld(o) || derived.has(o))) continue;
    if (op.lower.kind !== "pointwise" || !results.every(isAlike) || !operands.every((o) => !isOld(o) || isAlike(o))) return false;
    for (const result of results) derived.add(result);
  }
  return true;
}
