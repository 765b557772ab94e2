// Marks: what passes leave on an instruction for later passes and for readers. They never change what it computes.
import { type AttributeKind, int, printAttributes, text } from "./attribute.ts";
import { type QuantizeChoice, quantizeChoice } from "./quant/choice.ts";

export interface Marks {
  /** Path of the module instance whose contraction this is: `layers.0.attn.wq`. */
  readonly site?: string;
  /** The policy's choice for the site; consumed by insert-quant. */
  readonly quantize?: QuantizeChoice;
  /** Part of the forward pass of an instance that the recipe selects for recomputation: `layers.3`. */
  readonly remat?: string;
  /** Number of the kernel that computes it, from `fuse` on. */
  readonly kernel?: number;
}

/** Marks in printing order, after the attributes. */
export const markKinds: { readonly [K in keyof Required<Marks>]: AttributeKind<NonNullable<Marks[K]>> } = {
  site: text,
  quantize: quantizeChoice,
  remat: text,
  kernel: int,
};

export function printMarks(marks: Marks): readonly string[] {
  const present = Object.fromEntries(Object.entries(markKinds).filter(([name]) => marks[name as keyof Marks] !== undefined));
  return printAttributes(present as Readonly<Record<string, AttributeKind<unknown>>>, marks as Readonly<Record<string, unknown>>);
}

/** The marks that what stands beside an instruction shares with it: those of the region that both are part of. */
export const regionOf = ({ remat }: Marks): Marks => (remat === undefined ? {} : { remat });
