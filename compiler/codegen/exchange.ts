// How lanes that work together see each other's values: subgroup shuffles, or workgroup memory with a barrier.
// The same templates use either; trees over `lane xor mask` are in a fixed order and give every lane the same bits.

import { add, bitAnd, bitXor, type E, type NumericType, type Shared, sub, u32, type Var, type Wgsl } from "./wgsl.ts";
import type { WgslType } from "./wgsl-node.ts";

export interface Exchange {
  /** This lane's number in its team. */
  readonly lane: E<"u32">;
  /** The value of lane `lane ^ mask`. Must be reached by all lanes of the workgroup. */
  xor<T extends NumericType>(value: E<T>, mask: number): E<T>;
}

/**
 * Lanes of one subgroup, or teams of `team` neighbours in it. The lane is the subgroup's own number, not the local index: WGSL promises no
 * relation between them.
 */
export function subgroupExchange(wgsl: Wgsl, team?: number): Exchange {
  const lane = wgsl.builtin("lane");
  return {
    lane: team === undefined ? lane : wgsl.let("part", bitAnd(lane, u32(team - 1))),
    xor: (value, mask) => wgsl.shuffleXor(value, mask),
  };
}

/** A team of one, which has nobody to ask. */
export const noExchange: Exchange = {
  lane: u32(0),
  xor() {
    throw new Error("a lane that works alone exchanges nothing");
  },
};

/** Lanes of one workgroup of `workgroup` lanes. */
export function workgroupExchange(wgsl: Wgsl, workgroup: number): Exchange {
  const lane = wgsl.builtin("local");
  // Two halves in turn: a lane may write for the next exchange while another still reads this one, so one barrier each is enough.
  const arrays = new Map<NumericType, Shared<WgslType>>();
  const half: Var<"u32"> = wgsl.var("half", u32(0));
  return {
    lane,
    xor<T extends NumericType>(value: E<T>, mask: number): E<T> {
      const array = (arrays.get(value.type) ?? wgsl.sharedArray("exchange", value.type, 2 * workgroup)) as Shared<T>;
      arrays.set(value.type, array as unknown as Shared<WgslType>);
      const offset = wgsl.let("offset", half);
      array.write(add(offset, lane), value);
      wgsl.barrier();
      const other = wgsl.let("other", array.read(add(offset, bitXor(lane, u32(mask)))));
      wgsl.assign(half, sub(u32(workgroup), half));
      return other;
    },
  };
}
