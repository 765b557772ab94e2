// The form of a kernel: what its problem depends on, without the names of values and buffers. Layers of a model repeat a few forms, so
// each is translated once, and whatever follows from a problem (schedule, WGSL) is found again by the problem's identity.
import { printAttributes } from "../ir/attribute.ts";
import type { Instruction, Value } from "../ir/module.ts";
import type { BindingUse, Problem } from "../ir/plan.ts";
import { printType } from "../ir/type.ts";
import { isInlineSource } from "./grouping.ts";
import type { Kernel } from "./plan-problems.ts";
import { type BufferPlace, placeOfRows, samePart } from "./row-places.ts";

export interface KernelForm {
  readonly key: string;
  /** Buffers of the kernel, or parts of them, in order of first mention: kernels of equal form use theirs in the same way. */
  readonly buffers: readonly BoundRange[];
}

type BoundRange = Pick<BufferPlace, "buffer" | "part">;

interface FormInput {
  readonly producer: (value: Value) => Instruction | undefined;
  readonly placeOf: (value: Value) => BufferPlace;
}

/** Kernels with equal keys have equal problems, with bindings to buffers at the same positions of their lists. */
export function formOf({ members, stored }: Kernel, { producer, placeOf }: FormInput): KernelForm {
  const buffers = new Map<string, BoundRange>();
  const slots = new Map<string, number>();
  const slotOf = ({ buffer, part }: BoundRange): number => {
    const key = `${part?.offset ?? ""} ${part?.bytes ?? ""} ${buffer}`;
    const slot = slots.get(key) ?? slots.size;
    slots.set(key, slot);
    buffers.set(key, { buffer, ...(part === undefined ? {} : { part }) });
    return slot;
  };
  const place = (value: Value): string => {
    const found = placeOf(value);
    return `${slotOf(found)}+${found.element}`;
  };
  const own = new Map<Value, number>();
  /** Rows in memory are bound as what they are, wherever they begin. */
  const rows = new Map<Value, string>();
  const parts: string[] = [];
  const inside = new Set(members);
  for (const member of members) {
    const { op, operands, results, attrs } = member;
    const taken = operands.map((operand) => {
      const known = own.get(operand);
      if (known !== undefined) return `%${known}`;
      const part = rows.get(operand);
      if (part !== undefined) return part;
      const source = producer(operand);
      return source !== undefined && isInlineSource(source)
        ? `(${describe(source)}):${printType(operand.type)}`
        : `${place(operand)}:${printType(operand.type)}`;
    });
    const part = placeOfRows(member, { producer, placeOf, isInside: (i) => inside.has(i) });
    if (part !== undefined) {
      for (const result of results) rows.set(result, `${slotOf(part)}+0:${printType(result.type)}`);
      continue;
    }
    for (const result of results) own.set(result, own.size);
    parts.push(`${describe({ op, attrs })} ${taken.join(",")} -> ${results.map((r) => printType(r.type)).join(",")}`);
  }
  for (const value of stored) parts.push(`store %${own.get(value)} ${place(value)}`);
  return { key: parts.join("\n"), buffers: [...buffers.values()] };
}

const describe = ({ op, attrs }: Pick<Instruction, "op" | "attrs">): string =>
  `${op.signature.name}{${printAttributes(op.signature.attrs, attrs).join(",")}}`;

/** Problems by form. Shared by the entries of a module. */
export class ProblemTable {
  readonly #known = new Map<
    string,
    { readonly problem: Problem; readonly bind: readonly { slot: number; access: BindingUse["access"] }[] }
  >();

  /** The problem of a form, translated by `make` where the form is new, and its bindings to this kernel's buffers. */
  get(
    { key, buffers }: KernelForm,
    make: () => { readonly problem: Problem; readonly bind: readonly BindingUse[] },
  ): { readonly problem: Problem; readonly bind: readonly BindingUse[] } {
    const known = this.#known.get(key);
    if (known !== undefined) {
      const bind = known.bind.map(({ slot, access }): BindingUse => ({ ...(buffers[slot] ?? { buffer: "" }), access }));
      return { problem: known.problem, bind };
    }
    const made = make();
    const bind = made.bind.map(({ buffer, part, access }) => ({
      slot: buffers.findIndex((b) => b.buffer === buffer && samePart(b.part, part)),
      access,
    }));
    if (bind.some(({ slot }) => slot < 0)) throw new Error("a kernel binds a buffer that its form does not mention");
    this.#known.set(key, { problem: made.problem, bind });
    return made;
  }
}
