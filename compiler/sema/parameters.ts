// Binding arguments to the typed parameters of a module or a policy.
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import { suggest } from "../../ir/nearest.ts";
import type { Span } from "../../ir/source.ts";
import type { ParameterDeclaration } from "../syntax/ast.ts";
import type { Argument, Name } from "../syntax/ast-expression.ts";
import { asParameter, type Constant, describeConstant, type ParameterType, parameterTypes } from "./constant.ts";
import { evaluate, type Scope } from "./evaluate.ts";

/** What is called: for messages, and for the defaults of its parameters. */
export interface Callee {
  readonly name: Name;
  readonly parameters: readonly ParameterDeclaration[];
  /** Names that defaults may use, besides earlier parameters. */
  readonly constants: ReadonlyMap<string, Constant>;
  readonly broken: ReadonlySet<string>;
}

/** A value that replaces an argument, from the command line. */
export interface GivenParameter {
  readonly name: Name;
  readonly value: Constant;
  readonly at: Span;
}

/**
 * The parameters' values in declared order; what fails is missing there and reported. Arguments are evaluated in the caller's
 * scope, defaults in the callee's, where earlier parameters are known.
 */
export function bindParameters(
  callee: Callee,
  args: readonly Argument[],
  caller: Scope,
  at: Span,
  given: readonly GivenParameter[],
  diagnostics: Diagnostic[],
): ReadonlyMap<string, Constant> {
  const { parameters } = callee;
  const signature = `\`${callee.name.text}\` takes (${parameters.map((p) => `${p.name.text}: ${p.type.text}`).join(", ")})`;
  const byName = new Map<string, { readonly value: Constant | undefined; readonly at: Span }>();
  let position = 0;
  for (const argument of args) {
    const parameter = argument.name === undefined ? parameters[position++] : parameters.find((p) => p.name.text === argument.name?.text);
    const value = evaluate(argument.value, caller, diagnostics);
    if (parameter === undefined) {
      const message =
        argument.name === undefined
          ? `\`${callee.name.text}\` takes ${parameters.length} argument${parameters.length === 1 ? "" : "s"}, got ${args.length}`
          : `\`${callee.name.text}\` has no parameter \`${argument.name.text}\``;
      const help =
        argument.name === undefined
          ? [signature]
          : suggest(
              argument.name.text,
              parameters.map((p) => p.name.text),
            );
      diagnostics.push(error("wrong-argument", message, argument.span, "", help));
      if (argument.name === undefined) break;
      continue;
    }
    if (byName.has(parameter.name.text)) {
      diagnostics.push(error("wrong-argument", `\`${parameter.name.text}\` is given twice`, argument.span, "", [signature]));
      continue;
    }
    byName.set(parameter.name.text, { value, at: argument.value.span });
  }
  for (const { name, value, at: place } of given) {
    if (parameters.some((p) => p.name.text === name.text)) byName.set(name.text, { value, at: place });
    else
      diagnostics.push(
        error(
          "wrong-argument",
          `\`${callee.name.text}\` has no parameter \`${name.text}\``,
          name.span,
          "",
          suggest(
            name.text,
            parameters.map((p) => p.name.text),
          ),
        ),
      );
  }

  const bound = new Map<string, Constant>();
  const broken = new Set(callee.broken);
  for (const parameter of parameters) {
    const name = parameter.name.text;
    let source = byName.get(name);
    if (source === undefined && parameter.initial !== undefined) {
      const scope = { constants: new Map([...callee.constants, ...bound]), broken };
      source = { value: evaluate(parameter.initial, scope, diagnostics), at: parameter.initial.span };
    }
    if (source === undefined) {
      diagnostics.push({
        ...error("missing-argument", `\`${callee.name.text}\` needs \`${name}\``, at, "", [signature]),
        secondary: [{ span: parameter.span, message: "declared here, without a default" }],
      });
      broken.add(name);
      continue;
    }
    const value = source.value === undefined ? undefined : checked(parameter, source.value, source.at, diagnostics);
    if (value === undefined) broken.add(name);
    else bound.set(name, value);
  }
  return bound;
}

function checked(parameter: ParameterDeclaration, value: Constant, at: Span, diagnostics: Diagnostic[]): Constant | undefined {
  const type = parameterTypeOf(parameter);
  if (type === undefined) {
    const help = [`parameters are ${parameterTypes.map((t) => `\`${t}\``).join(", ")}`];
    diagnostics.push(error("unknown-type", `there is no parameter type \`${parameter.type.text}\``, parameter.type.span, "", help));
    return undefined;
  }
  const fitting = asParameter(value, type);
  if (fitting === undefined) {
    const wanted = type === "bits" ? "bits (1 to 8, or none)" : type;
    const help = type === "float" && value.kind === "int" ? ["an int becomes a float by `float(...)`"] : [];
    diagnostics.push({
      ...error("type-mismatch", `\`${parameter.name.text}\` is ${wanted}, got ${describeConstant(value)}`, at, "", help),
      ...(at === parameter.initial?.span ? {} : { secondary: [{ span: parameter.span, message: "declared here" }] }),
    });
  }
  return fitting;
}

function parameterTypeOf(parameter: ParameterDeclaration): ParameterType | undefined {
  return parameterTypes.find((t) => t === parameter.type.text);
}
