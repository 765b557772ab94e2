// The reference semantics of one op on tensors: from its own rule, or from how it lowers.
import type { Attributes } from "./attribute.ts";
import { axisNames, coordinateLeaves } from "./coordinates.ts";
import { evaluateScalars } from "./evaluate-scalar.ts";
import { isNarrow, narrowed } from "./narrow.ts";
import type { Op } from "./op.ts";
import { input, scalarTypeOf, variable } from "./scalar.ts";
import { allocate, contiguous, copyRange, denseTensor, type Precision, type Tensor, type TensorData } from "./tensor.ts";
import { elementCount, isFloat, printType, shapeOf, type Type } from "./type.ts";

/** A tensor and the type, dims bound, that it has in the IR. */
export interface TypedTensor {
  readonly tensor: Tensor;
  readonly type: Type;
}

/** The results of an op that is not a composite, rounded to the precision. `results` are the types that `infer` gives. */
export function evaluateOp(
  op: Op,
  operands: readonly TypedTensor[],
  attrs: Attributes,
  results: readonly Type[],
  precision: Precision,
): readonly Tensor[] {
  const tensors = operands.map((o) => o.tensor);
  const out =
    op.evaluate === "from lower"
      ? evaluateFromLower(op, operands, attrs, results, precision)
      : op.evaluate(
          tensors,
          attrs,
          results,
          operands.map((o) => o.type),
        );
  return results.map((type, i) => {
    const tensor = out[i];
    if (tensor === undefined) throw new Error(`${op.signature.name} answers ${out.length} results`);
    return stored(tensor, type, precision);
  });
}

function evaluateFromLower(
  op: Op,
  operands: readonly TypedTensor[],
  attrs: Attributes,
  results: readonly Type[],
  precision: Precision,
): readonly Tensor[] {
  const { lower } = op;
  const [result] = results;
  if (result === undefined) return [];
  const shape = shapeOf(result);
  if (lower.kind === "pointwise") {
    const types = operands.map((o) => o.type);
    const roots: readonly ReturnType<typeof input>[] = lower.body(
      types.map((type, i) => input(i, scalarTypeOf(type))),
      attrs,
      {
        operands: types,
        results: results as readonly [Type, Type],
      },
    );
    const inputs = operands.map(({ tensor }) => elementReader(spreadOver(tensor, shape)));
    return evaluateScalars(roots, elementCount(shape), precision, { inputs }).map((data) => denseTensor(shape, data));
  }
  if (lower.kind === "view") {
    const [operand] = operands;
    if (operand === undefined) throw new Error(`${op.signature.name} views nothing`);
    const names = axisNames("c", shape);
    const coordinates = names.map((name, axis) => variable(name, shape[axis] ?? 1));
    const place = lower.index(coordinates, attrs, operand.tensor.shape, shape);
    const roots = place.inside === undefined ? place.coordinates : [...place.coordinates, place.inside];
    const at = evaluateScalars(roots, elementCount(shape), precision, { variables: coordinateLeaves(names, shape) });
    const inside = place.inside === undefined ? undefined : at.at(-1);
    return [denseTensor(shape, elementsAt(operand.tensor, at.slice(0, place.coordinates.length), inside, result))];
  }
  throw new Error(`${op.signature.name} has no semantics of its own`);
}

/** One value for all, or a reader of consecutive elements. */
function elementReader(tensor: Tensor): TensorData | ((start: number, into: TensorData) => void) {
  if (tensor.strides.every((stride) => stride === 0)) return tensor.data.subarray(tensor.offset, tensor.offset + 1);
  return (start, into) => copyRange(tensor, start, into);
}

/**
 * A pointwise op's operand as a view with the result's elements in row-major order (see `operandCoordinates` in ops/pointwise.ts):
 * an axis that serves several elements with each of its own becomes two, the second without a stride.
 */
function spreadOver(tensor: Tensor, shape: readonly number[]): Tensor {
  if (tensor.shape.length === 0) return { ...tensor, shape, strides: shape.map(() => 0) };
  if (tensor.shape.every((size, axis) => size === shape[axis])) return tensor;
  const axes = tensor.shape.flatMap((size, axis) => {
    const own = { size, stride: tensor.strides[axis] ?? 0 };
    const served = (shape[axis] ?? 0) / size;
    return served === 1 ? [own] : [own, { size: served, stride: 0 }];
  });
  return { ...tensor, shape: axes.map((a) => a.size), strides: axes.map((a) => a.stride) };
}

function elementsAt(tensor: Tensor, coordinates: readonly TensorData[], inside: TensorData | undefined, type: Type): TensorData {
  const count = elementCount(shapeOf(type));
  const out = allocate(type, count, tensor.data instanceof Float64Array ? "wide" : "f32");
  for (let i = 0; i < count; i++) {
    if (inside?.[i] === 0) continue;
    let at = tensor.offset;
    for (const [axis, coordinate] of coordinates.entries()) at += (coordinate[i] ?? 0) * (tensor.strides[axis] ?? 0);
    out[i] = tensor.data[at] ?? 0;
  }
  return out;
}

/** A tensor in the storage that its type has in a precision. Throws where it does not have its type's shape: that is a bug of the op. */
export function stored(tensor: Tensor, type: Type, precision: Precision): Tensor {
  const shape = shapeOf(type);
  if (tensor.shape.length !== shape.length || shape.some((size, axis) => size !== tensor.shape[axis])) {
    throw new Error(`a tensor of shape [${tensor.shape.join(", ")}] for ${printType(type)}`);
  }
  const sample = allocate(type, 0, precision);
  const narrow =
    type.kind === "tensor" && isNarrow(type.scalar) && (precision === "f32" || !isFloat(type.scalar)) ? type.scalar : undefined;
  if (narrow !== undefined) {
    const data = allocate(type, elementCount(shape), precision);
    data.set(contiguous(tensor).map((x) => narrowed(x, narrow)));
    return denseTensor(shape, data);
  }
  if (tensor.data.constructor === sample.constructor) return tensor;
  const data = allocate(type, tensor.data.length, precision);
  data.set(tensor.data);
  return { ...tensor, data };
}
