// Draws random instructions over the values that there are so far: every op of the table, in every place where fusion and planning must
// take care.
import { Rejection } from "../../ir/diagnostic.ts";
import type { Value } from "../../ir/module.ts";
import { newBuilder, opNamed } from "../../ir/ops/table.ts";
import { elementCount, shapeOf, type Type, tensor, typesEqual } from "../../ir/type.ts";
import type { Tape } from "../text/random-module.ts";

type Attributes = Readonly<Record<string, unknown>>;
type Emit = (op: string, operands: readonly Value[], attrs?: Attributes) => void;

export const shapes: readonly (readonly number[])[] = [
  [],
  [1],
  [3],
  [4],
  [5],
  [8],
  [33],
  [1, 1],
  [3, 4],
  [4, 3],
  [4, 4],
  [1, 8],
  [8, 1],
  [5, 7],
  [3, 33],
  [2, 132],
  [2, 3, 4],
  [3, 1, 5],
  [2, 4, 4],
  [2, 2, 3, 4],
];
const mostElements = 2048;

const exactUnary = ["neg", "abs", "relu", "round", "floor"];
const otherUnary = ["exp", "log", "sqrt", "rsqrt", "sigmoid", "silu", "tanh"];
const comparisons = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"];

export const isScalar = (value: Value, ...scalars: readonly string[]): boolean =>
  value.type.kind === "tensor" && scalars.includes(value.type.scalar);
export const rankOf = (value: Value): number => value.type.dims.length;

/** Draws instructions over the values that there are so far. */
export class Drawing {
  readonly builder = newBuilder();
  readonly values: Value[];
  readonly #tape: Tape;
  readonly #exact: boolean;

  constructor(tape: Tape, values: readonly Value[], exact: boolean) {
    this.#tape = tape;
    this.values = [...values];
    this.#exact = exact;
  }

  readonly emit: Emit = (op, operands, attrs = {}) => {
    const before = this.builder.instructions.length;
    try {
      const results = this.builder.emitOp(opNamed(op), operands, attrs, { hint: op.replace(/^.*\./, "") });
      if (results.some((r) => elementCount(shapeOf(r.type)) > mostElements)) this.builder.instructions.length = before;
      else this.values.push(...results);
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem;
    }
  };

