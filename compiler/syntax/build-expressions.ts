// Concrete to abstract syntax: expressions, types and statements.
import type { CstNode, IToken } from "chevrotain";
import { error } from "../../ir/diagnostic.ts";
import { joinSpans } from "../../ir/source.ts";
import type { Block, InputDeclaration, ParameterDeclaration, Statement, TypeNode } from "./ast.ts";
import type { Argument, BinaryOperator, Expression, NameExpression, TextLiteral } from "./ast-expression.ts";
import { binaryOperators } from "./ast-expression.ts";
import { type BuildContext, chosen, complain, isReal, nameOf, node, nodes, spanOf, token, tokens } from "./cst.ts";
import { longestChain } from "./nesting.ts";

export function buildExpression(cx: BuildContext, cst: CstNode | undefined, near?: CstNode): Expression {
  const choose = node(cst, "choose");
  if (choose !== undefined) {
    const [condition, then, otherwise] = [0, 1, 2].map((i) => buildExpression(cx, node(choose, "expression", i), choose));
    const missing = buildExpression(cx, undefined, choose);
    return {
      kind: "if",
      span: spanOf(cx, choose),
      condition: condition ?? missing,
      then: then ?? missing,
      otherwise: otherwise ?? missing,
    };
  }
  const pipe = node(cst, "pipe");
  if (pipe !== undefined) return buildPipe(cx, pipe);
  const around = cst ?? near;
  const at = spanOf(cx, around);
  return { kind: "missing", span: { ...at, start: at.end } };
}

function buildPipe(cx: BuildContext, cst: CstNode): Expression {
  let value = buildComparison(cx, node(cst, "comparison"), cst);
  for (const target of limited(cx, nodes(cst, "postfix"))) {
    const into = buildPostfix(cx, target, cst);
    if (into.kind !== "call" && into.kind !== "use-name" && into.kind !== "field" && into.kind !== "index" && into.kind !== "missing") {
      complain(cx, "`|>` needs a function on its right: `x |> f` or `x |> f(a)`", into.span, "this is not a call");
    }
    value = { kind: "pipe", span: joinSpans(value.span, into.span), value, into };
  }
  return value;
}

function buildComparison(cx: BuildContext, cst: CstNode | undefined, near: CstNode): Expression {
  const left = buildChain(cx, node(cst, "sum"), near, ["Plus", "Minus"], "product", buildProduct);
  const [operator] = tokens(cst, "Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual");
  if (operator === undefined) return left;
  const right = buildChain(cx, node(cst, "sum", 1), near, ["Plus", "Minus"], "product", buildProduct);
  return binary(operator, left, right);
}

type BuildPart = (cx: BuildContext, cst: CstNode | undefined, near: CstNode) => Expression;

const buildProduct: BuildPart = (cx, cst, near) => buildChain(cx, cst, near, ["Star", "Slash", "Percent"], "unary", buildUnary);

function buildChain(
  cx: BuildContext,
  cst: CstNode | undefined,
  near: CstNode,
  marks: readonly string[],
  rule: string,
  part: BuildPart,
): Expression {
  let left = part(cx, node(cst, rule), cst ?? near);
  limited(cx, tokens(cst, ...marks)).forEach((operator, i) => {
    left = binary(operator, left, part(cx, node(cst, rule, i + 1), cst ?? near));
  });
  return left;
}

/** What follows the first part of a chain, up to the longest that there may be. */
function limited<T extends CstNode | IToken>(cx: BuildContext, parts: readonly T[]): readonly T[] {
  const beyond = parts[longestChain];
  if (beyond === undefined) return parts;
  const message = `an expression has at most ${longestChain} operators or calls in a row`;
  cx.diagnostics.push(error("too-deep", message, spanOf(cx, beyond), "", ["give its parts names with `let`"]));
  return parts.slice(0, longestChain);
}

function binary(token: IToken, left: Expression, right: Expression): Expression {
  const operator: BinaryOperator = binaryOperators.find((o) => o === token.image) ?? "+";
  return { kind: "binary", span: joinSpans(left.span, right.span), operator, left, right };
}

