// WGSL that mixes types must not compile here, so that the driver never has to refuse it.
import { add, component, eq, f32, i32, lt, mul, select, shiftLeft, splat, u32, type Var, type Wgsl } from "../../compiler/codegen/wgsl.ts";

export const sum = add(u32(1), u32(2));
export const chosen = select(lt(f32(1), f32(2)), f32(3), f32(4));

// @ts-expect-error: u32 and f32.
export const mixed = add(u32(1), f32(2));

// @ts-expect-error: i32 and u32.
export const signs = mul(i32(1), u32(2));

// @ts-expect-error: text is no expression.
export const text = add(u32(1), "2u");

// @ts-expect-error: a number is no condition.
export const condition = select(u32(1), f32(3), f32(4));

// @ts-expect-error: the two cases differ.
export const cases = select(lt(f32(1), f32(2)), f32(3), u32(4));

export function assigns(wgsl: Wgsl, total: Var<"f32">): void {
  // @ts-expect-error: an integer into a float.
  wgsl.assign(total, u32(1));
}

// @ts-expect-error: a vector and a scalar.
export const shapes = add(splat(f32(1)), f32(1));

// @ts-expect-error: truth values have no sum.
export const truths = add(eq(u32(1), u32(2)), eq(u32(1), u32(2)));

// @ts-expect-error: shifts are of words.
export const shifted = shiftLeft(f32(1), f32(1));

// @ts-expect-error: a scalar has no components.
export const part = component(f32(1), 0);

export function buffers(wgsl: Wgsl): void {
  // @ts-expect-error: an index is a u32.
  wgsl.read(0, "f32", i32(1));
  // @ts-expect-error: the value has another type than the binding.
  wgsl.write(0, "f32", u32(0), u32(1));
  // @ts-expect-error: only variables are assigned to.
  wgsl.assign(u32(1), u32(2));
  // @ts-expect-error: expressions come from the builder alone.
  wgsl.let("x", { type: "u32", node: { kind: "name", name: "x" } });
}
