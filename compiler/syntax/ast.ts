// The abstract syntax of `.loom`: one interface per node kind, readonly, each with its span.
import type { Source, Span } from "../../ir/source.ts";

/** A name as written. Empty where the parser had to make one up after an error. */
export interface Name {
  readonly kind: "name";
  readonly span: Span;
  readonly text: string;
}

export interface SourceFile {
  readonly kind: "file";
  readonly span: Span;
  readonly source: Source;
  readonly items: readonly Item[];
}

export type Item = UseDeclaration | ConstDeclaration | ModuleDeclaration | PolicyDeclaration | PolicyAlias | RecipeDeclaration;

/** `use std.{Linear, RmsNorm}` */
export interface UseDeclaration {
  readonly kind: "use";
  readonly span: Span;
  readonly file: readonly Name[];
  readonly names: readonly Name[];
}

/** `const head = dim / heads`, in a file or a module */
export interface ConstDeclaration {
  readonly kind: "const";
  readonly span: Span;
  readonly name: Name;
  readonly value: Expression;
}

export interface ModuleDeclaration {
  readonly kind: "module";
  readonly span: Span;
  readonly name: Name;
  readonly parameters: readonly ParameterDeclaration[];
  readonly members: readonly Member[];
}

/** `inputs: int`, `bias: bool = false`: a parameter of a module or a policy */
export interface ParameterDeclaration {
  readonly kind: "parameter";
  readonly span: Span;
  readonly name: Name;
  readonly type: Name;
  readonly initial?: Expression;
}

export type Member = WeightDeclaration | ConstDeclaration | RequireDeclaration | ChildDeclaration | TieDeclaration | FunctionDeclaration;

/** `param weight: f32[outputs, inputs] = normal(0.0, 0.02) when bias` */
export interface WeightDeclaration {
  readonly kind: "weight";
  readonly span: Span;
  readonly name: Name;
  readonly type: TypeNode;
  readonly initial: Expression;
  readonly condition?: Expression;
}

export interface RequireDeclaration {
  readonly kind: "require";
  readonly span: Span;
  readonly condition: Expression;
  readonly message?: TextLiteral;
}

/** `wq = Linear(dim, dim) when present`, `layers = [Block(dim) for i in 0..depth]` */
export interface ChildDeclaration {
  readonly kind: "child";
  readonly span: Span;
  readonly name: Name;
  readonly value: Expression;
  readonly condition?: Expression;
}

/** `tie lm_head.weight = embed.table`: the left path names the state of the right one */
export interface TieDeclaration {
  readonly kind: "tie";
  readonly span: Span;
  readonly path: Selector;
  readonly target: Selector;
}

/** A module's function; without a name it is what calling the module does. */
export interface FunctionDeclaration {
  readonly kind: "function";
  readonly span: Span;
  readonly name?: Name;
  readonly inputs: readonly InputDeclaration[];
  readonly result: TypeNode;
  readonly body: Block;
}

/** `x: f32[.., inputs]` */
export interface InputDeclaration {
  readonly kind: "input";
  readonly span: Span;
  readonly name: Name;
  readonly type: TypeNode;
}

/** `f32[.., dim]`; `f32` alone is a scalar */
export interface TypeNode {
  readonly kind: "type";
  readonly span: Span;
  readonly scalar: Name;
  /** Whether the dims begin with `..`, any leading axes. */
  readonly leading: boolean;
  readonly dims: readonly Expression[];
}

export interface Block {
  readonly kind: "block";
  readonly span: Span;
  readonly statements: readonly Statement[];
}

export type Statement = LetStatement | AssignStatement | ForStatement | ReturnStatement;

/** `let q = ...`, `var h = ...` */
export interface LetStatement {
  readonly kind: "let";
  readonly span: Span;
  readonly name: Name;
  readonly mutable: boolean;
  readonly value: Expression;
}

export interface AssignStatement {
  readonly kind: "assign";
  readonly span: Span;
  readonly name: Name;
  readonly value: Expression;
}

/** `for layer in layers { ... }`, `for i in 0..4 { ... }`: unrolled when compiled */
export interface ForStatement {
  readonly kind: "for";
  readonly span: Span;
  readonly name: Name;
  readonly over: Expression;
  readonly body: Block;
}

