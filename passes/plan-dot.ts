// Contractions as problems (ir/plan.ts): of floats, of codes, and a gather's transpose.
import type { AttributesOf } from "../ir/attribute.ts";
import type { Instruction, Value } from "../ir/module.ts";
import { isInteger, type quantDot } from "../ir/ops/quant-dot.ts";
import type { DotProblem } from "../ir/plan.ts";
import { decodeCode, type GridOfCodes, type IntegerLevels, integerLevels } from "../ir/quant/grid.ts";
import { binary, cast, float, input, int, plus, type ScalarExpr, times, uint, variable } from "../ir/scalar.ts";
import { simplify } from "../ir/simplify.ts";
import { elementCount, shapeOf } from "../ir/type.ts";
import { axisVariables, type Coordinates, coordinatesOf, type KernelScope } from "./kernel-scope.ts";
import type { Kernel } from "./plan-problems.ts";

type AxisPair = readonly [readonly number[], readonly number[]];

/**
 * out[row, ..] = sum over ids of x where ids == row: a gather's transpose as a contraction with rows of zeros and ones, made where they
 * are loaded. In fixed order, without atomics, with no kernel of its own. What is not finite reaches every row (0 times NaN is NaN)
 * and not its own alone: a step with such a gradient changes nothing either way.
 */
export function scatterProblem(kernel: Kernel, anchor: Instruction, scope: KernelScope): DotProblem {
  const [x, ids] = anchor.operands;
  const [result] = anchor.results;
  if (x === undefined || ids === undefined || result === undefined) throw new Error("scatter_add takes x and ids");
  const [m = 1, ...rest] = shapeOf(result.type);
  const idShape = shapeOf(ids.type);
  const [n, k] = [elementCount(rest), elementCount(idShape)];
  const hit = binary("eq", cast("i32", scope.element(ids, coordinatesOf(variable("column", k), idShape))), cast("i32", variable("row", m)));
  const a = { contracted: "column" as const, element: cast("f32", hit) };
  const at = [...coordinatesOf(variable("row", k), idShape), ...coordinatesOf(variable("column", n), rest)];
  const b = { contracted: "row" as const, element: scope.element(x, at) };
  scope.give(result, input(0, "f32"));
  const place: Coordinates = [variable("m", m), ...coordinatesOf(variable("n", n), rest)];
  return { kind: "dot", batch: [], m, n, k, a, b, stores: kernel.stored.map((v) => scope.store(v, place)) };
}

export function dotProblem(kernel: Kernel, anchor: Instruction, scope: KernelScope): DotProblem {
  const [lhs, rhs] = anchor.operands;
  const [result] = anchor.results;
  if (lhs === undefined || rhs === undefined || result === undefined) throw new Error("dot takes two operands");
  const contraction = new Contraction(lhs, rhs, anchor.attrs as { contract: AxisPair; batch: AxisPair });
  const elements = contraction.sides.map((side) => scope.element(side.value, contraction.operandAt(side)));
  scope.give(result, input(0, "f32"));
  return contraction.problem(elements, kernel, scope);
}

/** Of codes: levels as integers, or as floats without their scale; either way a sum is scaled once. */
export function quantDotProblem(kernel: Kernel, anchor: Instruction, scope: KernelScope): DotProblem {
  const [lhs, lhsScale, rhs, rhsScale] = anchor.operands;
  const [result] = anchor.results;
  if (lhs === undefined || lhsScale === undefined || rhs === undefined || rhsScale === undefined || result === undefined)
    throw new Error("quant.dot takes codes and scales of two sides");
  const { arithmetic, ...axes } = anchor.attrs as AttributesOf<typeof quantDot.attrs>;
  const contraction = new Contraction(lhs, rhs, axes);
  const onIntegers = isInteger(arithmetic);
  const elements = contraction.sides.map((side) => {
    const code = scope.element(side.value, contraction.operandAt(side));
    return onIntegers ? integerLevel(side.value, code) : simplify(decodeCode(gridOf(side.value), code, float(1)));
  });
  const unit = onIntegers ? unitOf(lhs) * unitOf(rhs) : 1;
  const [left, right] = contraction.sides;
  const scaled = [left, right].map((side) => scope.element(side === left ? lhsScale : rhsScale, contraction.rowAt(side)));
  const sum = onIntegers ? cast("f32", input(0, "i32")) : input(0, "f32");
  scope.give(
    result,
    scaled.reduce((product, scale) => times(product, scale), unit === 1 ? sum : times(sum, float(unit))),
  );
  return contraction.problem(elements, kernel, scope);
}

