// What goes into a function and comes out of it: arguments bound to inputs, numbers made tensors, and what does not fit.
import type { Label } from "../../ir/diagnostic.ts";
import type { Value } from "../../ir/module.ts";
import type { Span } from "../../ir/source.ts";
import { printType, scalars, tensor } from "../../ir/type.ts";
import type { Instance } from "../sema/resolved.ts";
import type { FunctionDeclaration, InputDeclaration } from "../syntax/ast.ts";
import type { GivenArgument } from "./arguments.ts";
import { numberFor } from "./arithmetic.ts";
import type { EntryContext } from "./entry-context.ts";
import { describe, type Meaning, tensorMeaning } from "./meaning.ts";
import type { Mismatch } from "./signature-match.ts";

/** What a body gives back as a tensor; a number becomes one where the result is a scalar. */
export function resultTensor(cx: EntryContext, declaration: FunctionDeclaration, meaning: Meaning): Value | undefined {
  if (meaning.kind === "tensor") return meaning.value;
  const scalar = scalars.find((s) => s === declaration.result.scalar.text);
  if (meaning.kind !== "constant" || scalar === undefined || declaration.result.dims.length > 0) return undefined;
  const type = tensor(scalar, []);
  return cx.splat(type, numberFor("`return`", meaning.constant, type));
}

/** The instance as its module calls it: `wo`, `layers.0`. So the same mistake in many instances is one message. */
export function calledName(instance: Instance): string {
  const words = instance.path.split(".");
  const named = words.findLastIndex((word) => /^[A-Za-z_]/.test(word));
  return instance.path === "" ? instance.module.name.text : words.slice(named).join(".");
}

/** An input of a function and the argument that it takes. */
export interface BoundInput {
  readonly input: InputDeclaration;
  readonly argument: GivenArgument;
}

/** Each input with its argument, in declared order; undefined after a problem, which is reported. */
export function bindInputs(
  cx: EntryContext,
  called: string,
  inputs: readonly InputDeclaration[],
  args: readonly GivenArgument[],
  at: Span,
): readonly BoundInput[] | undefined {
  const signature = `\`${called}\` takes (${inputs.map((input) => input.name.text).join(", ")})`;
  const bound = new Map<string, BoundInput>();
  let position = 0;
  for (const argument of args) {
    const input = argument.name === undefined ? inputs[position++] : inputs.find((i) => i.name.text === argument.name);
    if (input === undefined || bound.has(input.name.text)) {
      const message =
        input !== undefined
          ? `\`${input.name.text}\` is given twice`
          : argument.name === undefined
            ? `\`${called}\` takes ${inputs.length} input${inputs.length === 1 ? "" : "s"}, got ${args.length}`
            : `\`${called}\` has no input \`${argument.name}\``;
      cx.report("wrong-argument", message, argument.span, "", [signature]);
      return undefined;
    }
    bound.set(input.name.text, { input, argument });
  }
  const missing = inputs.find((input) => !bound.has(input.name.text));
  if (missing !== undefined) {
    cx.report(
      "missing-argument",
      `\`${called}\` needs \`${missing.name.text}\``,
      at,
      "",
      [signature],
      [{ span: missing.span, message: "declared here" }],
    );
    return undefined;
  }
  return inputs.flatMap((input) => bound.get(input.name.text) ?? []);
}

/** The argument as a tensor; a number becomes one where the input is a scalar. */
export function tensorFor(cx: EntryContext, input: InputDeclaration, { meaning, span }: GivenArgument): Value | undefined {
  if (meaning.kind === "tensor") return meaning.value;
  const scalar = scalars.find((s) => s === input.type.scalar.text);
  if (meaning.kind === "constant" && scalar !== undefined && input.type.dims.length === 0) {
    const type = tensor(scalar, []);
    const filled = cx.attempt(span, () => tensorMeaning(cx.splat(type, numberFor(`\`${input.name.text}\``, meaning.constant, type))));
    return filled.kind === "tensor" ? filled.value : undefined;
  }
  cx.report(
    "type-mismatch",
    `\`${input.name.text}\` is a tensor, got ${describe(meaning)}`,
    span,
    "",
    [],
    [{ span: input.span, message: "declared here" }],
  );
  return undefined;
}

interface WrongInput extends BoundInput {
  readonly instance: Instance;
  readonly mismatch: Mismatch;
  /** Whether it is the only input, which then needs no name. */
  readonly only: boolean;
}

/** Say why an argument does not fit its input. */
export function reportInput(cx: EntryContext, called: string, { instance, input, argument, mismatch, only }: WrongInput): void {
  if (mismatch.kind === "unknown") {
    cx.report("unknown-size", mismatch.wanted, mismatch.size?.span ?? input.type.span);
    return;
  }
  const given = argument.meaning.kind === "tensor" ? printType(argument.meaning.value.type) : describe(argument.meaning);
  const size = mismatch.size;
  const value = mismatch.wanted.split(" of ").at(-1);
  const known = size?.kind === "use-name" && size.text !== value ? `, ${size.text} = ${value}` : "";
  const labels: readonly Label[] = [{ span: instance.declaredAt, message: `declared here${known}` }];
  const as = only ? "" : ` as \`${input.name.text}\``;
  cx.report(
    "shape-mismatch",
    `\`${called}\` takes ${mismatch.wanted}${as}, got ${mismatch.got}`,
    argument.span,
    `this is ${given}`,
    mismatch.help,
    labels,
  );
}
