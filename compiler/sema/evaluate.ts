// Constant evaluation: expressions over module parameters, `const` and literals.
import { type Diagnostic, error, Rejection } from "../../ir/diagnostic.ts";
import type { DiagnosticCode } from "../../ir/errors/table.ts";
import { suggest } from "../../ir/nearest.ts";
import type { Span } from "../../ir/source.ts";
import type { Expression } from "../syntax/ast-expression.ts";
import { type Constant, callConstantFunction, combine, constantFunctionNames, describeConstant, negate } from "./constant.ts";

/** Names with their constants, and where problems go. */
export interface Scope {
  readonly constants: ReadonlyMap<string, Constant>;
  /** Names that are declared but have no value, because of an error that was reported already. */
  readonly broken?: ReadonlySet<string>;
  /** Whether an unknown name is a word of its own, such as `auto`: so it is in settings. */
  readonly words?: boolean;
}

/** Run a rule; what it rejects becomes a diagnostic at `at`, and the answer undefined. */
function attempt<T>(diagnostics: Diagnostic[], code: DiagnosticCode, at: Span, label: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (problem) {
    if (!(problem instanceof Rejection)) throw problem;
    diagnostics.push(error(code, problem.message, at, label, problem.help));
    return undefined;
  }
}

/** The constant that an expression stands for; undefined after a problem, which is reported. */
export function evaluate(expression: Expression, scope: Scope, diagnostics: Diagnostic[]): Constant | undefined {
  const inner = (e: Expression) => evaluate(e, scope, diagnostics);
  const { span } = expression;
  switch (expression.kind) {
    case "int":
      return { kind: "int", value: expression.value, literal: true };
    case "float":
    case "bool":
    case "text":
      return expression;
    case "use-name": {
      const known = scope.constants.get(expression.text);
      if (known !== undefined || scope.broken?.has(expression.text)) return known;
      if (scope.words) return { kind: "word", value: expression.text };
      if (expression.text === "none") return { kind: "word", value: "none" };
      diagnostics.push(error("unknown-name", `no constant is named \`${expression.text}\``, span, "", helpForName(expression.text, scope)));
      return undefined;
    }
    case "list": {
      const items = expression.items.map(inner);
      return items.every((item) => item !== undefined) ? { kind: "list", items } : undefined;
    }
    case "unary": {
      const value = inner(expression.value);
      return value && attempt(diagnostics, "constant", span, "", () => negate(value));
    }
    case "binary": {
      const left = inner(expression.left);
      const right = inner(expression.right);
      return left && right && attempt(diagnostics, "constant", span, "", () => combine(expression.operator, left, right));
    }
    case "if": {
      const condition = inner(expression.condition);
      if (condition === undefined) return undefined;
      if (condition.kind === "bool") return inner(condition.value ? expression.then : expression.otherwise);
      diagnostics.push(
        error("type-mismatch", "the condition of `if` must be a bool", expression.condition.span, `this is ${describeConstant(condition)}`),
      );
      return undefined;
    }
    case "call": {
      const args = expression.args.map((argument) => inner(argument.value));
      const name = expression.callee.kind === "use-name" ? expression.callee.text : "";
      const named = expression.args.find((argument) => argument.name !== undefined);
      if (named !== undefined || !constantFunctionNames.includes(name)) {
        diagnostics.push(
          error("not-constant", "this is not known when the model is compiled", span, "", [
            `constants know the functions ${constantFunctionNames.map((n) => `\`${n}\``).join(", ")}`,
          ]),
        );
        return undefined;
      }
      const known = args.filter((a) => a !== undefined);
      return known.length === args.length ? attempt(diagnostics, "constant", span, "", () => callConstantFunction(name, known)) : undefined;
    }
    case "pipe":
    case "index":
    case "field":
    case "range":
    case "comprehension":
      diagnostics.push(error("not-constant", "this is not known when the model is compiled", span));
      return undefined;
    case "missing":
      return undefined;
    default:
      return expression satisfies never;
  }
}

/** Capitals are what functions call the sizes of their inputs. */
function helpForName(name: string, scope: Scope): readonly string[] {
  const near = suggest(name, scope.constants.keys());
  return /^[A-Z]\w?$/.test(name) ? ["the sizes of inputs are names in functions alone: a number or a constant is needed here"] : near;
}

/** A constant of one kind, or a diagnostic that says what was wanted: `"an int"`. */
export function evaluateAs<K extends Constant["kind"]>(
  kind: K,
  expression: Expression,
  scope: Scope,
  diagnostics: Diagnostic[],
): Extract<Constant, { readonly kind: K }> | undefined {
  const value = evaluate(expression, scope, diagnostics);
  if (value === undefined) return undefined;
  if (isKind(value, kind)) return value;
  diagnostics.push(
    error("type-mismatch", `${kind === "int" ? "an" : "a"} ${kind} is needed here`, expression.span, `this is ${describeConstant(value)}`),
  );
  return undefined;
}

function isKind<K extends Constant["kind"]>(constant: Constant, kind: K): constant is Extract<Constant, { readonly kind: K }> {
  return constant.kind === kind;
}
