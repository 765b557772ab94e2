// Scalar expressions of a kernel: an element of any value, with everything that the kernel computes itself inlined and
// everything else loaded from a binding.
import type { Instruction, Value } from "../ir/module.ts";
import { operandCoordinates } from "../ir/ops/pointwise.ts";
import { storageOf } from "../ir/packing.ts";
import type { BindingUse, Store } from "../ir/plan.ts";
import {
  binary,
  cast,
  childrenOf,
  constant,
  input,
  load,
  plus,
  type ScalarExpr,
  scalarTypeOf,
  select,
  times,
  uint,
  unary,
  variable,
} from "../ir/scalar.ts";
import { simplify } from "../ir/simplify.ts";
import { shapeOf, type Type } from "../ir/type.ts";
import { isInlineSource } from "./grouping.ts";
import { type BufferPlace, placeOfRows, samePart } from "./row-places.ts";

/** Coordinates of an element, one u32 expression per axis. */
export type Coordinates = readonly ScalarExpr[];

/** Row-major position of coordinates. */
function linearIndex(coordinates: Coordinates, shape: readonly number[]): ScalarExpr {
  let index = uint(0);
  for (const [axis, coordinate] of coordinates.entries()) index = plus(times(index, uint(shape[axis] ?? 1)), coordinate);
  return simplify(index);
}

/** Coordinates over `shape` of a row-major position; the position itself where the shape has one axis. */
export function coordinatesOf(position: ScalarExpr, shape: readonly number[]): Coordinates {
  let stride = 1;
  const coordinates: ScalarExpr[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    coordinates.unshift(simplify(binary("rem", binary("div", position, uint(stride)), uint(size))));
    stride *= size;
  }
  return coordinates;
}

/** One variable an axis; along an axis of size 1 there is only 0. */
export const axisVariables = (prefix: string, shape: readonly number[]): Coordinates =>
  shape.map((n, i) => (n === 1 ? uint(0) : variable(`${prefix}${i}`, n)));

interface ScopeInput {
  readonly members: readonly Instruction[];
  readonly producer: (value: Value) => Instruction | undefined;
  readonly placeOf: (value: Value) => BufferPlace;
  /** Whether the kernel needs a result of one of its members: stores it, or reads it in another member. */
  readonly isNeeded: (value: Value) => boolean;
  /** All tensors of the kernel have one shape and are dense: elements are addressed by their position, `coordinates[0]`. */
  readonly flat?: boolean;
}

export class KernelScope {
  readonly bindings: BindingUse[] = [];
  readonly #input: ScopeInput;
  readonly #members: ReadonlySet<Instruction>;
  readonly #given = new Map<Value, ScalarExpr>();
  readonly #known = new Map<Value, { readonly at: Coordinates; readonly expr: ScalarExpr }[]>();

  constructor(input: ScopeInput) {
    this.#input = input;
    this.#members = new Set(input.members);
  }

  /** Say what a value is in this kernel: an accumulator or a transformed element. It is then never loaded. */
  give(value: Value, expr: ScalarExpr): void {
    const isHalf = value.type.kind === "tensor" && value.type.scalar === "f16";
    this.#given.set(value, isHalf ? wrapped(expr, value.type) : expr);
  }

  placeOf(value: Value): BufferPlace {
    return this.#input.placeOf(value);
  }

  binding({ buffer, part }: Pick<BufferPlace, "buffer" | "part">, access: "read" | "write"): number {
    const at = this.bindings.findIndex((b) => b.buffer === buffer && samePart(b.part, part));
    const known = this.bindings[at];
    if (known === undefined) return this.bindings.push({ buffer, ...(part === undefined ? {} : { part }), access }) - 1;
    if (known.access !== access) this.bindings[at] = { ...known, access: "update" };
    return at;
  }

  element(value: Value, at: Coordinates): ScalarExpr {
    const given = this.#given.get(value);
    if (given !== undefined) return given;
    const known = this.#known.get(value)?.find((k) => sameCoordinates(k.at, at));
    if (known !== undefined) return known.expr;
    const producer = this.#input.producer(value);
    const expr =
      producer !== undefined && isInlineSource(producer) ? inlineSource(producer, value, at) : this.#compute(producer, value, at);
    this.#remember(value, at, expr);
    return expr;
  }

  /** Where and what to store for a value that this kernel computes. */
  store(value: Value, at: Coordinates): Store {
    const place = this.#input.placeOf(value);
    const { row, column } = this.#address(value.type, at, place.element);
    return { storage: storageOf(value.type), row, column, value: this.element(value, at), binding: this.binding(place, "write") };
  }

  /** As {@link store}, where only a part of the value's elements is stored and the others stay as they are. */
  storeWithin(value: Value, at: Coordinates): Store {
    this.binding(this.#input.placeOf(value), "read");
    return this.store(value, at);
  }

  #remember(value: Value, at: Coordinates, expr: ScalarExpr): void {
    const list = this.#known.get(value);
    if (list === undefined) this.#known.set(value, [{ at, expr }]);
    else list.push({ at, expr });
  }