function gridOf({ type }: Value): GridOfCodes {
  if (type.kind !== "codes") throw new Error("quant.dot of what are no codes");
  return type;
}

function levelsOf(value: Value): IntegerLevels {
  const { grid } = gridOf(value);
  const levels = integerLevels(grid);
  if (levels === undefined) throw new Error(`no integer levels on grid ${grid}`);
  return levels;
}

const unitOf = (value: Value): number => levelsOf(value).unit;

/** `factor * code + offset`, which templates read back (compiler/codegen/dot-codes.ts). */
function integerLevel(value: Value, code: ScalarExpr): ScalarExpr {
  const { factor, offset } = levelsOf(value);
  return factor === 1 && offset === 0 ? code : plus(times(code, int(factor)), int(offset));
}

interface Side {
  readonly value: Value;
  readonly shape: readonly number[];
  readonly summed: readonly number[];
  readonly batched: readonly number[];
  readonly free: readonly number[];
  /** Columns run along the last axis, which is contiguous in memory. */
  readonly contracted: "row" | "column";
}

/** Two tensors as matrices, whichever of their axes are summed over. */
class Contraction {
  readonly sides: readonly [Side, Side];
  readonly #batch: readonly number[];
  readonly #k: number;

  constructor(lhs: Value, rhs: Value, { contract, batch }: { readonly contract: AxisPair; readonly batch: AxisPair }) {
    const side = (value: Value, summed: readonly number[], batched: readonly number[]): Side => {
      const shape = shapeOf(value.type);
      const free = shape.map((_, axis) => axis).filter((axis) => !summed.includes(axis) && !batched.includes(axis));
      return { value, shape, summed, batched, free, contracted: summed.includes(shape.length - 1) ? "column" : "row" };
    };
    this.sides = [side(lhs, contract[0], batch[0]), side(rhs, contract[1], batch[1])];
    this.#batch = sizes(this.sides[0], this.sides[0].batched);
    this.#k = elementCount(sizes(this.sides[0], this.sides[0].summed));
  }

  /** Coordinates of a side's element, over `row`, `column` and the batch's variables. */
  operandAt(side: Side): Coordinates {
    const isByColumn = side.contracted === "column";
    const free = freeCount(side);
    const row = variable("row", isByColumn ? free : this.#k);
    const column = variable("column", isByColumn ? this.#k : free);
    return this.#at(side, isByColumn ? row : column, isByColumn ? column : row);
  }

  /** Coordinates of what a row of a side has one of, over `m` or `n`: 0 along contracted axes. */
  rowAt(side: Side): Coordinates {
    return this.#at(side, this.#position(side), undefined);
  }

  problem(elements: readonly ScalarExpr[], kernel: Kernel, scope: KernelScope): DotProblem {
    const [left, right] = this.sides;
    const [a, b] = elements;
    if (a === undefined || b === undefined) throw new Error("a contraction has two sides");
    const at: Coordinates = [
      ...axisVariables("z", this.#batch),
      ...[left, right].flatMap((side) => coordinatesOf(this.#position(side), sizes(side, side.free))),
    ];
    return {
      kind: "dot",
      batch: this.#batch,
      m: freeCount(left),
      n: freeCount(right),
      k: this.#k,
      a: { element: a, contracted: left.contracted },
      b: { element: b, contracted: right.contracted },
      stores: kernel.stored.map((v) => scope.store(v, at)),
    };
  }

  #position(side: Side): ScalarExpr {
    return variable(side === this.sides[0] ? "m" : "n", freeCount(side));
  }

  #at(side: Side, free: ScalarExpr, summed: ScalarExpr | undefined): Coordinates {
    const z = axisVariables("z", this.#batch);
    const freeAt = coordinatesOf(free, sizes(side, side.free));
    const summedAt = summed === undefined ? side.summed.map(() => uint(0)) : coordinatesOf(summed, sizes(side, side.summed));
    const lists = [
      [side.batched, z],
      [side.free, freeAt],
      [side.summed, summedAt],
    ] as const;
    return side.shape.map((_, axis) => {
      for (const [axes, coordinates] of lists) {
        const found = axes.includes(axis) ? coordinates[axes.indexOf(axis)] : undefined;
        if (found !== undefined) return found;
      }
      throw new Error(`axis ${axis} of a contraction's operand has no coordinate`);
    });
  }
}

const sizes = (side: Side, axes: readonly number[]): readonly number[] => axes.map((axis) => side.shape[axis] ?? 1);
const freeCount = (side: Side): number => elementCount(sizes(side, side.free));
