// The typed WGSL builder: expressions carry their type, so that mixing types or passing text does not compile.
// Bindings, shared arrays, built-ins and extensions are collected from use; statements remember the IR value that they serve.
import { loadedAs } from "../../ir/scalar.ts";
import {
  type BindingUseRecord,
  type Builtin,
  elementOf,
  isVector,
  type LoadedAs,
  type Node,
  type SharedArray,
  type Statement,
  type StoredScalar,
  vectorOf,
  type WgslScalar,
  type WgslType,
  type WgslVector,
} from "./wgsl-node.ts";

declare const made: unique symbol;

/** An expression of type T. Made by the functions of this module only. */
export interface E<T extends WgslType> {
  readonly type: T;
  readonly node: Node;
  readonly [made]: T;
}
export type AnyE = E<WgslType>;
export type NumericType = Exclude<WgslType, "bool" | "vec4b">;
export type VectorOf<S extends WgslScalar> = (typeof vectorOf)[S];
export type ElementOf<T extends WgslType> = (typeof elementOf)[T];
export type BoolLike<T extends WgslType> = T extends WgslVector ? "vec4b" : "bool";
type Words = "u32" | "vec4u";
type Integers = "i32" | "vec4i" | Words;
type Truth = "bool" | "vec4b";

/** For code that knows the type by other means than the compiler's (the printer of scalar expressions). */
export const expression = <T extends WgslType>(type: T, node: Node): E<T> => ({ type, node }) as E<T>;

/** Whether an expression has one of these types. */
export const isOf = <T extends WgslType>(e: AnyE, ...types: readonly T[]): e is E<T> => (types as readonly WgslType[]).includes(e.type);

// Literals.
export const u32 = (value: number): E<"u32"> => expression("u32", { kind: "literal", text: `${value >>> 0}u` });
export const i32 = (value: number): E<"i32"> =>
  expression("i32", { kind: "literal", text: value === -(2 ** 31) ? "i32(-2147483648)" : `${value | 0}i` });
export const bool = (value: boolean): E<"bool"> => expression("bool", { kind: "literal", text: String(value) });
/** A size, stride or position: passed as an immediate, so that the text does not depend on it. */
export const size = (value: number): E<"u32"> => expression("u32", { kind: "size", value: value >>> 0, keep: false });

export function f32(value: number): E<"f32"> {
  const rounded = Math.fround(value);
  if (Number.isFinite(rounded)) return expression("f32", { kind: "literal", text: printF32(rounded) });
  // WGSL has no constant that is not finite; a word from outside is taken as it is.
  const word = Number.isNaN(rounded) ? 0x7fc00000 : rounded > 0 ? 0x7f800000 : 0xff800000;
  return expression("f32", { kind: "call", callee: "bitcast<f32>", args: [{ kind: "size", value: word, keep: true }] });
}

/** Tint refuses a literal above it, also one that would round to it. */
const largestF32 = (2 - 2 ** -23) * 2 ** 127;

/** The shortest decimal that rounds to the same f32. */
function printF32(value: number): string {
  let text = String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) !== value || Math.abs(shorter) > largestF32) continue;
    text = String(shorter);
    break;
  }
  if (Object.is(value, -0)) text = "-0";
  return /[.e]/.test(text) ? `${text.replace("e+", "e")}f` : `${text}.0f`;
}

// Operators. The second operand does not take part in inference, so that E<"u32"> + E<"f32"> is an error and not E<"u32" | "f32">.
const infix = <T extends WgslType>(type: T, op: string, a: AnyE, b: AnyE): E<T> =>
  expression(type, { kind: "infix", op, a: a.node, b: b.node });
export const add = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "+", a, b);
export const sub = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "-", a, b);
export const mul = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "*", a, b);
export const div = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "/", a, b);
export const rem = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "%", a, b);
/** A vector times a scalar of its element type. */
export const scale = <S extends "f32" | "i32" | "u32">(a: E<VectorOf<S>>, b: E<S>): E<VectorOf<S>> => infix(a.type, "*", a, b);
export const bitAnd = <T extends Integers>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "&", a, b);
export const bitOr = <T extends Integers>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "|", a, b);
export const bitXor = <T extends Integers>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "^", a, b);
export const shiftLeft = <T extends Words>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "<<", a, b);
export const shiftRight = <T extends Words>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, ">>", a, b);

const compare = <T extends WgslType>(op: string, a: E<T>, b: AnyE): E<BoolLike<T>> =>
  infix((isVector(a.type) ? "vec4b" : "bool") as BoolLike<T>, op, a, b);