  /** More often one of the last: long chains are where fusion has choices. */
  #any(wanted: (value: Value) => boolean): Value | undefined {
    const fitting = this.values.filter(wanted);
    if (fitting.length === 0) return undefined;
    return this.#tape.pick(this.#tape.below(3) === 0 ? fitting : fitting.slice(-4));
  }

  /** The values behind most instructions, deepest first. */
  deepest(): readonly Value[] {
    const behind = new Map<Value, ReadonlySet<object>>(this.values.map((v) => [v, new Set()]));
    for (const instruction of this.builder.instructions) {
      const all = new Set<object>([instruction, ...instruction.operands.flatMap((o) => [...(behind.get(o) ?? [])])]);
      for (const result of instruction.results) behind.set(result, all);
    }
    return [...this.values].sort((a, b) => (behind.get(b)?.size ?? 0) - (behind.get(a)?.size ?? 0));
  }

  #like(value: Value): Value {
    return this.#any((v) => typesEqual(v.type, value.type)) ?? value;
  }

  #axes(value: Value): readonly number[] {
    return value.type.dims.map((_, axis) => axis).filter(() => this.#tape.below(2) === 0);
  }

  #shuffled(list: readonly number[]): readonly number[] {
    const rest = [...list];
    return list.map(() => rest.splice(this.#tape.below(rest.length), 1)[0] ?? 0);
  }

  /** Try to add an instruction of some kind; nothing happens where no value fits. */
  step(): void {
    const kinds = [
      this.#unary,
      this.#binary,
      this.#binary,
      this.#compare,
      this.#choose,
      this.#cast,
      this.#view,
      this.#view,
      this.#index,
      this.#write,
      this.#reduce,
      this.#reduce,
      this.#dot,
      this.#dot,
      this.#source,
      this.#rows,
      this.#quantize,
      this.#composite,
    ];
    this.#tape.pick(kinds).call(this);
  }

  #unary(): void {
    const x = this.#any((v) => isScalar(v, "f32"));
    if (x === undefined) return;
    if (this.#tape.below(6) === 0) this.emit("clamp", [x], { low: -1, high: this.#tape.pick([0.5, 2]) });
    else this.emit(this.#tape.pick(this.#exact ? exactUnary : [...exactUnary, ...otherUnary]), [x]);
  }

  #binary(): void {
    const x = this.#any((v) => isScalar(v, "f32", "i32", "u32", "i8", "u8"));
    if (x === undefined) return;
    const y = this.#like(x);
    const more = [...(this.#exact ? [] : ["div"]), ...(isScalar(x, "i32", "u32") ? ["rem"] : [])];
    this.emit(this.#tape.pick(["add", "sub", "mul", "minimum", "maximum", ...more]), [x, y]);
  }

  #compare(): void {
    const x = this.#any((v) => isScalar(v, "f32", "i32", "u32", "i8", "bool"));
    if (x === undefined) return;
    if (isScalar(x, "bool")) this.emit(this.#tape.pick(["logical_and", "logical_or", "equal"]), [x, this.#like(x)]);
    else if (isScalar(x, "f32") && this.#tape.below(5) === 0) this.emit("is_finite", [x]);
    else this.emit(this.#tape.pick(comparisons), [x, this.#like(x)]);
  }

  #choose(): void {
    const condition = this.#any((v) => isScalar(v, "bool", "b1"));
    if (condition === undefined) return;
    if (this.#tape.below(4) === 0) this.emit("logical_not", [condition]);
    const yes = this.#any((v) => v.type.kind === "tensor" && shapeText(v) === shapeText(condition));
    if (yes !== undefined) this.emit("select", [condition, yes, this.#like(yes)]);
  }

  #cast(): void {
    const x = this.#any((v) => v.type.kind === "tensor");
    if (x !== undefined) this.emit("cast", [x], { to: this.#tape.pick(["f32", "f32", "i32", "u32", "bool", "b1", "i8", "u8"]) });
  }

  #view(): void {
    const x = this.#any(() => true);
    if (x === undefined) return;
    const dims = shapeOf(x.type);
    const axis = dims.length === 0 ? 0 : this.#tape.below(dims.length);
    const size = dims[axis] ?? 1;
    switch (this.#tape.below(5)) {
      case 0: {
        const same = shapes.filter((s) => elementCount(s) === elementCount(dims));
        return this.emit("reshape", [x], { type: { ...x.type, dims: this.#tape.pick([...same, [elementCount(dims)]]) } });
      }
      case 1:
        return this.emit("transpose", [x], { permutation: this.#shuffled(dims.map((_, i) => i)) });
      case 2: {
        const grown = [
          ...(this.#tape.below(2) === 0 ? [] : [this.#tape.pick([2, 3, 5])]),
          ...dims.map((d) => (d === 1 ? this.#tape.pick([1, 4, 6]) : d)),
        ];
        return this.emit("broadcast", [x], { type: { ...x.type, dims: grown } });
      }
      case 3: {
        const start = this.#tape.below(size);
        return this.emit("slice", [x], { axis, start, size: 1 + this.#tape.below(size - start) });
      }
      default:
        return this.emit("pad", [x], { axis, before: this.#tape.below(3), after: this.#tape.below(4) });
    }
  }

  #index(): void {
    const ids = this.#any((v) => isScalar(v, "i32") && elementCount(shapeOf(v.type)) <= 40);
    const table = this.#any((v) => isScalar(v, "f32") && rankOf(v) > 0);
    if (ids === undefined || table === undefined) return;
    if (this.#tape.below(2) === 0) return this.emit("gather", [table, ids]);
    const rank = rankOf(ids);
    const x = this.#any(
      (v) =>
        isScalar(v, "f32") &&
        rankOf(v) >= rank &&
        shapeText({ ...v, type: { ...v.type, dims: v.type.dims.slice(0, rank) } }) === shapeText(ids),
    );
    // As a contraction it carries what is not finite to every row: only where all is finite.
    if (x !== undefined && this.#exact) this.emit("scatter_add", [x, ids], { size: this.#tape.pick([1, 3, 4, 7]) });
  }

  /** A piece of a value at another place of it, or of anything of the right shape. */
  #write(): void {
    const first = this.#any((v) => isScalar(v, "i32") && rankOf(v) === 0);
    const cache = this.#any((v) => isScalar(v, "f32", "i32") && rankOf(v) > 0);
    if (first === undefined || cache === undefined) return;
    const axis = this.#tape.below(rankOf(cache));
    const others = (v: Value) => `${v.type.kind === "tensor" ? v.type.scalar : ""} ${v.type.dims.toSpliced(axis, 1)} ${rankOf(v)}`;
    const fresh = this.#any((v) => v.type.kind === "tensor" && others(v) === others(cache));
    if (fresh !== undefined) this.emit("cache_write", [cache, fresh, first], { axis });
  }

  #reduce(): void {
    const x = this.#any((v) => isScalar(v, "f32", "i32", "u32", "i8", "u8"));
    if (x === undefined) return;
    if (rankOf(x) > 0 && this.#tape.below(4) === 0) this.emit("argmax", [x], { axis: this.#tape.below(rankOf(x)) });
    else this.emit(this.#tape.pick(["sum", "sum", "max", "min"]), [x], { axes: this.#axes(x) });
  }

  /** Any pairs of axes of equal size, contracted or batch, in any order; none at all is an outer product. */
  #dot(): void {
    const lhs = this.#any((v) => isScalar(v, "f32"));
    const rhs = this.#any((v) => isScalar(v, "f32"));
    if (lhs === undefined || rhs === undefined) return;
    const contract: [number[], number[]] = [[], []];
    const batch: [number[], number[]] = [[], []];
    const free = new Set(rhs.type.dims.map((_, axis) => axis));
    for (const axis of this.#shuffled(lhs.type.dims.map((_, a) => a))) {
      const partner = this.#shuffled([...free]).find((other) => rhs.type.dims[other] === lhs.type.dims[axis]);
      const role = this.#tape.below(5);
      if (partner === undefined || role === 0) continue;
      free.delete(partner);
      const into = role === 1 ? batch : contract;
      into[0].push(axis);
      into[1].push(partner);
    }
    this.emit("dot", [lhs, rhs], { contract, batch });
  }

  #source(): void {
    const dims = this.#tape.pick(shapes);
    const scalar = this.#tape.pick(["f32", "f32", "i32", "bool"] as const);
    const type = tensor(scalar, dims);
    const number = () => (scalar === "bool" ? this.#tape.below(2) : this.#tape.pick(scalar === "f32" ? floats : wholes));
    if (scalar !== "bool" && dims.length > 0 && this.#tape.below(3) === 0)
      this.emit("iota", [], { axis: this.#tape.below(dims.length), type });
    else if (this.#tape.below(2) === 0) this.emit("constant", [], { values: [number()], type });
    else this.emit("constant", [], { values: Array.from({ length: elementCount(dims) }, number), type });
  }

  #rows(): void {
    const x = this.#any((v) => isScalar(v, "f32") && rankOf(v) > 0);
    if (x === undefined) return;
    const axis = this.#tape.below(3) === 0 ? this.#tape.below(rankOf(x)) : rankOf(x) - 1;
    const size = shapeOf(x.type)[axis] ?? 1;
    const blocks = (this.#exact ? [1, 4, 16] : [1, 2, 4, 8, 16, 32, 64]).filter((b) => size % b === 0);
    this.emit("hadamard", [x], { axis, block: this.#tape.pick(blocks) });
  }

  #quantize(): void {
    const code = this.#any((v) => v.type.kind === "codes" && (v.type.grid === "half" || v.type.grid === "integer"));
    if (code !== undefined && this.#tape.below(2) === 0) {
      const s = this.#any((v) => isScalar(v, "f32") && isScaleOf(v.type, code.type));
      if (s !== undefined) this.emit("quant.decode", [code, s]);
    }
    if (this.#exact) return;
    const x = this.#any((v) => isScalar(v, "f32") && rankOf(v) > 0);
    if (x === undefined) return;
    const columns = shapeOf(x.type).at(-1) ?? 1;
    const bits = 1 + this.#tape.below(8);
    const group = this.#tape.pick<number | "row">(["row", "row", ...[1, 4, 11, 32].filter((g) => columns % g === 0)]);
    const before = this.values.length;
    this.emit("quant.scale", [x], { scheme: "quest", bits, group });
    const s = this.values[before];
    if (s === undefined) return;
    const outer = this.#tape.pick<number | "trust">(["trust", 1.3]);
    if (this.#tape.below(2) === 0) this.emit("quant.fake", [x, s], { scheme: "quest", bits, outer });
    if (this.#tape.below(3) === 0) this.emit("quant.mask", [x, s], { scheme: "quest", bits, outer });
    if (this.#tape.below(3) === 0) this.emit("quant.encode", [x, s], { scheme: "quest", bits });
  }

  #composite(): void {
    const x = this.#any((v) => isScalar(v, "f32") && rankOf(v) > 0);
    if (x === undefined || this.#exact) return;
    const axis = this.#tape.below(rankOf(x));
    const labels = this.#any((v) => isScalar(v, "i32") && shapeText(v) === x.type.dims.slice(0, -1).join());
    switch (this.#tape.below(labels === undefined ? 4 : 5)) {
      case 0:
        return this.emit("softmax", [x], { axis });
      case 1:
        return this.emit("log_softmax", [x], { axis });
      case 2:
        return this.emit("mean", [x], { axes: this.#axes(x) });
      case 3:
        return this.emit("mse", [x, this.#like(x)]);
      default:
        return labels === undefined ? undefined : this.emit("cross_entropy", [x, labels]);
    }
  }
}

const shapeText = (value: Value): string => value.type.dims.join();

function isScaleOf(scale: Type, of: Type): boolean {
  const [s, x] = [shapeOf(scale), shapeOf(of)];
  return s.length === x.length && s.every((size, axis) => (axis === s.length - 1 ? (x[axis] ?? 0) % size === 0 : size === x[axis]));
}

/** Numbers of small tensors: sums and products of a few are exact in f32. */
export const floats = [-2, -1.5, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2, 3];
export const wholes = [-2, -1, 0, 1, 2, 3, 5];
