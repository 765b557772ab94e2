// The abstract syntax of `.loom`: files, modules and statements. One interface per node kind, readonly, each with its span.
import type { Source, Span } from "../../ir/source.ts";
import type { Expression, Name, TextLiteral } from "./ast-expression.ts";
import type { PolicyAlias, PolicyDeclaration, RecipeAlias, RecipeDeclaration, Selector } from "./ast-recipe.ts";

export interface SourceFile {
  readonly kind: "file";
  readonly span: Span;
  readonly source: Source;
  readonly items: readonly Item[];
}

export type Item =
  | UseDeclaration
  | ConstDeclaration
  | ModuleDeclaration
  | PolicyDeclaration
  | PolicyAlias
  | RecipeDeclaration
  | RecipeAlias;

/** `use std.{Linear, RmsNorm}` */
export interface UseDeclaration {
  readonly kind: "use";
  readonly span: Span;
  readonly file: readonly Name[];
  readonly names: readonly Name[];
}

/** `const head = dim / heads`, in a file, a module or a recipe */
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

/** `inputs: int`, `bias: bool = false`: a parameter of a module, a policy or a recipe */
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