function buildUnary(cx: BuildContext, cst: CstNode | undefined, near: CstNode): Expression {
  if (cst === undefined) return buildExpression(cx, undefined, near);
  const value = buildPostfix(cx, node(cst, "postfix"), cst);
  const minuses = limited(cx, tokens(cst, "Minus"));
  return minuses.reduceRight<Expression>((inner, minus) => {
    return { kind: "unary", span: joinSpans(spanOf(cx, minus), inner.span), operator: "-", value: inner };
  }, value);
}

function buildPostfix(cx: BuildContext, cst: CstNode | undefined, near: CstNode): Expression {
  let value = buildPrimary(cx, node(cst, "primary"), cst ?? near);
  for (const suffix of limited(cx, nodes(cst, "suffix"))) {
    const span = joinSpans(value.span, spanOf(cx, suffix));
    const args = node(suffix, "args");
    const dims = node(suffix, "dims");
    if (args !== undefined) value = { kind: "call", span, callee: value, args: buildArguments(cx, args) };
    else if (dims !== undefined) value = { kind: "index", span, value, ...buildIndexItems(cx, dims, true) };
    else value = { kind: "field", span, value, name: nameOf(cx, token(suffix, "Identifier"), suffix) };
  }
  return value;
}

function buildPrimary(cx: BuildContext, cst: CstNode | undefined, near: CstNode): Expression {
  const group = node(cst, "group");
  if (group !== undefined) return buildExpression(cx, node(group, "expression"), group);
  const list = node(cst, "list");
  if (list !== undefined) return buildList(cx, list);
  const [found] = Object.values(cst?.children ?? {}).flat();
  if (found === undefined || !("image" in found) || !isReal(found)) return buildExpression(cx, undefined, cst ?? near);
  const span = spanOf(cx, found);
  switch (found.tokenType.name) {
    case "Int": {
      const value = Number(found.image.replaceAll("_", ""));
      if (!Number.isSafeInteger(value)) complain(cx, "this integer is too large", span);
      return { kind: "int", span, value };
    }
    case "FloatLiteral":
    case "WrongNumber":
      return { kind: "float", span, value: Number(found.image.replaceAll("_", "")) };
    case "Text":
    case "UnclosedText":
      return buildText(cx, found);
    case "True":
    case "False":
      return { kind: "bool", span, value: found.tokenType.name === "True" };
    default:
      return { kind: "use-name", span, text: found.image } satisfies NameExpression;
  }
}

export function buildText(cx: BuildContext, found: IToken): TextLiteral {
  const span = spanOf(cx, found);
  if (found.tokenType.name === "UnclosedText") return { kind: "text", span, value: found.image.slice(1) };
  try {
    return { kind: "text", span, value: String(JSON.parse(found.image)) };
  } catch {
    complain(cx, 'a text takes the escapes of JSON: `\\"`, `\\\\`, `\\n`, `\\t`, `\\u0041`', span);
    return { kind: "text", span, value: found.image.slice(1, -1) };
  }
}

function buildList(cx: BuildContext, cst: CstNode): Expression {
  const span = spanOf(cx, cst);
  const items = nodes(cst, "expression").map((item) => buildExpression(cx, item));
  const [item] = items;
  if (token(cst, "For") === undefined || item === undefined) return { kind: "list", span, items };
  return {
    kind: "comprehension",
    span,
    item,
    name: nameOf(cx, token(cst, "Identifier"), cst),
    over: buildRange(cx, node(cst, "range"), cst),
  };
}

/** `a..b`, or a single expression. */
function buildRange(cx: BuildContext, cst: CstNode | undefined, near: CstNode): Expression {
  const from = buildExpression(cx, node(cst, "expression"), cst ?? near);
  if (cst === undefined || token(cst, "DotDot") === undefined) return from;
  return { kind: "range", span: spanOf(cx, cst), from, to: buildExpression(cx, node(cst, "expression", 1), cst) };
}

