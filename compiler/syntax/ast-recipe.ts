// The abstract syntax of `.loom`: policies, selectors, settings and recipes.
import type { Span } from "../../ir/source.ts";
import type { Block, ConstDeclaration, InputDeclaration, ParameterDeclaration } from "./ast.ts";
import type { Argument, Expression, Name } from "./ast-expression.ts";

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

/** `train tiny of Llama(depth = 2) with quest_w4a4 { ... }`, `train scaled(depth: int) of Llama(depth = depth) { ... }` */
export interface RecipeDeclaration {
  readonly kind: "recipe";
  readonly span: Span;
  readonly name: Name;
  readonly parameters: readonly ParameterDeclaration[];
  readonly model: Name;
  readonly modelArgs: readonly Argument[];
  readonly policy?: PolicyReference;
  readonly statements: readonly RecipeStatement[];
}

/** `train small = scaled(depth = 2)` */
export interface RecipeAlias {
  readonly kind: "recipe-alias";
  readonly span: Span;
  readonly name: Name;
  readonly target: RecipeReference;
}

/** `scaled(depth = 2)` where a recipe is asked for */
export interface RecipeReference {
  readonly kind: "recipe-reference";
  readonly span: Span;
  readonly name: Name;
  readonly args: readonly Argument[];
}

export type RecipeStatement =
  | ConstDeclaration
  | DataStatement
  | LossStatement
  | OptimizerStatement
  | ScheduleStatement
  | ClipStatement
  | RematStatement
  | EvalStatement
  | CheckpointStatement
  | AccumulateStatement
  | PrecisionStatement
  | HeadChunkStatement;

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

/** `checkpoint every 100`, `checkpoint every 300 s` */
export interface CheckpointStatement {
  readonly kind: "checkpoint";
  readonly span: Span;
  readonly every: Expression;
  readonly unit: "steps" | "seconds";
}

export interface AccumulateStatement {
  readonly kind: "accumulate";
  readonly span: Span;
  readonly value: Expression;
}

/** `precision = f16` */
export interface PrecisionStatement {
  readonly kind: "precision";
  readonly span: Span;
  readonly value: Expression;
}

/** `head_chunk = 256`, `head_chunk = none` */
export interface HeadChunkStatement {
  readonly kind: "head_chunk";
  readonly span: Span;
  readonly value: Expression;
}
