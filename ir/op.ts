// What an op is: a signature (plain data) and its rules, held together by types so that a missing or misfitting rule does not compile.
import type { AttributeSpec, Attributes, AttributesOf } from "./attribute.ts";
import type { Builder } from "./builder.ts";
import type { Value } from "./module.ts";
import type { ScalarExpr } from "./scalar.ts";
import type { Tensor } from "./tensor.ts";
import type { Type } from "./type.ts";

/** Forms of a module, in the order in which the pipeline reaches them. */
export const forms = ["surface", "quantized", "differentiated", "primitive"] as const;
export type Form = (typeof forms)[number];

/** Operand names in order, as a tuple; `variadic("grads")` stands for one or more operands. */
export type OperandNames = readonly string[];

/** One or more operands. Typed as a list, not a tuple, so that rules get lists too. */
export const variadic = (name: string): readonly string[] => [`...${name}`];

/** The name behind {@link variadic}, or undefined for a fixed list of operands. */
export function variadicName(operands: OperandNames): string | undefined {
  return operands[0]?.startsWith("...") ? operands[0].slice(3) : undefined;
}

export interface Signature<
  O extends OperandNames = OperandNames,
  R extends readonly string[] = readonly string[],
  A extends AttributeSpec = AttributeSpec,
> {
  readonly name: string;
  readonly summary: string;
  readonly operands: O;
  readonly results: R;
  readonly attrs: A;
  /** Forms in which the op may stand; all by default. A composite ({@link define}) is gone in `primitive`, whatever stands here. */
  readonly forms: readonly Form[];
  /** Whether models call the op by its name: operands first, then attributes. */
  readonly callable: boolean;
}

/** One T for each name; for a variadic op a list. */
export type PerOperand<O extends OperandNames, T> = { readonly [K in keyof O]: T };
export type PerResult<R extends readonly string[], T> = R extends readonly [string] ? T : { readonly [K in keyof R]: T };
type Each<R extends readonly string[], T> = { readonly [K in keyof R]: T };

interface SignatureInput<O extends OperandNames, R extends readonly string[], A extends AttributeSpec> {
  readonly name: string;
  readonly summary: string;
  readonly operands: O;
  readonly results?: R;
  readonly attrs?: A;
  readonly forms?: readonly Form[];
  readonly callable?: boolean;
}

/** Declare an op's name, operands, results (default one, `out`), attributes (default none) and whether models call it (default not). */
export function signature<
  const O extends OperandNames,
  const R extends readonly string[] = readonly ["out"],
  // biome-ignore lint/complexity/noBannedTypes: the empty specification is exactly {}.
  const A extends AttributeSpec = {},
>(input: SignatureInput<O, R, A>): Signature<O, R, A> {
  return {
    ...input,
    results: input.results ?? (["out"] as unknown as R),
    attrs: input.attrs ?? ({} as A),
    forms: input.forms ?? forms,
    callable: input.callable ?? false,
  };
}

/**
 * Where an element of a view lies in its operand: the operand's coordinates (u32) from the result's. Where `inside` is given and
 * false the element is zero, and the coordinates must be in range all the same.
 */
export type ViewIndex<A extends AttributeSpec> = (
  coordinates: readonly ScalarExpr[],
  attrs: AttributesOf<A>,
  operand: readonly number[],
  result: readonly number[],
) => { readonly coordinates: readonly ScalarExpr[]; readonly inside?: ScalarExpr };

/**
 * How an op becomes kernels.
 * - `pointwise`: a scalar body, from which the reference semantics follow too. Inputs have the operands' scalar types (`scalarTypeOf`).
 *   An operand has the results' shape, or is a scalar or a scale that serves several elements: `operandCoordinates` of pointwise.ts.
 * - `view`: no kernel of its own; see views.ts for how consumers index through it.
 * - `kernel`: a family with a template.
 * - `expand`: a composite, rewritten to other ops by the pass `expand`.
 * - `source`: state, constants, iota: nothing to compute, or a function of the index alone.
 */