export const lt = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<BoolLike<T>> => compare("<", a, b);
export const gt = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<BoolLike<T>> => compare(">", a, b);
export const eq = <T extends WgslType>(a: E<T>, b: E<NoInfer<T>>): E<BoolLike<T>> => compare("==", a, b);
export const and = (a: E<"bool">, b: E<"bool">): E<"bool"> => infix("bool", "&&", a, b);
/** Without short circuit; on vectors, each component by itself. */
export const both = <T extends Truth>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "&", a, b);
export const either = <T extends Truth>(a: E<T>, b: E<NoInfer<T>>): E<T> => infix(a.type, "|", a, b);

const call = <T extends WgslType>(type: T, callee: string, ...args: readonly AnyE[]): E<T> =>
  expression(type, { kind: "call", callee, args: args.map((a) => a.node) });
export const min = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<T> => call(a.type, "min", a, b);
export const max = <T extends NumericType>(a: E<T>, b: E<NoInfer<T>>): E<T> => call(a.type, "max", a, b);
export const exp = <T extends "f32" | "vec4f">(a: E<T>): E<T> => call(a.type, "exp", a);
export const abs = <T extends NumericType>(a: E<T>): E<T> => call(a.type, "abs", a);
export const select = <T extends WgslType>(condition: E<"bool"> | E<BoolLike<T>>, yes: E<T>, no: E<NoInfer<T>>): E<T> =>
  call(yes.type, "select", no, yes, condition);
export const bitcast = <T extends NumericType>(to: T, a: E<NumericType>): E<T> => call(to, `bitcast<${wgslName(to)}>`, a);
/** How many bits are set. */
export const countOneBits = <T extends Words>(a: E<T>): E<T> => call(a.type, "countOneBits", a);
/** The product of two rows of four signed bytes each. */
export const dot4I8Packed = (a: E<"u32">, b: E<"u32">): E<"i32"> => call("i32", "dot4I8Packed", a, b);
export const toF32 = (a: E<"i32" | "u32" | "bool">): E<"f32"> => call("f32", "f32", a);

// Vectors of four.
export type Lane = 0 | 1 | 2 | 3;
export const lanes: readonly Lane[] = [0, 1, 2, 3];
const names = ["x", "y", "z", "w"] as const;
export const component = <T extends WgslVector>(a: E<T>, lane: Lane): E<ElementOf<T>> =>
  expression(elementOf[a.type] as ElementOf<T>, { kind: "component", a: a.node, name: names[lane] });
export const splat = <S extends WgslScalar>(a: E<S>): E<VectorOf<S>> => call(vectorOf[a.type], wgslName(vectorOf[a.type]), a);
export const vec4 = <S extends WgslScalar>(x: E<S>, y: E<NoInfer<S>>, z: E<NoInfer<S>>, w: E<NoInfer<S>>): E<VectorOf<S>> =>
  call(vectorOf[x.type], wgslName(vectorOf[x.type]), x, y, z, w);
export const four = <S extends WgslScalar>(of: (lane: Lane) => E<S>): E<VectorOf<S>> => vec4<S>(of(0), of(1), of(2), of(3));
/** (0, 1, 2, 3). */
export const fromZero: E<"vec4u"> = expression("vec4u", { kind: "literal", text: "vec4u(0u, 1u, 2u, 3u)" });
export const wgslName = (type: WgslType): string => (type === "vec4b" ? "vec4<bool>" : type);

export type Var<T extends WgslType> = E<T> & { readonly assignable: true };

/** What is stored as f16 is computed with as f32. The conversion of a store is to the nearest; too large a number becomes infinite. */
const halfName = (lanes: 1 | 4): string => (lanes === 1 ? "f16" : "vec4<f16>");
const widened = <T extends WgslType>(type: T, scalar: StoredScalar, read: Node): E<T> =>
  expression(type, scalar === "f16" ? { kind: "call", callee: wgslName(type), args: [read] } : read);

/** A list of statements being written. What depends on a name is computed in the block that declares the name, or further in. */
export class Block {
  readonly statements: Statement[] = [];
  readonly parent: Block | undefined;
  readonly depth: number;
  /** Values computed in this block already, by what they are. */
  readonly computed = new Map<unknown, AnyE>();
  constructor(parent?: Block) {
    this.parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
  }
}

export interface Shared<T extends WgslType> {
  read(index: E<"u32">): E<T>;
  write(index: E<"u32">, value: E<T>): void;
}

