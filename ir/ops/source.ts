// Values that come from nowhere else: state at entry, constants, positions.
import { floats as floatList, int, resultType, text } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { dimsEqual, productOf } from "../dim.ts";
import type { Entry, Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { allocate, denseTensor, splatTensor } from "../tensor.ts";
import { isFloat, printType, shapeOf, type Type } from "../type.ts";
import { numbers, requireAxis, requireScalar } from "./checks.ts";

export const stateRead = signature({
  name: "state.read",
  summary: "The value that a state tensor has when the entry starts.",
  operands: [],
  attrs: { name: text, type: resultType },
});
export const stateReadOp = define(stateRead, {
  infer: (_operands, { type }) => type,
  evaluate: (_operands, { name }) => {
    throw new Error(`state.read of ${name} outside an entry: the interpreter serves it`);
  },
  vjp: () => [],
  lower: { kind: "source" },
});

export const constant = signature({
  name: "constant",
  summary: "Given numbers in row-major order; a single one fills the whole tensor.",
  operands: [],
  attrs: { values: floatList, type: resultType },
});
export const constantOp = define(constant, {
  infer(_operands, { values, type }) {
    if (type.kind === "codes") return reject(`\`constant\` makes no codes, got ${printType(type)}`);
    const fits = values.length === 1 || dimsEqual(productOf(type.dims), values.length);
    if (!fits) return reject(`${values.length} values for a constant of type ${printType(type)}`);
    if (!isFloat(type.scalar) && !values.every(Number.isInteger))
      return reject(`a constant of type ${printType(type)} takes whole numbers`);
    return type;
  },
  evaluate(_operands, { values }, [type]) {
    const shape = shapeOf(type);
    const data = allocate(type, values.length, "wide");
    data.set(values);
    return values.length === 1 ? splatTensor(shape, data) : denseTensor(shape, data);
  },
  vjp: () => [],
  lower: { kind: "source" },
});

export const iota = signature({
  name: "iota",
  summary: "The position of each element along one axis, from 0.",
  operands: [],
  attrs: { axis: int, type: resultType },
});
export const iotaOp = define(iota, {
  infer(_operands, { axis, type }) {
    requireScalar("iota", "type", type, numbers);
    requireAxis("iota", type, axis);
    return type;
  },
  evaluate(_operands, { axis }, [type]) {
    const shape = shapeOf(type);
    const size = shape[axis] ?? 0;
    const data = allocate(type, size, "wide");
    for (let i = 0; i < size; i++) data[i] = i;
    return { shape, data, strides: shape.map((_, a) => (a === axis ? 1 : 0)), offset: 0 };
  },
  vjp: () => [],
  lower: { kind: "source" },
});

/** A tensor of `type` with one value everywhere. */
export const splat = (b: Builder, type: Type, value: number): Value =>
  b.emit(constant, [], { values: [value], type }, { hint: value === 0 ? "zero" : "c" });

/** Zeros of a value's own type. */
export const zerosLike = (b: Builder, like: Value): Value => splat(b, like.type, 0);

/** Names of the state that an entry reads or replaces. */
export const statesUsedBy = ({ instructions, updates }: Entry): readonly string[] => [
  ...instructions.flatMap(({ op, attrs }) => (op.signature.name === stateRead.name ? [String(attrs["name"])] : [])),
  ...updates.map(({ state }) => state),
];