function buildIndexItems(cx: BuildContext, cst: CstNode, ranges: boolean): { leading: boolean; items: readonly Expression[] } {
  let leading = false;
  const items: Expression[] = [];
  nodes(cst, "indexItem").forEach((item, i) => {
    const dots = token(item, "DotDot");
    const from = node(item, "expression");
    if (from === undefined) {
      if (dots === undefined) return;
      if (i > 0) complain(cx, "`..` stands for the leading axes: it can only come first", spanOf(cx, item));
      leading = true;
      return;
    }
    const value = buildExpression(cx, from);
    if (dots === undefined) {
      items.push(value);
      return;
    }
    if (!ranges) complain(cx, "a dimension is one size, not a range", spanOf(cx, item));
    const to = node(item, "expression", 1);
    items.push({ kind: "range", span: spanOf(cx, item), from: value, ...(to === undefined ? {} : { to: buildExpression(cx, to) }) });
  });
  return { leading, items };
}

export function buildArguments(cx: BuildContext, cst: CstNode | undefined): readonly Argument[] {
  return nodes(cst, "argument").map((argument) => {
    const name = token(argument, "Identifier");
    return {
      kind: "argument",
      span: spanOf(cx, argument),
      ...(name === undefined ? {} : { name: nameOf(cx, name, argument) }),
      value: buildExpression(cx, node(argument, "expression"), argument),
    };
  });
}

export function buildType(cx: BuildContext, cst: CstNode | undefined, near: CstNode): TypeNode {
  const dims = node(cst, "dims");
  const { leading, items } = dims === undefined ? { leading: false, items: [] } : buildIndexItems(cx, dims, false);
  return { kind: "type", span: spanOf(cx, cst ?? near), scalar: nameOf(cx, token(cst, "Identifier"), cst ?? near), leading, dims: items };
}

/** The `name: type` items below a node. */
export function buildInputs(cx: BuildContext, cst: CstNode | undefined): readonly InputDeclaration[] {
  return nodes(cst, "arrayInput").map((input) => ({
    kind: "input",
    span: spanOf(cx, input),
    name: nameOf(cx, token(input, "Identifier"), input),
    type: buildType(cx, node(input, "type"), input),
  }));
}

/** The `name: type = default` items of a module or a policy. */
export function buildParameters(cx: BuildContext, cst: CstNode | undefined): readonly ParameterDeclaration[] {
  return nodes(cst, "parameter").map((parameter) => ({
    kind: "parameter",
    span: spanOf(cx, parameter),
    name: nameOf(cx, token(parameter, "Identifier"), parameter),
    type: nameOf(cx, token(parameter, "Identifier", 1), parameter),
    ...(token(parameter, "Assign") === undefined ? {} : { initial: buildExpression(cx, node(parameter, "expression"), parameter) }),
  }));
}

export function buildBlock(cx: BuildContext, cst: CstNode | undefined, near: CstNode): Block {
  const statements = nodes(cst, "statement").flatMap((statement) => {
    const built = buildStatement(cx, statement);
    return built === undefined ? [] : [built];
  });
  return { kind: "block", span: spanOf(cx, cst ?? near), statements };
}

function buildStatement(cx: BuildContext, cst: CstNode): Statement | undefined {
  const inner = chosen(cst);
  if (inner === undefined) return undefined;
  const span = spanOf(cx, inner.node);
  const name = nameOf(cx, token(inner.node, "Identifier"), inner.node);
  const value = () => buildExpression(cx, node(inner.node, "expression"), inner.node);
  switch (inner.rule) {
    case "declare":
      return { kind: "let", span, name, mutable: token(inner.node, "Var") !== undefined, value: value() };
    case "assign":
      return { kind: "assign", span, name, value: value() };
    case "give":
      return { kind: "return", span, value: value() };
    case "loop": {
      const over = buildRange(cx, node(inner.node, "range"), inner.node);
      return { kind: "for", span, name, over, body: buildBlock(cx, node(inner.node, "block"), inner.node) };
    }
    default:
      throw new Error(`no statement is built from the rule ${inner.rule}`);
  }
}
