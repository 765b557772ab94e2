// The loops behind evaluate-scalar.ts: what each scalar operation does to whole arrays, as WGSL does it where WGSL says.
// Typed arrays round and wrap as they store, so that a Float32Array makes f32 of every result and an Int32Array wraps.
// biome-ignore-all lint/style/noNonNullAssertion: measured inner loops; every index is below every array's length.
import { narrowed, roundHalfEven } from "./narrow.ts";
import type { BinaryOp, ScalarType, SparseUnit, UnaryOp } from "./scalar.ts";
import type { TensorData } from "./tensor.ts";

/** The largest f32 below 2^31 and 2^32: what WGSL's conversions saturate at. */
const largestI32 = 2147483520;
const largestU32 = 4294967040;

const floatBits = new Float32Array(1);
const uintBits = new Uint32Array(floatBits.buffer);

export function applyUnary(op: UnaryOp, a: TensorData, out: TensorData, n: number): void {
  switch (op) {
    case "neg":
      for (let i = 0; i < n; i++) out[i] = -a[i]!;
      return;
    case "abs":
      for (let i = 0; i < n; i++) out[i] = Math.abs(a[i]!);
      return;
    case "exp":
      for (let i = 0; i < n; i++) out[i] = Math.exp(a[i]!);
      return;
    case "log":
      for (let i = 0; i < n; i++) out[i] = Math.log(a[i]!);
      return;
    case "sqrt":
      for (let i = 0; i < n; i++) out[i] = Math.sqrt(a[i]!);
      return;
    case "rsqrt":
      for (let i = 0; i < n; i++) out[i] = 1 / Math.sqrt(a[i]!);
      return;
    case "tanh":
      for (let i = 0; i < n; i++) out[i] = Math.tanh(a[i]!);
      return;
    case "floor":
      for (let i = 0; i < n; i++) out[i] = Math.floor(a[i]!);
      return;
    case "ceil":
      for (let i = 0; i < n; i++) out[i] = Math.ceil(a[i]!);
      return;
    case "round":
      for (let i = 0; i < n; i++) out[i] = roundHalfEven(a[i]!);
      return;
    case "not":
      for (let i = 0; i < n; i++) out[i] = a[i] === 0 ? 1 : 0;
      return;
    case "is_finite":
      for (let i = 0; i < n; i++) out[i] = Number.isFinite(a[i]!) ? 1 : 0;
      return;
    case "bitcast_u32":
      if (a instanceof Int32Array || a instanceof Uint32Array) {
        for (let i = 0; i < n; i++) out[i] = a[i]!;
        return;
      }
      for (let i = 0; i < n; i++) {
        floatBits[0] = a[i]!;
        out[i] = uintBits[0]!;
      }
      return;
    case "bitcast_f32":
      for (let i = 0; i < n; i++) {
        uintBits[0] = a[i]!;
        out[i] = floatBits[0]!;
      }
      return;
    case "to_f16":
      // In f64 nothing narrows: gradients are checked against what the formulas say.
      if (out instanceof Float64Array) out.set(a.subarray(0, n));
      else for (let i = 0; i < n; i++) out[i] = narrowed(a[i]!, "f16");
      return;
    default:
      op satisfies never;
  }
}

