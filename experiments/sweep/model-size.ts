// What a scaling law counts of a model: its parameters without embeddings, and the bits that a policy gives each of them.
import { entryNamed, type Instruction, type Module, type Value } from "../../ir/module.ts";
import { add } from "../../ir/ops/arithmetic.ts";
import { dot } from "../../ir/ops/dot.ts";
import { gather } from "../../ir/ops/indexing.ts";
import { crossEntropy } from "../../ir/ops/loss.ts";
import { stateRead } from "../../ir/ops/source.ts";
import { floatBits, storedBits } from "../../ir/quant/stored-bits.ts";
import { elementCount, shapeOf } from "../../ir/type.ts";

export interface ModelSize {
  /** Elements of the weights that contractions read, without tables that are looked up and without the head. */
  readonly n: number;
  /** Their bits in a packed file by the policy, in the mean; 32 for those that stay in float. 0 where `n` is. */
  readonly bits: number;
}

/** Of a lowered module whose recipe has a loss. */
export function sizeOf(module: Module): ModelSize {
  const entry = entryNamed(module, "eval");
  if (entry === undefined) throw new Error("a module without a recipe");
  const producers = new Map(entry.instructions.flatMap((i) => i.results.map((result) => [result, i] as const)));
  const state = (value: Value | undefined): string | undefined => {
    for (let from = value && producers.get(value); from !== undefined; ) {
      if (from.op.signature.name === stateRead.name) return String(from.attrs["name"]);
      const [only] = from.operands;
      from = from.op.lower.kind === "view" && only !== undefined ? producers.get(only) : undefined;
    }
    return undefined;
  };
  const named = ({ op }: Instruction, { name }: { readonly name: string }) => op.signature.name === name;
  const outside = new Set(entry.instructions.flatMap((i) => (named(i, gather) ? (state(i.operands[0]) ?? []) : [])));
  const heads = new Set<Instruction>();
  /** From logits back to the contraction that makes them, through views and a bias. */
  const markHead = (value: Value | undefined): void => {
    const from = value && producers.get(value);
    if (from === undefined) return;
    if (named(from, dot)) heads.add(from);
    else if (from.op.lower.kind === "view") markHead(from.operands[0]);
    else if (named(from, add)) for (const operand of from.operands) markHead(operand);
  };
  for (const instruction of entry.instructions) if (named(instruction, crossEntropy)) markHead(instruction.operands[0]);

  const counted = new Map<string, { readonly elements: number; readonly bits: number }>();
  for (const instruction of entry.instructions) {
    if (!named(instruction, dot) || heads.has(instruction)) continue;
    for (const operand of instruction.operands) {
      const name = state(operand);
      const read = module.states.find((one) => one.name === name);
      if (read === undefined || outside.has(read.name) || counted.has(read.name)) continue;
      const shape = shapeOf(read.type);
      const { quantize } = instruction.marks;
      const bits = quantize === undefined ? floatBits : storedBits(quantize, shape.at(-1) ?? 1);
      counted.set(read.name, { elements: elementCount(shape), bits });
    }
  }
  const sizes = [...counted.values()];
  const n = sizes.reduce((sum, { elements }) => sum + elements, 0);
  return { n, bits: n === 0 ? 0 : sizes.reduce((sum, { elements, bits }) => sum + elements * bits, 0) / n };
}
