// The abstract syntax of `.loom`: names and expressions.
import type { Span } from "../../ir/source.ts";

/** A name as written. Empty where the parser had to make one up after an error. */
export interface Name {
  readonly kind: "name";
  readonly span: Span;
  readonly text: string;
}

export type Expression =
  | IntLiteral
  | FloatLiteral
  | TextLiteral
  | BoolLiteral
  | NameExpression
  | ListExpression
  | ComprehensionExpression
  | RangeExpression
  | CallExpression
  | IndexExpression
  | FieldExpression
  | UnaryExpression
  | BinaryExpression
  | PipeExpression
  | IfExpression
  | MissingExpression;

export interface IntLiteral {
  readonly kind: "int";
  readonly span: Span;
  readonly value: number;
}

export interface FloatLiteral {
  readonly kind: "float";
  readonly span: Span;
  readonly value: number;
}

export interface TextLiteral {
  readonly kind: "text";
  readonly span: Span;
  readonly value: string;
}

export interface BoolLiteral {
  readonly kind: "bool";
  readonly span: Span;
  readonly value: boolean;
}

export interface NameExpression {
  readonly kind: "use-name";
  readonly span: Span;
  readonly text: string;
}

export interface ListExpression {
  readonly kind: "list";
  readonly span: Span;
  readonly items: readonly Expression[];
}

/** `[Block(dim) for i in 0..depth]` */
export interface ComprehensionExpression {
  readonly kind: "comprehension";
  readonly span: Span;
  readonly item: Expression;
  readonly name: Name;
  readonly over: Expression;
}

/** `0..depth`, half open; in an index the end may be left out */
export interface RangeExpression {
  readonly kind: "range";
  readonly span: Span;
  readonly from: Expression;
  readonly to?: Expression;
}

export interface CallExpression {
  readonly kind: "call";
  readonly span: Span;
  readonly callee: Expression;
  readonly args: readonly Argument[];
}

/** `x` or `causal = true` in a call */
export interface Argument {
  readonly kind: "argument";
  readonly span: Span;
  readonly name?: Name;
  readonly value: Expression;
}

/** `x[.., 0..128]` */
export interface IndexExpression {
  readonly kind: "index";
  readonly span: Span;
  readonly value: Expression;
  /** Whether the items begin with `..`, any leading axes. */
  readonly leading: boolean;
  readonly items: readonly Expression[];
}

export interface FieldExpression {
  readonly kind: "field";
  readonly span: Span;
  readonly value: Expression;
  readonly name: Name;
}

export interface UnaryExpression {
  readonly kind: "unary";
  readonly span: Span;
  readonly operator: "-";
  readonly value: Expression;
}

export const binaryOperators = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">="] as const;
export type BinaryOperator = (typeof binaryOperators)[number];

export interface BinaryExpression {
  readonly kind: "binary";
  readonly span: Span;
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}

/** `x |> f(a)`, which is `f(x, a)` */
export interface PipeExpression {
  readonly kind: "pipe";
  readonly span: Span;
  readonly value: Expression;
  readonly into: Expression;
}

export interface IfExpression {
  readonly kind: "if";
  readonly span: Span;
  readonly condition: Expression;
  readonly then: Expression;
  readonly otherwise: Expression;
}

/** Stands where an expression should be; the parser has reported it. */
export interface MissingExpression {
  readonly kind: "missing";
  readonly span: Span;
}
