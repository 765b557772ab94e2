// Marks: what passes leave on an instruction for later passes and for readers. They never change what it computes.
import { type AttributeKind, int, printAttributes, text } from "./attribute.ts";
import { type QuantizeChoice, quantizeChoice } from "./quant/choice.ts";

export interface Marks {
  /** Path of the module instance whose contraction this is: `layers.0.attn.wq`. */
  readonly site?: string;
  /** The policy's choice for the site; consumed by insert-quant. */
  readonly quantize?: QuantizeChoice;
  /** Set on clones made by rematerialize; cleanup never merges across it. */
  readonly recompute?: number;
  /** Number of the kernel that computes it, from `fuse` on. */
  readonly kernel?: number;
}

/** Marks in printing order, after the attributes. */
export const markKinds: { readonly [K in keyof Required<Marks>]: AttributeKind<NonNullable<Marks[K]>> } = {
  site: text,
  quantize: quantizeChoice,
  recompute: int,
  kernel: int,
};

export function printMarks(marks: Marks): readonly string[] {
  const present = Object.fromEntries(Object.entries(markKinds).filter(([name]) => marks[name as keyof Marks] !== undefined));
  return printAttributes(present as Readonly<Record<string, AttributeKind<unknown>>>, marks as Readonly<Record<string, unknown>>);
}
