// The contractions of a module that a policy quantized: what goes in, what is multiplied, what comes out.
import type { Entry, Instruction, Value } from "../ir/module.ts";

/** One operand of a contraction, from what it was computed from to what is multiplied. */
export interface SiteOperand {
  /** What enters the layer, before rotation and rounding. */
  readonly source: Value;
  /** Name of the state that it is, or from which it is taken by a view. */
  readonly state?: string;
  /** Absent where the operand stays in float. */
  readonly rounded?: RoundedOperand;
}

export interface RoundedOperand {
  readonly codes: Value;
  readonly scale: Value;
  /** Of a weight whose rows are rounded less a number each: those numbers. */
  readonly offset?: Value;
}

export interface Site {
  /** `layers.0.attn.wq`; with `#2` behind it for the second contraction of the same name. */
  readonly name: string;
  readonly instruction: Instruction;
  readonly activation: SiteOperand;
  readonly weight: SiteOperand;
  /** Whether the weight is the contraction's first operand. */
  readonly isWeightFirst: boolean;
  readonly result: Value;
}

/** What a rounded operand passes through between its source and the contraction. */
const onTheWay: ReadonlySet<string> = new Set(["quant.decode", "quant.encode", "hadamard"]);

/** The quantized contractions of an entry on primitive ops, in order. */
export function sitesOf(entry: Entry): readonly Site[] {
  const producers = new Map(entry.instructions.flatMap((i) => i.results.map((result) => [result, i] as const)));
  const counts = new Map<string, number>();
  return entry.instructions.flatMap((instruction): readonly Site[] => {
    const { site } = instruction.marks;
    const [result] = instruction.results;
    const operands = contracted(instruction);
    if (site === undefined || result === undefined || operands === undefined) return [];
    const [left, right] = operands.map((values) => trace(values, producers));
    if (left === undefined || right === undefined) return [];
    const isWeightFirst = left.state !== undefined && right.state === undefined;
    const [weight, activation] = isWeightFirst ? [left, right] : [right, left];
    // The gradient towards the activation has the weight too, but sums over its rows.
    const summed = (instruction.attrs["contract"] as readonly (readonly number[])[])[isWeightFirst ? 0 : 1];
    const isForward = summed?.join() === String((operands[isWeightFirst ? 0 : 1]?.[0]?.type.dims.length ?? 0) - 1);
    if (!isForward || weight.rounded === undefined || weight.state === undefined) return [];
    const count = (counts.get(site) ?? 0) + 1;
    counts.set(site, count);
    return [{ name: count === 1 ? site : `${site}#${count}`, instruction, activation, weight, isWeightFirst, result }];
  });
}

/** Both operands of a contraction, each with its scale where codes are multiplied. */
function contracted({ op, operands }: Instruction): readonly (readonly Value[])[] | undefined {
  const [a, b, c, d] = operands;
  if (op.signature.name === "dot" && a !== undefined && b !== undefined) return [[a], [b]];
  if (op.signature.name !== "quant.dot" || a === undefined || b === undefined || c === undefined || d === undefined) return undefined;
  return [
    [a, b],
    [c, d],
  ];
}

function trace([value, scale]: readonly Value[], producers: ReadonlyMap<Value, Instruction>): SiteOperand | undefined {
  if (value === undefined) return undefined;
  let source = value;
  let rounded: RoundedOperand | undefined = scale === undefined ? undefined : { codes: value, scale };
  for (let from = producers.get(source); from !== undefined && onTheWay.has(from.op.signature.name); from = producers.get(source)) {
    const [x, s] = from.operands;
    if (x === undefined) break;
    if (from.op.signature.name === "quant.encode" && rounded !== undefined) {
      const found = centered(x, producers);
      if (found !== undefined) return { ...found.weight, rounded: { ...rounded, offset: found.offset } };
    }
    if (from.op.signature.name === "quant.decode" && s !== undefined) rounded = { codes: x, scale: s };
    source = x;
  }
  const state = stateOf(source, producers);
  return { source, ...(state === undefined ? {} : { state }), ...(rounded === undefined ? {} : { rounded }) };
}

/** What is rounded is a weight less a number for each row: both. */
function centered(
  value: Value,
  producers: ReadonlyMap<Value, Instruction>,
): { readonly weight: SiteOperand; readonly offset: Value } | undefined {
  const from = producers.get(value);
  const [x, across] = from?.op.signature.name === "sub" ? from.operands : [];
  const spread = across && producers.get(across);
  const [offset] = spread?.op.signature.name === "broadcast" ? spread.operands : [];
  if (x === undefined || offset === undefined || offset.type.dims.length !== x.type.dims.length || offset.type.dims.at(-1) !== 1)
    return undefined;
  const weight = trace([x], producers);
  return weight?.state === undefined ? undefined : { weight, offset };
}

function stateOf(value: Value, producers: ReadonlyMap<Value, Instruction>): string | undefined {
  let from = producers.get(value);
  while (from !== undefined && from.op.lower.kind === "view") {
    const [x] = from.operands;
    from = x === undefined ? undefined : producers.get(x);
  }
  return from?.op.signature.name === "state.read" ? String(from.attrs["name"]) : undefined;
}
