// The form of a kernel: what its problem depends on, without the names of values and buffers. Layers of a model repeat a few forms, so
// each is translated once, and whatever follows from a problem (schedule, WGSL) is found again by the problem's identity.
import { printAttributes } from "../ir/attribute.ts";
import type { Instruction, Value } from "../ir/module.ts";
import type { BindingUse, Problem } from "../ir/plan.ts";
import { printType } from "../ir/type.ts";
import { isInlineSource } from "./grouping.ts";
import type { BufferPlace } from "./kernel-scope.ts";
import type { Kernel } from "./plan-problems.ts";

export interface KernelForm {
  readonly key: string;
  /** Buffers of the kernel in order of first mention: kernels of equal form use theirs in the same way. */
  readonly buffers: readonly string[];
}

interface FormInput {
  readonly producer: (value: Value) => Instruction | undefined;
  readonly placeOf: (value: Value) => BufferPlace;
}

/** Kernels with equal keys have equal problems, with bindings to buffers at the same positions of their lists. */
export function formOf({ members, stored }: Kernel, { producer, placeOf }: FormInput): KernelForm {
  const buffers = new Map<string, number>();
  const place = (value: Value): string => {
    const { buffer, element } = placeOf(value);
    const slot = buffers.get(buffer) ?? buffers.size;
    buffers.set(buffer, slot);
    return `${slot}+${element}`;
  };
  const own = new Map<Value, number>();
  const parts: string[] = [];
  for (const { op, operands, results, attrs } of members) {
    const taken = operands.map((operand) => {
      const known = own.get(operand);
      if (known !== undefined) return `%${known}`;
      const source = producer(operand);
      return source !== undefined && isInlineSource(source)
        ? `(${describe(source)}):${printType(operand.type)}`
        : `${place(operand)}:${printType(operand.type)}`;
    });
    for (const result of results) own.set(result, own.size);
    parts.push(`${describe({ op, attrs })} ${taken.join(",")} -> ${results.map((r) => printType(r.type)).join(",")}`);
  }
  for (const value of stored) parts.push(`store %${own.get(value)} ${place(value)}`);
  return { key: parts.join("\n"), buffers: [...buffers.keys()] };
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
      const bind = known.bind.map(({ slot, access }): BindingUse => ({ buffer: buffers[slot] ?? "", access }));
      return { problem: known.problem, bind };
    }
    const made = make();
    const bind = made.bind.map(({ buffer, access }) => ({ slot: buffers.indexOf(buffer), access }));
    if (bind.some(({ slot }) => slot < 0)) throw new Error("a kernel binds a buffer that its form does not mention");
    this.#known.set(key, { problem: made.problem, bind });
    return made;
  }
}
