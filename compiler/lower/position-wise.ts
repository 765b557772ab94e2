// Whether a model treats each position of a sequence by itself, but for causal attention: only then is a part of a sequence enough to go on.
import { dimsEqual, namesOfDim, productOf } from "../../ir/dim.ts";
import type { Instruction } from "../../ir/module.ts";
import { printType, type Type } from "../../ir/type.ts";

/** The first instruction that lets positions meet, or undefined. `length` is the name of the size that counts positions. */
export function positionMixer(instructions: readonly Instruction[], length: string): Instruction | undefined {
  return instructions.find((instruction) =>
    instruction.operands.some((operand, i) => {
      const places = operand.type.dims.flatMap((dim, axis) => (namesOfDim(dim).includes(length) ? [axis] : []));
      return places.length > 0 && mixes(instruction, i, places, length);
    }),
  );
}

/** What it does, for a message: `mean of f32[B, T, 64]`. */
export const describeMixer = ({ op, operands: [x] }: Instruction): string =>
  x === undefined ? op.signature.name : `\`${op.signature.name}\` of ${printType(x.type)}`;

/** Whether an instruction joins elements of operand `i` that differ along one of the axes `places`. */
function mixes({ op, operands, results, attrs }: Instruction, i: number, places: readonly number[], length: string): boolean {
  const [operand, result] = [operands[i]?.type, results[0]?.type];
  if (operand === undefined || result === undefined) return true;
  if (op.lower.kind === "pointwise") return false;
  const rank = operand.dims.length;
  const joins = (axes: readonly number[]) => places.some((axis) => axes.includes(axis));
  const { axis, axes, contract } = attrs;
  switch (op.signature.name) {
    case "transpose":
    case "broadcast":
      return false;
    case "reshape":
      return !keepsPlaces(operand, result, length);
    case "gather":
      return i === 0 && joins([0]);
    case "rms_norm":
    case "layer_norm":
      return i > 0 || joins([rank - 1]);
    case "rope":
      return i === 0 && joins([rank - 2, rank - 1]);
    case "cached_attention":
    case "cache_write":
      // They know where the run stands; keys, values and queries have their positions on the third axis from the end.
      return places.some((place) => place !== rank - 3);
    case "dot":
      return joins((contract as readonly (readonly number[])[])[i] ?? []);
    default:
      if (typeof axis === "number") return joins([axis]);
      return Array.isArray(axes) ? joins(axes) : true;
  }
}

/**
 * Whether a reshape leaves each position's elements together: as many lie behind the axis before and after, so that positions run at the
 * same pace through memory.
 */
function keepsPlaces(from: Type, to: Type, length: string): boolean {
  const [before, after] = [from, to].map(({ dims }) => {
    const at = dims.map((dim) => namesOfDim(dim).includes(length));
    return at.filter(Boolean).length === 1 ? productOf(dims.slice(at.indexOf(true) + 1)) : undefined;
  });
  return before !== undefined && after !== undefined && dimsEqual(before, after);
}