export interface ReturnStatement {
  readonly kind: "return";
  readonly span: Span;
  readonly value: Expression;
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

/** `quantize quest(w: bits, a: bits) for any { ... }`; no `model` means `any` */
export interface PolicyDeclaration {
  readonly kind: "policy";
  readonly span: Span;
  readonly name: Name;
  readonly parameters: readonly ParameterDeclaration[];
  readonly model?: Name;
  readonly rules: readonly PolicyRule[];
}

/** `quantize quest_w4a4 = quest(w = 4, a = 4)` */
export interface PolicyAlias {
  readonly kind: "alias";
  readonly span: Span;
  readonly name: Name;
  readonly target: PolicyReference;
}

/** `quest(w = 4, a = 4)` where a policy is asked for; without arguments the name alone */
export interface PolicyReference {
  readonly kind: "policy-reference";
  readonly span: Span;
  readonly name: Name;
  readonly args: readonly Argument[];
}

/** `embed?, lm_head? => none` */
export interface PolicyRule {
  readonly kind: "rule";
  readonly span: Span;
  readonly selectors: readonly Selector[];
  readonly scheme: Name;
  readonly settings: readonly Setting[];
}

/** `layers.*.attn.{wq, wk}`, `embed?`, `layers.*.attn:k` */
export interface Selector {
  readonly kind: "selector";
  readonly span: Span;
  readonly segments: readonly Segment[];
  /** After a colon: a value inside the instance. */
  readonly value?: Name;
  /** Whether `?` allows the selector to match nothing. */
  readonly optional: boolean;
}

export type Segment = WordSegment | WildcardSegment | ChoiceSegment;

/** A name or an index of an array of submodules */
export interface WordSegment {
  readonly kind: "word";
  readonly span: Span;
  readonly text: string;
}

/** `*`, one segment, or `**`, any number of them */
export interface WildcardSegment {
  readonly kind: "wildcard";
  readonly span: Span;
  readonly deep: boolean;
}

/** `{wq, wk}`, `{0, 2}` */
export interface ChoiceSegment {
  readonly kind: "choice";
  readonly span: Span;
  readonly names: readonly Name[];
}

/** `bits = 4`; `w` alone is `w = w` */
export interface Setting {
  readonly kind: "setting";
  readonly span: Span;
  readonly name: Name;
  readonly value: SettingValue;
}

export type SettingValue = Expression | Selector | SelectorList;

/** `[layers.**, head]` */
export interface SelectorList {
  readonly kind: "selectors";
  readonly span: Span;
  readonly items: readonly Selector[];
}

/** `train tiny of Llama(depth = 2) with quest_w4a4 { ... }` */
export interface RecipeDeclaration {
  readonly kind: "recipe";
  readonly span: Span;
  readonly name: Name;
  readonly model: Name;
  readonly modelArgs: readonly Argument[];
  readonly policy?: PolicyReference;
  readonly statements: readonly RecipeStatement[];
}

export type RecipeStatement =
  | DataStatement
  | LossStatement
  | OptimizerStatement
  | ScheduleStatement
  | ClipStatement
  | RematStatement
  | EvalStatement
  | CheckpointStatement
  | AccumulateStatement;

/** `data images: f32[64, 784], labels: i32[64] = mnist()` */
export interface DataStatement {
  readonly kind: "data";
  readonly span: Span;
  readonly arrays: readonly InputDeclaration[];
  readonly origin: Expression;
}

export interface LossStatement {
  readonly kind: "loss";
  readonly span: Span;
  readonly body: Block;
}

/** `optimizer adamw { decay = 0.1 }` */
export interface OptimizerStatement {
  readonly kind: "optimizer";
  readonly span: Span;
  readonly name: Name;
  readonly settings: readonly Setting[];
}

export interface ScheduleStatement {
  readonly kind: "schedule";
  readonly span: Span;
  readonly name: Name;
  readonly settings: readonly Setting[];
}

/** `clip grad_norm = 1.0` */
export interface ClipStatement {
  readonly kind: "clip";
  readonly span: Span;
  readonly name: Name;
  readonly value: Expression;
}

export interface RematStatement {
  readonly kind: "remat";
  readonly span: Span;
  readonly selectors: readonly Selector[];
}

/** `eval every 50 { loss over 50 }` */
export interface EvalStatement {
  readonly kind: "eval";
  readonly span: Span;
  readonly every: Expression;
  readonly metrics: readonly Metric[];
}

/** `loss over 50`: what is measured, and over how many batches; all of them where that is not said */
export interface Metric {
  readonly kind: "metric";
  readonly span: Span;
  readonly name: Name;
  readonly over?: Expression;
}

export interface CheckpointStatement {
  readonly kind: "checkpoint";
  readonly span: Span;
  readonly every: Expression;
}

export interface AccumulateStatement {
  readonly kind: "accumulate";
  readonly span: Span;
  readonly value: Expression;
}