/** `type` is that of the left operand. */
export function applyBinary(op: BinaryOp, type: ScalarType, a: TensorData, b: TensorData, out: TensorData, n: number): void {
  const integers = type === "i32" || type === "u32";
  switch (op) {
    case "add":
      for (let i = 0; i < n; i++) out[i] = a[i]! + b[i]!;
      return;
    case "sub":
      for (let i = 0; i < n; i++) out[i] = a[i]! - b[i]!;
      return;
    case "mul":
      if (integers) for (let i = 0; i < n; i++) out[i] = Math.imul(a[i]!, b[i]!);
      else for (let i = 0; i < n; i++) out[i] = a[i]! * b[i]!;
      return;
    case "div":
      // An integer divided by 0 stays itself, and its remainder is 0.
      if (integers) for (let i = 0; i < n; i++) out[i] = b[i] === 0 ? a[i]! : Math.trunc(a[i]! / b[i]!);
      else for (let i = 0; i < n; i++) out[i] = a[i]! / b[i]!;
      return;
    case "rem":
      if (integers) for (let i = 0; i < n; i++) out[i] = b[i] === 0 ? 0 : a[i]! % b[i]!;
      else for (let i = 0; i < n; i++) out[i] = a[i]! % b[i]!;
      return;
    case "min":
      for (let i = 0; i < n; i++) out[i] = Math.min(a[i]!, b[i]!);
      return;
    case "max":
      for (let i = 0; i < n; i++) out[i] = Math.max(a[i]!, b[i]!);
      return;
    case "pow":
      for (let i = 0; i < n; i++) out[i] = a[i]! ** b[i]!;
      return;
    case "eq":
      for (let i = 0; i < n; i++) out[i] = a[i] === b[i] ? 1 : 0;
      return;
    case "ne":
      for (let i = 0; i < n; i++) out[i] = a[i] !== b[i] ? 1 : 0;
      return;
    case "lt":
      for (let i = 0; i < n; i++) out[i] = a[i]! < b[i]! ? 1 : 0;
      return;
    case "le":
      for (let i = 0; i < n; i++) out[i] = a[i]! <= b[i]! ? 1 : 0;
      return;
    case "gt":
      for (let i = 0; i < n; i++) out[i] = a[i]! > b[i]! ? 1 : 0;
      return;
    case "ge":
      for (let i = 0; i < n; i++) out[i] = a[i]! >= b[i]! ? 1 : 0;
      return;
    case "and":
      for (let i = 0; i < n; i++) out[i] = a[i]! & b[i]!;
      return;
    case "or":
      for (let i = 0; i < n; i++) out[i] = a[i]! | b[i]!;
      return;
    case "xor":
      for (let i = 0; i < n; i++) out[i] = a[i]! ^ b[i]!;
      return;
    case "shl":
      for (let i = 0; i < n; i++) out[i] = a[i]! << b[i]!;
      return;
    case "shr":
      if (type === "i32") for (let i = 0; i < n; i++) out[i] = a[i]! >> b[i]!;
      else for (let i = 0; i < n; i++) out[i] = a[i]! >>> b[i]!;
      return;
    default:
      op satisfies never;
  }
}

export function applySelect(condition: TensorData, yes: TensorData, no: TensorData, out: TensorData, n: number): void {
  for (let i = 0; i < n; i++) out[i] = condition[i] === 0 ? no[i]! : yes[i]!;
}

export function applyCast(from: ScalarType, to: ScalarType, a: TensorData, out: TensorData, n: number): void {
  if (to === "bool") {
    // NaN is not 0.
    for (let i = 0; i < n; i++) out[i] = a[i] === 0 ? 0 : 1;
  } else if (from === "f32" && to === "i32") {
    for (let i = 0; i < n; i++) out[i] = Math.min(Math.max(Math.trunc(a[i]!), -2147483648), largestI32);
  } else if (from === "f32" && to === "u32") {
    for (let i = 0; i < n; i++) out[i] = Math.min(Math.max(Math.trunc(a[i]!), 0), largestU32);
  } else {
    for (let i = 0; i < n; i++) out[i] = a[i]!;
  }
}

/** Elements are whole rows: see the node `kept`. */
export function applyKept(unit: SparseUnit, a: TensorData, out: TensorData, n: number): void {
  const group = 4 * unit;
  if (n % group !== 0) throw new Error(`${n} elements are not groups of ${group}`);
  const rounded = a instanceof Float32Array ? Math.fround : (sum: number) => sum;
  const sums = [0, 0, 0, 0];
  for (let start = 0; start < n; start += group) {
    for (let i = 0; i < 4; i++) {
      const at = start + i * unit;
      sums[i] = unit === 1 ? a[at]! : rounded(a[at]! + a[at + 1]!);
    }
    for (let i = 0; i < 4; i++) {
      let larger = 0;
      // Of a pair the later wins unless it is smaller, so that each of two is larger than the other never and a NaN keeps no third.
      for (let j = 0; j < 4; j++) if (j > i ? sums[j]! >= sums[i]! : j < i && !(sums[i]! >= sums[j]!)) larger++;
      out.fill(larger < 2 ? 1 : 0, start + i * unit, start + (i + 1) * unit);
    }
  }
}
