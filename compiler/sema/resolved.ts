// What sema answers: the instance tree with its constants, the policy's choice for each site, and the recipe as plain data.
import type { RunRecord } from "../../ir/artifact.ts";
import type { Dim } from "../../ir/dim.ts";
import type { HostRule } from "../../ir/host.ts";
import type { InitRule } from "../../ir/init.ts";
import type { OptimizerSpec } from "../../ir/module.ts";
import type { QuantizeChoice } from "../../ir/quant/choice.ts";
import type { Source, Span } from "../../ir/source.ts";
import type { TensorType } from "../../ir/type.ts";
import type { FunctionDeclaration, ModuleDeclaration } from "../syntax/ast.ts";
import type { Expression } from "../syntax/ast-expression.ts";
import type { LossStatement } from "../syntax/ast-recipe.ts";
import type { Constant } from "./constant.ts";

export interface Resolved {
  /** The root file first, then what it uses. */
  readonly sources: readonly Source[];
  readonly model: Instance;
  /** `Mlp(inputs = 784, hidden = 256, classes = 10)` */
  readonly modelName: string;
  /** Path of a tied parameter -> path of the parameter whose state it names. */
  readonly ties: ReadonlyMap<string, string>;
  readonly policy?: ResolvedPolicy;
  readonly recipe?: Recipe;
  /** Dims bound from outside: `--set B=64`. */
  readonly dims: ReadonlyMap<string, Dim>;
}

/** A module with its parameters bound, at a place in the model. */
export interface Instance {
  readonly kind: "instance";
  /** `layers.3.attn.wq`; empty for the model itself. */
  readonly path: string;
  readonly module: ModuleDeclaration;
  /** Parameters, `const`s, and the constants of the module's file. */
  readonly constants: ReadonlyMap<string, Constant>;
  /** Bound parameters in declared order, for messages and names. */
  readonly parameters: ReadonlyMap<string, Constant>;
  readonly weights: ReadonlyMap<string, Weight>;
  readonly children: ReadonlyMap<string, Instance | InstanceArray>;
  /** Weights and children whose `when` is false: name -> the condition. */
  readonly absent: ReadonlyMap<string, Expression>;
  /** By name; the function without one under "". */
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  /** The call that made it. */
  readonly declaredAt: Span;
}

export interface InstanceArray {
  readonly kind: "instances";
  readonly path: string;
  readonly items: readonly Instance[];
  readonly declaredAt: Span;
}

/** A parameter of the model: one tensor of state. */
export interface Weight {
  /** Name of its state: the instance's path and the parameter's name. */
  readonly path: string;
  readonly type: TensorType;
  readonly init: InitRule;
  readonly declaredAt: Span;
}

export interface ResolvedPolicy {
  /** `quest_w4a4`, `quest(w = 2, a = 4)` */
  readonly name: string;
  /** By path of the site. */
  readonly sites: ReadonlyMap<string, SiteChoice>;
}

/** No `choice` means that the site stays in float. */
export interface SiteChoice {
  readonly choice?: QuantizeChoice;
  /** The rule that decided. */
  readonly rule: Span;
}

export interface Recipe {
  readonly name: string;
  readonly at: Span;
  /** Constants of the recipe's file, for its `loss`. */
  readonly constants: ReadonlyMap<string, Constant>;
  readonly arrays: readonly DataArray[];
  readonly loss: LossStatement;
  readonly optimizer: OptimizerSpec;
  readonly learningRate: HostRule;
  readonly clipNorm?: number;
  /** Names of the state that weight decay applies to. */
  readonly decays: ReadonlySet<string>;
  /** Paths of the instances whose activations are computed again in the backward pass; `auto`: whatever a memory budget asks for. */
  readonly rematerialize: readonly string[] | "auto";
  /** Micro-batches a step. */
  readonly accumulate: number;
  /** What activations are stored as, where the adapter has it. */
  readonly precision: "f32" | "f16";
  /** Rows of a chunk of the head with its loss; `auto`: by the size of the logits. */
  readonly headChunk: "auto" | "none" | number;
  readonly run: RunRecord;
}

export interface DataArray {
  readonly name: string;
  readonly type: TensorType;
  readonly declaredAt: Span;
}

/** All instances below one, itself first, in order of declaration. */
export function instancesBelow(instance: Instance): readonly Instance[] {
  const below = [...instance.children.values()].flatMap((child) => (child.kind === "instance" ? [child] : child.items));
  return [instance, ...below.flatMap(instancesBelow)];
}
