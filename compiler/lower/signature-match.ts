// Checking tensors against written types: sizes are compared, capitals are bound, `..` takes the leading axes.
import { addDims, type Dim, dimsEqual, divideDims, multiplyDims, printDim, productOf, subtractDims, symbol } from "../../ir/dim.ts";
import { type Scalar, scalars, type TensorType, type Type, tensor } from "../../ir/type.ts";
import type { Constant } from "../sema/constant.ts";
import type { TypeNode } from "../syntax/ast.ts";
import type { Expression } from "../syntax/ast-expression.ts";

/** Sizes that a call's signature knows: module constants, and names bound by the arguments so far. */
export interface SizeScope {
  readonly constants: ReadonlyMap<string, Constant>;
  readonly dims: Map<string, Dim>;
  /** What `..` stands for, once an argument has said so. */
  leading: readonly Dim[] | undefined;
}

export type Size =
  | { readonly kind: "size"; readonly dim: Dim }
  /** A capital that nothing has bound yet. */
  | { readonly kind: "free"; readonly name: string }
  | { readonly kind: "unknown"; readonly message: string; readonly at: Expression };

/** The size that an expression in a type means. */
function sizeOf(expression: Expression, scope: SizeScope): Size {
  const unknown = (message: string): Size => ({ kind: "unknown", message, at: expression });
  switch (expression.kind) {
    case "int":
      return { kind: "size", dim: expression.value };
    case "use-name": {
      const bound = scope.dims.get(expression.text);
      if (bound !== undefined) return { kind: "size", dim: bound };
      const constant = scope.constants.get(expression.text);
      if (constant?.kind === "int") return { kind: "size", dim: constant.value };
      if (constant !== undefined) return unknown(`\`${expression.text}\` is no size: it is a ${constant.kind}`);
      return isSymbol(expression.text) ? { kind: "free", name: expression.text } : unknown(`no size is named \`${expression.text}\``);
    }
    case "binary": {
      const left = sizeOf(expression.left, scope);
      const right = sizeOf(expression.right, scope);
      if (left.kind === "unknown") return left;
      if (right.kind === "unknown") return right;
      if (left.kind === "free")
        return unknown(`\`${left.name}\` is not known here: it must stand alone before it is used in a sum or product`);
      if (right.kind === "free")
        return unknown(`\`${right.name}\` is not known here: it must stand alone before it is used in a sum or product`);
      const dim = combineSizes(expression.operator, left.dim, right.dim);
      return dim === undefined
        ? unknown(`\`${printDim(left.dim)} ${expression.operator} ${printDim(right.dim)}\` is no size`)
        : { kind: "size", dim };
    }
    default:
      return unknown("a size is a number, a name, or a sum or product of them");
  }
}

/** Unbound sizes have names that start with a capital. */
const isSymbol = (name: string): boolean => /^[A-Z]/.test(name);

/** Undefined where the result is no size: an inexact quotient, or a comparison. */
export function combineSizes(operator: string, a: Dim, b: Dim): Dim | undefined {
  switch (operator) {
    case "+":
      return addDims(a, b);
    case "-":
      return subtractDims(a, b);
    case "*":
      return multiplyDims(a, b);
    case "/":
      return divideDims(a, b);
    case "%":
      return typeof a === "number" && typeof b === "number" && b > 0 ? a % b : undefined;
    default:
      return undefined;
  }
}

/** Why a tensor does not fit a written type. `size` is the expression of the axis that differs. */
export interface Mismatch {
  readonly kind: "scalar" | "rank" | "size" | "unknown";
  /** What is wanted: `a last axis of 512`, `f32[.., 512]`. */
  readonly wanted: string;
  readonly got: string;
  readonly size?: Expression;
  readonly help: readonly string[];
}

