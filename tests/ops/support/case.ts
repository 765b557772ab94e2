// What a family's case file says about its ops: hand-computed results, and where to check gradients.
import type { Attributes } from "../../../ir/attribute.ts";
import type { TypedTensor } from "../../../ir/evaluate-op.ts";
import type { Precision, Tensor } from "../../../ir/tensor.ts";

export interface SemanticsCase {
  readonly what: string;
  readonly operands: readonly TypedTensor[];
  readonly attrs?: Attributes;
  readonly precision?: Precision;
  readonly state?: Readonly<Record<string, Tensor>>;
  /** Types and values of the results. */
  readonly expect: readonly TypedTensor[];
  /** Largest difference allowed; 0 (equality) where absent. */
  readonly within?: number;
}

export interface GradientCase {
  readonly what?: string;
  readonly operands: readonly TypedTensor[];
  readonly attrs?: Attributes;
}

export interface OpCases {
  readonly semantics: readonly SemanticsCase[];
  /** Points without kinks. */
  readonly gradients?: readonly GradientCase[];
  /** Points where the rule says that there is no gradient: the difference must be 0. */
  readonly flatAt?: readonly GradientCase[];
  /** Operands or attributes that `infer` refuses, with a part of the message. */
  readonly rejects?: readonly { readonly operands: readonly TypedTensor[]; readonly attrs?: Attributes; readonly says: string }[];
  /** Why there is no gradient case although the op has a rule. */
  readonly gradientElsewhere?: string;
}

export type Cases = Readonly<Record<string, OpCases>>;