export type Lowering<O extends OperandNames, R extends readonly string[], A extends AttributeSpec> =
  | {
      readonly kind: "pointwise";
      body(
        inputs: PerOperand<O, ScalarExpr>,
        attrs: AttributesOf<A>,
        types: { readonly operands: PerOperand<O, Type>; readonly results: Each<R, Type> },
      ): PerResult<R, ScalarExpr>;
    }
  | {
      readonly kind: "view";
      readonly index: ViewIndex<A>;
      /** Where the result has the operand's own type: whether every element keeps its place, so that the view is nothing. */
      readonly isIdentity: true | ((attrs: AttributesOf<A>, type: Type) => boolean);
    }
  | { readonly kind: "kernel"; readonly family: "reduce" | "dot" | "rows" | "attention" | "gather" | "scatter" | "write" | "norm" | "join" }
  | { readonly kind: "expand"; expand(b: Builder, operands: PerOperand<O, Value>, attrs: AttributesOf<A>): PerResult<R, Value> }
  | { readonly kind: "source" };

/** The vector-Jacobian product: a cotangent or undefined per result in, a value or undefined per operand out. */
export type Vjp<O extends OperandNames, R extends readonly string[], A extends AttributeSpec> = (
  b: Builder,
  cotangents: Each<R, Value | undefined>,
  operands: PerOperand<O, Value>,
  results: Each<R, Value>,
  attrs: AttributesOf<A>,
) => PerOperand<O, Value | undefined>;

export interface Rules<O extends OperandNames, R extends readonly string[], A extends AttributeSpec> {
  /** Result types from operand types; rejects with a message what does not fit. */
  infer(operands: PerOperand<O, Type>, attrs: AttributesOf<A>): PerResult<R, Type>;
  /**
   * Reference semantics; `types` are the operands'. Floats may be answered in f64: the interpreter rounds them to its precision (see tensor.ts).
   * Pointwise ops and composites have theirs from `lower`, views may.
   */
  readonly evaluate:
    | "from lower"
    | ((
        operands: PerOperand<O, Tensor>,
        attrs: AttributesOf<A>,
        results: Each<R, Type>,
        types: PerOperand<O, Type>,
      ) => PerResult<R, Tensor>);
  readonly vjp: "none" | Vjp<O, R, A>;
  readonly lower: Lowering<O, R, A>;
}

/** An op as tables hold it: rules over plain lists, attributes without static types. Make one with {@link define}. */
export interface Op {
  readonly signature: Signature;
  infer(operands: readonly Type[], attrs: Attributes): readonly Type[];
  readonly evaluate:
    | "from lower"
    | ((operands: readonly Tensor[], attrs: Attributes, results: readonly Type[], types: readonly Type[]) => readonly Tensor[]);
  readonly vjp: "none" | Vjp<OperandNames, readonly string[], AttributeSpec>;
  readonly lower: Lowering<OperandNames, readonly [string, string], AttributeSpec>;
}

/** Tie rules to a signature. The result has erased types: ops live in one table. */
export function define<O extends OperandNames, R extends readonly string[], A extends AttributeSpec>(
  sig: Signature<O, R, A>,
  rules: Rules<O, R, A>,
): Op {
  const many = <T>(one: PerResult<R, T>): readonly T[] => (sig.results.length === 1 ? [one as T] : (one as readonly T[]));
  // Operand counts are checked by the builder and the verifier before any rule runs, so these casts only forget tuple lengths.
  const erased = rules as unknown as Rules<OperandNames, readonly string[], AttributeSpec>;
  const { evaluate, lower } = erased;
  const each = <T>(result: unknown): readonly T[] => many(result as PerResult<R, T>);
  const isComposite = lower.kind === "expand";
  return {
    signature: { ...(sig as unknown as Signature), forms: isComposite ? sig.forms.filter((form) => form !== "primitive") : sig.forms },
    infer: (operands, attrs) => each(erased.infer(operands, attrs)),
    evaluate: evaluate === "from lower" ? evaluate : (operands, attrs, results, types) => each(evaluate(operands, attrs, results, types)),
    vjp: erased.vjp as Op["vjp"],
    lower:
      lower.kind === "pointwise"
        ? {
            kind: "pointwise",
            body: (inputs, attrs, types) => each(lower.body(inputs, attrs, types)) as unknown as readonly [ScalarExpr, ScalarExpr],
          }
        : isComposite
          ? { kind: "expand", expand: (b, operands, attrs) => each(lower.expand(b, operands, attrs)) as unknown as readonly [Value, Value] }
          : (lower as Op["lower"]),
  };
}
