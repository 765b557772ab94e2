// WGSL as data: the nodes behind the typed builder, and where each statement came from. Only wgsl.ts builds them, only wgsl-print.ts prints them.

import type { DenseScalar, loadedAs } from "../../ir/scalar.ts";

export type WgslScalar = "f32" | "i32" | "u32" | "bool";
export type WgslVector = "vec4f" | "vec4i" | "vec4u" | "vec4b";
export type WgslType = WgslScalar | WgslVector;
/** What buffers are arrays of. A kernel computes with f32 what it stores as f16. */
export type StoredScalar = DenseScalar;
export type LoadedAs<S extends StoredScalar> = (typeof loadedAs)[S];

export const vectorOf = { f32: "vec4f", i32: "vec4i", u32: "vec4u", bool: "vec4b" } as const satisfies Record<WgslScalar, WgslVector>;
export const elementOf = {
  f32: "f32",
  i32: "i32",
  u32: "u32",
  bool: "bool",
  vec4f: "f32",
  vec4i: "i32",
  vec4u: "u32",
  vec4b: "bool",
} as const satisfies Record<WgslType, WgslScalar>;
export const isVector = (type: WgslType): type is WgslVector => type.startsWith("vec4");

export type Node =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "literal"; readonly text: string }
  /** A 32-bit word that becomes an immediate. `keep`: it cannot stay a constant (infinities, which WGSL forbids in constants). */
  | { readonly kind: "size"; readonly value: number; readonly keep: boolean }
  | { readonly kind: "prefix"; readonly op: string; readonly a: Node }
  | { readonly kind: "infix"; readonly op: string; readonly a: Node; readonly b: Node }
  | { readonly kind: "call"; readonly callee: string; readonly args: readonly Node[] }
  | { readonly kind: "component"; readonly a: Node; readonly name: "x" | "y" | "z" | "w" }
  /** An element of a shared array. */
  | { readonly kind: "element"; readonly array: string; readonly index: Node }
  /** `lanes` consecutive elements of a binding; `index` counts in units of `lanes` elements. */
  | { readonly kind: "read"; readonly binding: number; readonly scalar: StoredScalar; readonly lanes: 1 | 2 | 4; readonly index: Node };

export type Statement = { readonly serves: string | undefined } & (
  | { readonly kind: "let"; readonly name: string; readonly value: Node }
  | { readonly kind: "var"; readonly name: string; readonly type: WgslType; readonly value: Node | undefined }
  | { readonly kind: "assign"; readonly target: Node; readonly op: "=" | "+=" | "|=" | "^="; readonly value: Node }
  /** `index` and `value` are names or literals, so that they may be printed more than once. */
  | {
      readonly kind: "write";
      readonly binding: number;
      readonly scalar: StoredScalar;
      readonly lanes: 1 | 4;
      readonly index: Node;
      readonly value: Node;
    }
  | { readonly kind: "if"; readonly condition: Node; readonly body: readonly Statement[] }
  | {
      readonly kind: "for";
      readonly name: string;
      readonly from: Node;
      readonly below: Node;
      readonly step: Node;
      readonly body: readonly Statement[];
    }
  | { readonly kind: "barrier" }
);

/** How a kernel uses a binding: decides how it is declared. */
export interface BindingUseRecord {
  readonly scalars: Set<StoredScalar>;
  scalarStores: boolean;
  vectors: boolean;
  /** Pairs of words: nothing else reads such a binding. */
  pairs: boolean;
}

export interface SharedArray {
  readonly name: string;
  readonly type: WgslType;
  readonly count: number;
}

/** Built-in values a kernel may ask for, by the name that they have in its text. */
export const builtins = {
  group: { name: "workgroup_id", type: "vec3u" },
  local: { name: "local_invocation_index", type: "u32" },
  lane: { name: "subgroup_invocation_id", type: "u32" },
} as const;
export type Builtin = keyof typeof builtins;