  #compute(producer: Instruction | undefined, value: Value, at: Coordinates): ScalarExpr {
    if (producer === undefined || !this.#members.has(producer)) return this.#load(value, at);
    const { lower } = producer.op;
    if (lower.kind === "view") return this.#throughView(producer, at);
    if (lower.kind === "kernel" && lower.family === "gather") return this.#gather(producer, at);
    if (lower.kind !== "pointwise") throw new Error(`${producer.op.signature.name} is read at another element than its kernel's own`);
    const isRead = this.#operandsRead(producer);
    const inputs = producer.operands.map((o, i) => {
      // Not even a binding for what only a result takes that nobody needs.
      if (!isRead(i)) return constant(scalarTypeOf(o.type), 0);
      return this.element(o, this.#flat(o) ? at : operandCoordinates(at, shapeOf(o.type), shapeOf(value.type)).map((c) => simplify(c)));
    });
    const types = { operands: producer.operands.map((o) => o.type), results: producer.results.map((r) => r.type) };
    const bodies = (lower.body(inputs, producer.attrs as never, types as never) as readonly ScalarExpr[]).map((body, i) =>
      wrapped(body, types.results[i]),
    );
    let own: ScalarExpr | undefined;
    for (const [i, result] of producer.results.entries()) {
      const body = bodies[i];
      if (body === undefined) throw new Error(`${producer.op.signature.name} has no body for result ${i}`);
      if (result === value) own = body;
      else this.#remember(result, at, body);
    }
    if (own === undefined) throw new Error("a value is not among its producer's results");
    return own;
  }

  /** Which operands the needed results of a pointwise instruction take. */
  #operandsRead({ op: { lower }, operands, results, attrs }: Instruction): (operand: number) => boolean {
    if (results.length === 1 || results.every((r) => this.#input.isNeeded(r)) || lower.kind !== "pointwise") return () => true;
    const types = { operands: operands.map((o) => o.type), results: results.map((r) => r.type) };
    const placeholders = operands.map((o, i) => input(i, scalarTypeOf(o.type)));
    const bodies: readonly ScalarExpr[] = lower.body(placeholders, attrs as never, types as never);
    const found = new Set<ScalarExpr>();
    const visit = (e: ScalarExpr): void => {
      if (found.has(e)) return;
      found.add(e);
      for (const child of childrenOf(e)) visit(child);
    };
    for (const [i, result] of results.entries()) if (bodies[i] !== undefined && this.#input.isNeeded(result)) visit(bodies[i]);
    return (operand) => placeholders[operand] !== undefined && found.has(placeholders[operand]);
  }

  #flat(operand: Value): boolean {
    return this.#input.flat === true && operand.type.dims.length > 0;
  }

  #throughView(producer: Instruction, at: Coordinates): ScalarExpr {
    const [operand] = producer.operands;
    const [result] = producer.results;
    const { lower } = producer.op;
    if (operand === undefined || result === undefined || lower.kind !== "view") throw new Error("not a view");
    const rows = placeOfRows(producer, { ...this.#input, isInside: (i) => this.#members.has(i) });
    if (rows !== undefined) return this.#loadFrom(rows, result.type, at);
    const { coordinates, inside } = lower.index(at, producer.attrs as never, shapeOf(operand.type), shapeOf(result.type));
    const expr = this.element(
      operand,
      coordinates.map((c) => simplify(c)),
    );
    return inside === undefined ? expr : select(simplify(inside), expr, constant(expr.type, 0));
  }

  /** table[ids[c0..], ...], zero for ids outside the table: the index is clamped into it, so that a wrong id cannot read elsewhere. */
  #gather(producer: Instruction, at: Coordinates): ScalarExpr {
    const [table, ids] = producer.operands;
    if (table === undefined || ids === undefined) throw new Error("gather takes a table and ids");
    const rank = ids.type.dims.length;
    const id = cast("i32", this.element(ids, at.slice(0, rank)));
    const [rows = 1] = shapeOf(table.type);
    const inside = binary("and", binary("ge", id, constant("i32", 0)), binary("lt", id, constant("i32", rows)));
    const clamped = binary("min", binary("max", id, constant("i32", 0)), constant("i32", rows - 1));
    const row = this.element(table, [cast("u32", clamped), ...at.slice(rank)]);
    return select(inside, row, constant(row.type, 0));
  }

  #load(value: Value, at: Coordinates): ScalarExpr {
    return this.#loadFrom(this.#input.placeOf(value), value.type, at);
  }

  #loadFrom(place: BufferPlace, type: Type, at: Coordinates): ScalarExpr {
    const { row, column } = this.#address(type, at, place.element);
    return load(scalarTypeOf(type), this.binding(place, "read"), storageOf(type), column, row);
  }

  #address(type: Type, at: Coordinates, element: number): { readonly row: ScalarExpr; readonly column: ScalarExpr } {
    const shape = shapeOf(type);
    if (storageOf(type).kind === "packed") {
      const column = at.at(-1) ?? uint(0);
      return { row: linearIndex(at.slice(0, -1), shape.slice(0, -1)), column };
    }
    const column = this.#input.flat === true && shape.length > 0 ? (at[0] ?? uint(0)) : linearIndex(at, shape);
    return { row: uint(0), column: element === 0 ? column : simplify(plus(column, uint(element))) };
  }
}

/** A number as its narrow type holds it: what is computed in 32 bits and never stored must wrap or round all the same. */
function wrapped(e: ScalarExpr, type: Type | undefined): ScalarExpr {
  if (type?.kind !== "tensor") return e;
  if (type.scalar === "f16") return unary("to_f16", e);
  if (type.scalar === "u8") return binary("and", e, uint(255));
  return type.scalar === "i8" ? binary("shr", binary("shl", e, uint(24)), uint(24)) : e;
}

const sameCoordinates = (a: Coordinates, b: Coordinates): boolean => a.length === b.length && a.every((c, i) => c === b[i]);

function inlineSource(producer: Instruction, value: Value, at: Coordinates): ScalarExpr {
  const type = scalarTypeOf(value.type);
  if (producer.op.signature.name === "iota") {
    const axis = producer.attrs["axis"] as number;
    return cast(type, at[axis] ?? uint(0));
  }
  const [only = 0] = producer.attrs["values"] as readonly number[];
  return constant(type, only);
}