export class Wgsl {
  readonly root = new Block();
  readonly bindings = new Map<number, BindingUseRecord>();
  readonly shared: SharedArray[] = [];
  readonly builtins = new Set<Builtin>();
  readonly enables = new Set<string>();
  readonly #subgroupSize: number | undefined;
  #block = this.root;
  #serves: string | undefined;
  readonly #taken = new Map<string, number>();

  /** `subgroupSize`: what subgroup operations are written for. */
  constructor(subgroupSize?: number) {
    this.#subgroupSize = subgroupSize;
  }

  get block(): Block {
    return this.#block;
  }

  /** A name that is free: the hint, with a number from its second use on. */
  name(hint: string): string {
    const used = this.#taken.get(hint) ?? 0;
    this.#taken.set(hint, used + 1);
    return used === 0 ? hint : `${hint}_${used}`;
  }

  /** Statements written by `body` go to the end of an enclosing block: before the loop or branch that is being written. */
  within<T>(block: Block, body: () => T): T {
    const before = this.#block;
    this.#block = block;
    const result = body();
    this.#block = before;
    return result;
  }

  /** Statements written by `body` serve this IR value. */
  serving(label: string | undefined, body: () => void): void {
    const before = this.#serves;
    this.#serves = label ?? before;
    body();
    this.#serves = before;
  }

