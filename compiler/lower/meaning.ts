// What an expression can mean while a function is lowered: a constant, a size, a tensor, a submodule, something to call.
import { type Dim, printDim } from "../../ir/dim.ts";
import type { Value } from "../../ir/module.ts";
import { printType } from "../../ir/type.ts";
import { type Constant, describeConstant, intConstant } from "../sema/constant.ts";
import type { Instance, InstanceArray, Weight } from "../sema/resolved.ts";
import type { FunctionDeclaration } from "../syntax/ast.ts";

export type Meaning =
  | { readonly kind: "constant"; readonly constant: Constant }
  /** A size with a name in it; a size that is a number is an int constant. */
  | { readonly kind: "dim"; readonly dim: Dim }
  | TensorMeaning
  | { readonly kind: "list"; readonly items: readonly Meaning[] }
  | Instance
  | InstanceArray
  | { readonly kind: "function"; readonly instance: Instance; readonly declaration: FunctionDeclaration }
  | { readonly kind: "builtin"; readonly name: string }
  /** After a problem that was reported: whoever gets it says nothing more. */
  | { readonly kind: "failed" };

export interface TensorMeaning {
  readonly kind: "tensor";
  readonly value: Value;
  /** Where the tensor is a parameter as it stands in the state: whose it is. */
  readonly parameter?: { readonly owner: Instance; readonly weight: Weight };
}

export const failed: Meaning = { kind: "failed" };
export const tensorMeaning = (value: Value): TensorMeaning => ({ kind: "tensor", value });
export const dimMeaning = (dim: Dim): Meaning =>
  typeof dim === "number" ? { kind: "constant", constant: intConstant(dim) } : { kind: "dim", dim };

/** Constants that are lists become lists of meanings, so that both are handled alike. */
export const constantMeaning = (constant: Constant): Meaning =>
  constant.kind === "list" ? { kind: "list", items: constant.items.map(constantMeaning) } : { kind: "constant", constant };

/** The size that an int or a dim stands for. */
export function asDim(meaning: Meaning): Dim | undefined {
  if (meaning.kind === "dim") return meaning.dim;
  return meaning.kind === "constant" && meaning.constant.kind === "int" ? meaning.constant.value : undefined;
}

/** `f32[64, 10]`, `the int \`4\``, `the module \`Linear\``, for messages. */
export function describe(meaning: Meaning): string {
  switch (meaning.kind) {
    case "constant":
      return describeConstant(meaning.constant);
    case "dim":
      return `the size \`${printDim(meaning.dim)}\``;
    case "tensor":
      return printType(meaning.value.type);
    case "list":
      return "a list";
    case "instance":
      return `a submodule, ${meaning.module.name.text}`;
    case "instances":
      return `an array of ${meaning.items.length} submodules`;
    case "function":
      return `the function \`${meaning.declaration.name?.text ?? ""}\``;
    case "builtin":
      return `the function \`${meaning.name}\``;
    case "failed":
      return "nothing";
    default:
      return meaning satisfies never;
  }
}