/** Match a tensor's type, binding capitals and `..` in the scope as it goes. */
export function matchType(node: TypeNode, actual: Type, scope: SizeScope): Mismatch | undefined {
  const whole = (kind: "scalar" | "rank"): Mismatch => ({ kind, wanted: printWritten(node, scope), got: printShape(actual), help: [] });
  if (actual.kind !== "tensor" || actual.scalar !== node.scalar.text) {
    const more = actual.dims.length - node.dims.length;
    const isOnlyScalar =
      actual.kind === "tensor" && scalars.some((s) => s === node.scalar.text) && (more === 0 || (node.leading && more > 0));
    return { ...whole("scalar"), help: isOnlyScalar ? [`convert it with \`cast(${node.scalar.text})\``] : [] };
  }
  const extra = actual.dims.length - node.dims.length;
  if (extra < 0 || (extra > 0 && !node.leading)) return whole("rank");
  const leading = actual.dims.slice(0, extra);
  // Trailing axes first: a wrong one says more than axes in front that do not repeat.
  for (let i = node.dims.length - 1; i >= 0; i--) {
    const [expression, dim] = [node.dims[i], actual.dims[i + extra]];
    if (expression === undefined || dim === undefined) continue;
    const size = sizeOf(expression, scope);
    if (size.kind === "unknown") return { kind: "unknown", wanted: size.message, got: "", size: size.at, help: [] };
    if (size.kind === "size" && !dimsEqual(size.dim, dim)) {
      return {
        kind: "size",
        wanted: `${axisName(i, node)} of ${printDim(size.dim)}`,
        got: printDim(dim),
        size: expression,
        help: mergeHelp(i === node.dims.length - 1, size.dim, actual),
      };
    }
    if (size.kind === "free") scope.dims.set(size.name, dim);
  }
  if (!node.leading) return undefined;
  const before = scope.leading;
  if (before === undefined) scope.leading = leading;
  else if (before.length !== leading.length || before.some((d, i) => !dimsEqual(d, leading[i] ?? -1))) return whole("rank");
  return undefined;
}

/** Bind the free capitals of a list of types to themselves: the sizes of an entry that nobody has fixed. Undefined where an axis count is open. */
export function inventType(node: TypeNode, scope: SizeScope): TensorType | Size | undefined {
  const scalar: Scalar | undefined = scalars.find((s) => s === node.scalar.text);
  if (node.leading || scalar === undefined) return undefined;
  const dims: Dim[] = [];
  for (const expression of node.dims) {
    const size = sizeOf(expression, scope);
    if (size.kind === "unknown") return size;
    const dim = size.kind === "free" ? symbol(size.name) : size.dim;
    if (size.kind === "free") scope.dims.set(size.name, dim);
    dims.push(dim);
  }
  return tensor(scalar, dims);
}

function axisName(index: number, node: TypeNode): string {
  if (index === node.dims.length - 1) return "a last axis";
  return node.leading ? `axis ${index - node.dims.length}` : `axis ${index}`;
}

/** Where the last axes make up the one that is wanted. */
function mergeHelp(isLast: boolean, wanted: Dim, actual: Type): readonly string[] {
  if (!isLast) return [];
  const tail = actual.dims.slice(-2);
  return tail.length === 2 && dimsEqual(productOf(tail), wanted)
    ? [`the last two axes, [${tail.map(printDim).join(", ")}], make up ${printDim(wanted)}; merge them first with \`merge(-2)\``]
    : [];
}

/** The written type with what is known put in: `f32[.., 512]`. */
export function printWritten(node: TypeNode, scope: SizeScope): string {
  const dims = node.dims.map((expression) => {
    const size = sizeOf(expression, scope);
    return size.kind === "size" ? printDim(size.dim) : size.kind === "free" ? size.name : "?";
  });
  const leading = node.leading ? (scope.leading === undefined ? [".."] : scope.leading.map(printDim)) : [];
  return `${node.scalar.text}[${[...leading, ...dims].join(", ")}]`;
}

function printShape(type: Type): string {
  return type.kind === "tensor" ? `${type.scalar}[${type.dims.map(printDim).join(", ")}]` : "codes";
}