  #push(statement: Statement, block = this.#block): void {
    block.statements.push(statement);
  }

  let<T extends WgslType>(hint: string, value: E<T>, block = this.#block): E<T> {
    const name = this.name(hint);
    this.#push({ kind: "let", name, value: value.node, serves: this.#serves }, block);
    return expression(value.type, { kind: "name", name });
  }

  /** As {@link let}, but a name or literal stays itself. */
  settle<T extends WgslType>(hint: string, value: E<T>): E<T> {
    return value.node.kind === "name" || value.node.kind === "literal" ? value : this.let(hint, value);
  }

  var<T extends WgslType>(hint: string, initial: E<T>): Var<T> {
    const name = this.name(hint);
    this.#push({ kind: "var", name, type: initial.type, value: initial.node, serves: this.#serves });
    return { ...expression(initial.type, { kind: "name", name }), assignable: true } as Var<T>;
  }

  /** A variable that starts as zero. */
  zero<T extends WgslType>(hint: string, type: T): Var<T> {
    const name = this.name(hint);
    this.#push({ kind: "var", name, type, value: undefined, serves: this.#serves });
    return { ...expression(type, { kind: "name", name }), assignable: true } as Var<T>;
  }

  assign<T extends WgslType>(target: Var<T>, value: E<NoInfer<T>>): void {
    this.#push({ kind: "assign", target: target.node, op: "=", value: value.node, serves: this.#serves });
  }

  accumulate<T extends NumericType>(target: Var<T>, value: E<NoInfer<T>>): void {
    this.#push({ kind: "assign", target: target.node, op: "+=", value: value.node, serves: this.#serves });
  }

  orInto<T extends Integers>(target: Var<T>, value: E<NoInfer<T>>): void {
    this.#push({ kind: "assign", target: target.node, op: "|=", value: value.node, serves: this.#serves });
  }

  when(condition: E<"bool">, body: () => void): void {
    this.#nested(body, (statements) => ({ kind: "if", condition: condition.node, body: statements, serves: this.#serves }));
  }

  /** As {@link when} with all of these conditions that there are; without a branch where there are none. */
  whenAll(conditions: readonly (E<"bool"> | undefined)[], body: () => void): void {
    const given = conditions.filter((c) => c !== undefined);
    const [first, ...more] = given;
    if (first === undefined) body();
    else this.when(more.reduce(and, first), body);
  }

  /** `for (var i = from; i < below; i += step)`. */
  loop(hint: string, from: E<"u32">, below: E<"u32">, step: E<"u32">, body: (i: E<"u32">) => void): void {
    const name = this.name(hint);
    this.#nested(
      () => body(expression("u32", { kind: "name", name })),
      (statements) => ({ kind: "for", name, from: from.node, below: below.node, step: step.node, body: statements, serves: this.#serves }),
    );
  }

  /** The statement comes after everything that its body moved out into this block. */
  #nested(body: () => void, statement: (body: readonly Statement[]) => Statement): void {
    const outer = this.#block;
    const inner = new Block(outer);
    this.#block = inner;
    body();
    this.#block = outer;
    this.#push(statement(inner.statements));
  }

  barrier(): void {
    this.#push({ kind: "barrier", serves: this.#serves });
  }

  builtin(name: Exclude<Builtin, "group">): E<"u32"> {
    this.builtins.add(name);
    if (name === "lane") this.enables.add("subgroups");
    return expression("u32", { kind: "name", name });
  }

  group(axis: "x" | "y" | "z"): E<"u32"> {
    this.builtins.add("group");
    return expression("u32", { kind: "component", a: { kind: "name", name: "group" }, name: axis });
  }

  sharedArray<T extends WgslType>(hint: string, type: T, count: number): Shared<T> {
    const name = this.name(hint);
    this.shared.push({ name, type, count });
    const at = (index: E<"u32">): Node => ({ kind: "element", array: name, index: index.node });
    return {
      read: (index) => expression(type, at(index)),
      write: (index, value) => this.#push({ kind: "assign", target: at(index), op: "=", value: value.node, serves: this.#serves }),
    };
  }

  #use(binding: number, scalar: StoredScalar, lanes: 1 | 2 | 4, isStore: boolean): void {
    const use = this.bindings.get(binding) ?? { scalars: new Set(), scalarStores: false, vectors: false, pairs: false };
    this.bindings.set(binding, use);
    use.scalars.add(scalar);
    if (scalar === "f16") this.enables.add("f16");
    if (lanes === 4) use.vectors = true;
    else if (lanes === 2) use.pairs = true;
    else if (isStore) use.scalarStores = true;
  }

  read<S extends StoredScalar>(binding: number, scalar: S, index: E<"u32">): E<LoadedAs<S>> {
    this.#use(binding, scalar, 1, false);
    return widened(loadedAs[scalar], scalar, { kind: "read", binding, scalar, lanes: 1, index: index.node });
  }

  /** Elements 4 * index to 4 * index + 3. */
  read4<S extends StoredScalar>(binding: number, scalar: S, index: E<"u32">): E<VectorOf<LoadedAs<S>>> {
    this.#use(binding, scalar, 4, false);
    return widened(vectorOf[loadedAs[scalar]], scalar, { kind: "read", binding, scalar, lanes: 4, index: index.node });
  }

  /** `width` consecutive u32, from element `width * index` on. */
  readWords(binding: number, index: E<"u32">, width: 1 | 2 | 4): readonly E<"u32">[] {
    this.#use(binding, "u32", width, false);
    const name = this.name(`x${binding}`);
    this.#push({
      kind: "let",
      name,
      value: { kind: "read", binding, scalar: "u32", lanes: width, index: index.node },
      serves: this.#serves,
    });
    const loaded: Node = { kind: "name", name };
    if (width === 1) return [expression("u32", loaded)];
    return names.slice(0, width).map((part) => expression("u32", { kind: "component", a: loaded, name: part }));
  }

  write<S extends StoredScalar>(binding: number, scalar: S, index: E<"u32">, value: E<LoadedAs<NoInfer<S>>>): void {
    this.#use(binding, scalar, 1, true);
    this.#write(binding, scalar, 1, index, value);
  }

  write4<S extends StoredScalar>(binding: number, scalar: S, index: E<"u32">, value: E<VectorOf<LoadedAs<NoInfer<S>>>>): void {
    this.#use(binding, scalar, 4, true);
    this.#write(binding, scalar, 4, index, value);
  }

  #write(binding: number, scalar: StoredScalar, lanes: 1 | 4, index: E<"u32">, value: AnyE): void {
    const [at, what] = [this.settle("at", index), this.settle("out", scalar === "f16" ? call(value.type, halfName(lanes), value) : value)];
    this.#push({ kind: "write", binding, scalar, lanes, index: at.node, value: what.node, serves: this.#serves });
  }

  // Subgroup operations. A subgroup of four is one quad, whose operations are shuffles by constants: on SwiftShader they make
  // contractions 12 % faster than the general ones.
  shuffleXor<T extends NumericType>(value: E<T>, mask: number): E<T> {
    this.enables.add("subgroups");
    if (this.#subgroupSize === 4 && (mask === 1 || mask === 2)) return call(value.type, mask === 1 ? "quadSwapX" : "quadSwapY", value);
    return call(value.type, "subgroupShuffleXor", value, u32(mask));
  }

  broadcast<T extends NumericType>(value: E<T>, lane: number): E<T> {
    this.enables.add("subgroups");
    return call(value.type, this.#subgroupSize === 4 ? "quadBroadcast" : "subgroupBroadcast", value, u32(lane));
  }
}
