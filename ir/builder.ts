// The builder: emits instructions into an entry, with result types inferred and operands checked.
import type { AttributeSpec, Attributes, GivenAttributes } from "./attribute.ts";
import { reject } from "./diagnostic.ts";
import type { Marks } from "./marks.ts";
import type { Instruction, Value } from "./module.ts";
import { type Op, type OperandNames, type PerOperand, type PerResult, type Signature, variadicName } from "./op.ts";
import type { Location } from "./source.ts";

/** What {@link Builder.emit} takes beside operands and attributes. */
export interface EmitOptions {
  /** Name for the first result (all results: `hints`). */
  readonly hint?: string;
  readonly hints?: readonly string[];
  readonly marks?: Marks;
  readonly at?: Location;
}

/** None at all for an op without attributes: `{}` as a type would take any object. */
type NoAttributes = Readonly<Record<string, never>>;
type AttributeArgument<A extends AttributeSpec> = [keyof A] extends [never]
  ? [attrs?: NoAttributes, options?: EmitOptions]
  : Record<never, never> extends GivenAttributes<A>
    ? [attrs?: GivenAttributes<A>, options?: EmitOptions]
    : [attrs: GivenAttributes<A>, options?: EmitOptions];

/** Looks an op up by its name; the op table implements it. */
export type OpLookup = (name: string) => Op;

/** Collects instructions in order. One builder per entry or per region being rewritten. */
export class Builder {
  readonly instructions: Instruction[] = [];
  /** Location and marks for instructions whose options name none: a pass sets them to those of what it replaces. */
  at: Location | undefined;
  marks: Marks = {};
  readonly #lookup: OpLookup;

  constructor(lookup: OpLookup) {
    this.#lookup = lookup;
  }

  /** Append an instruction; answers its result, or a tuple where the op has several. Rejects operands that do not fit. */
  emit<O extends OperandNames, R extends readonly string[], A extends AttributeSpec>(
    sig: Signature<O, R, A>,
    operands: PerOperand<O, Value>,
    ...[attrs, options]: AttributeArgument<A>
  ): PerResult<R, Value> {
    const op = this.#lookup(sig.name);
    const results = this.emitOp(op, operands as readonly Value[], (attrs ?? {}) as Attributes, options ?? {});
    return (sig.results.length === 1 ? results[0] : results) as PerResult<R, Value>;
  }

  /** The untyped form of {@link emit}, for parsers and generic rewrites. */
  emitOp(op: Op, operands: readonly Value[], given: Attributes, options: EmitOptions = {}): readonly Value[] {
    const { signature } = op;
    checkOperandCount(signature, operands.length);
    const attrs = completeAttributes(signature, given);
    const types = op.infer(
      operands.map((v) => v.type),
      attrs,
    );
    const results = types.map((type, i): Value => {
      const fallback = signature.results.length === 1 ? shortName(signature.name) : (signature.results[i] ?? "v");
      return { type, hint: options.hints?.[i] ?? (i === 0 ? options.hint : undefined) ?? fallback };
    });
    const at = options.at ?? this.at;
    this.instructions.push({ op, operands, results, attrs, marks: options.marks ?? this.marks, ...(at === undefined ? {} : { at }) });
    return results;
  }
}

/** `quant.encode` -> `encode`, for values that nobody named. */
const shortName = (opName: string): string => opName.slice(opName.lastIndexOf(".") + 1);

export function checkOperandCount(sig: Signature, count: number): void {
  const { operands } = sig;
  const many = variadicName(operands);
  if (many !== undefined) {
    if (count === 0) reject(`\`${sig.name}\` takes one or more ${many}`);
    return;
  }
  if (count !== operands.length) {
    reject(
      `\`${sig.name}\` takes ${operands.length} operand${operands.length === 1 ? "" : "s"}${operands.length === 0 ? "" : ` (${operands.join(", ")})`}, got ${count}`,
    );
  }
}

/** Attributes in declared order, fallbacks filled in. Rejects missing and unknown ones. */
function completeAttributes(sig: Signature, given: Attributes): Attributes {
  for (const name of Object.keys(given)) {
    if (!(name in sig.attrs)) reject(`\`${sig.name}\` has no attribute \`${name}\`; it has ${Object.keys(sig.attrs).join(", ") || "none"}`);
  }
  const complete: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(sig.attrs)) {
    const value = given[name] ?? kind.fallback;
    if (value === undefined) reject(`\`${sig.name}\` needs the attribute \`${name}\` (${kind.describe})`);
    complete[name] = value;
  }
  return complete;
}
