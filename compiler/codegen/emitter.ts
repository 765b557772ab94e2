// Emits scalar expressions as WGSL, for one element or for four consecutive ones at once.
// Every value is computed in the outermost block in which all that it depends on is known: what does not change leaves loops.
import { linearOf } from "../../ir/linear.ts";
import { childrenOf, input, loadedAs, type ScalarExpr, uint, variable } from "../../ir/scalar.ts";
import { createSimplifier, type Simplifier } from "../../ir/simplify.ts";
import { lowerScalar } from "./lower-scalar.ts";
import { arithmetic, combine, invoke, isWord, literal, sizeOf, splatted } from "./operators.ts";
import { type AnyE, type Block, type E, expression, fromZero, type Wgsl, wgslName } from "./wgsl.ts";
import type { Node, StoredScalar, WgslScalar, WgslType } from "./wgsl-node.ts";
import { elementOf, isVector, vectorOf } from "./wgsl-node.ts";

/** The position in a group of four consecutive elements; what depends on it differs between the components of a vector. */
export const quad = variable("quad", 4);

export class Emitter {
  readonly wgsl: Wgsl;
  readonly simplifier: Simplifier = createSimplifier();
  readonly #variables = new Map<string, { readonly value: E<"u32">; readonly block: Block }>();
  readonly #registers = new Map<number, { readonly value: AnyE; readonly block: Block }>();
  readonly #uses = new Map<ScalarExpr, number>();
  /** What shifts are by: bit positions, which come from formats and not from shapes, so their constants stay in the text. */
  readonly #bitPositions = new Set<ScalarExpr>();
  readonly #lowered = new Map<ScalarExpr, ScalarExpr>();
  readonly #vectorIndices = new Map<ScalarExpr, { readonly index: ScalarExpr | undefined }>();
  readonly #vectorKeys = new Map<ScalarExpr, object>();
  readonly #blocks = new Map<ScalarExpr, Block>();
  readonly #varies = new Map<ScalarExpr, boolean>();

  constructor(wgsl: Wgsl) {
    this.wgsl = wgsl;
  }

  /** A u32 of the kernel (a lane's number, a loop's counter) below `bound`, for use in index expressions from the current block on. */
  variable(hint: string, bound: number, value: E<"u32">): ScalarExpr {
    const made = variable(`${hint}#${this.#variables.size}`, bound);
    this.#variables.set(made.kind === "variable" ? made.name : "", { value, block: this.wgsl.block });
    return this.simplifier.simplify(made);
  }

  /** A value of the kernel (a sum), one for all or one for each of four elements, for use in expressions from the current block on. */
  register(value: AnyE): ScalarExpr {
    const index = this.#registers.size;
    this.#registers.set(index, { value, block: this.wgsl.block });
    return this.simplifier.simplify(input(index, elementOf[value.type]));
  }

  /**
   * A problem's expression over this kernel's variables and registers, lowered and simplified. Parts that everything prepared
   * before emission shares are computed once.
   */
  prepare(e: ScalarExpr, variables: Readonly<Record<string, ScalarExpr>>, inputs: readonly ScalarExpr[] = []): ScalarExpr {
    const prepared = this.simplifier.substitute(lowerScalar(e, this.#lowered), variables, inputs);
    this.count(prepared);
    return prepared;
  }

  /** Note one more use of an expression, so that its shared parts become names. */
  count(e: ScalarExpr): void {
    const uses = this.#uses.get(e) ?? 0;
    this.#uses.set(e, uses + 1);
    if (uses > 0) return;
    if (e.kind === "binary" && (e.op === "shl" || e.op === "shr")) this.#markBitPosition(e.b);
    // Positions count as well: what indices share is computed once, because not every driver finds it.
    if (e.kind === "load") this.vectorIndex(e.column);
    for (const child of childrenOf(e)) this.count(child);
  }

  #markBitPosition(e: ScalarExpr): void {
    if (this.#bitPositions.has(e)) return;
    this.#bitPositions.add(e);
    if (e.kind === "binary" && e.op !== "div" && e.op !== "rem") for (const child of childrenOf(e)) this.#markBitPosition(child);
  }

  /** Whether the value differs between the four elements of a group. */
  varies(e: ScalarExpr): boolean {
    const known = this.#varies.get(e);
    if (known !== undefined) return known;
    const varies =
      e.kind === "variable"
        ? e.name === "quad"
        : e.kind === "input"
          ? isVector(this.#register(e.index).value.type)
          : childrenOf(e).some((c) => this.varies(c));
    this.#varies.set(e, varies);
    return varies;
  }

  /** The value at one element; must not depend on the position in a group of four. */
  scalar<T extends WgslScalar>(e: ScalarExpr, type: T): E<T> {
    return typed(this.#scalar(e, this.wgsl.block), type);
  }

  /** The values of four elements. */
  vector<S extends WgslScalar>(e: ScalarExpr, type: S): E<(typeof vectorOf)[S]> {
    return typed(this.#vector(e, this.wgsl.block), vectorOf[type]);
  }

  /** Run `body` with statements going to the block in which everything that `e` depends on is known. */
  home<T>(e: ScalarExpr, body: () => T): T {
    return this.wgsl.within(this.#blockOf(e), body);
  }

  /** Emit the load instructions of expressions now, ahead of the arithmetic on what they load. */
  issueLoads(expressions: readonly ScalarExpr[]): void {
    const seen = new Set<ScalarExpr>();
    const visit = (e: ScalarExpr): void => {
      if (seen.has(e)) return;
      seen.add(e);
      if (e.kind === "load") this.#load(e);
      else for (const child of childrenOf(e)) visit(child);
    };
    for (const e of expressions) visit(e);
  }

  #load(e: ScalarExpr): void {
    if (this.varies(e)) this.#vector(e, this.wgsl.block);
    else this.#scalar(e, this.wgsl.block);
  }

  /** base / 4, where e is base + quad and base is a multiple of 4: four elements that lie together, aligned, number this vector. */
  vectorIndex(e: ScalarExpr): ScalarExpr | undefined {
    const known = this.#vectorIndices.get(e);
    if (known !== undefined) return known.index;
    const index = this.#findVectorIndex(e);
    this.#vectorIndices.set(e, { index });
    if (index !== undefined) this.count(index);
    return index;
  }

  #findVectorIndex(e: ScalarExpr): ScalarExpr | undefined {
    const { terms } = linearOf(e);
    if (terms.get(this.simplifier.simplify(quad)) !== 1) return undefined;
    for (const term of terms.keys()) if (!isQuad(term) && this.varies(term)) return undefined;
    const base = this.simplifier.simplify({ kind: "binary", type: "u32", op: "sub", a: e, b: quad });
    if (this.simplifier.rangeOf(base).multiple % 4 !== 0) return undefined;
    return this.simplifier.simplify({ kind: "binary", type: "u32", op: "div", a: base, b: uint(4) });
  }

  /** The expression at one of the four positions. */
  at(e: ScalarExpr, position: number): ScalarExpr {
    return this.simplifier.substitute(e, { quad: uint(position) });
  }

  #register(index: number) {
    const found = this.#registers.get(index);
    if (found === undefined) throw new Error(`an expression uses input ${index}, which its kernel does not have`);
    return found;
  }

  #blockOf(e: ScalarExpr): Block {
    const known = this.#blocks.get(e);
    if (known !== undefined) return known;
    let block = this.wgsl.root;
    if (e.kind === "variable" && !isQuad(e)) {
      const found = this.#variables.get(e.name);
      if (found === undefined) throw new Error(`an expression uses the variable ${e.name}, which its kernel does not have`);
      block = found.block;
    } else if (e.kind === "input") block = this.#register(e.index).block;
    for (const child of childrenOf(e)) {
      const inner = this.#blockOf(child);
      if (inner.depth > block.depth) block = inner;
    }
    this.#blocks.set(e, block);
    return block;
  }

  #scalar(e: ScalarExpr, from: Block): AnyE {
    if (e.kind === "const") return literal(e.type, e.value);
    if (e.kind === "variable") return this.#variables.get(e.name)?.value ?? unknown(e);
    if (e.kind === "input") return this.#register(e.index).value;
    return this.#remember(e, e, from, (block) => this.#compute(e, block));
  }

  #vector(e: ScalarExpr, from: Block): AnyE {
    if (!this.varies(e)) return splatted(this.#scalar(e, from));
    if (isQuad(e)) return fromZero;
    if (e.kind === "input") return this.#register(e.index).value;
    const key = this.#vectorKeys.get(e) ?? {};
    this.#vectorKeys.set(e, key);
    return this.#remember(e, key, from, (block) => this.#computeVector(e, block));
  }

  /** Loads, shared values and values that move out of a block get a name; other values stay in the expression that uses them. */
  #remember(e: ScalarExpr, key: unknown, from: Block, compute: (block: Block) => AnyE): AnyE {
    const block = this.#blockOf(e);
    const known = block.computed.get(key);
    if (known !== undefined) return known;
    const value = compute(block);
    if (e.kind !== "load" && (this.#uses.get(e) ?? 0) < 2 && block === from) return value;
    const named = this.wgsl.let(hintFor(e), value, block);
    block.computed.set(key, named);
    return named;
  }

  #compute(e: Exclude<ScalarExpr, { kind: "const" | "variable" | "input" }>, block: Block): AnyE {
    if (e.kind !== "load")
      return combine(e, e.type, (child, asSize) =>
        asSize && isWord(child) && !this.#bitPositions.has(e) ? sizeOf(child) : this.#scalar(child, block),
      );
    return this.wgsl.read(e.binding, storedScalar(e), this.#index(e.column, block));
  }

  #computeVector(e: ScalarExpr, block: Block): AnyE {
    if (e.kind === "load") {
      const index = this.vectorIndex(e.column);
      if (index !== undefined) return this.wgsl.read4(e.binding, storedScalar(e), this.#index(index, block));
      return this.#fourScalars(e, block);
    }
    if (e.kind === "const" || e.kind === "variable" || e.kind === "input") throw new Error("not a computed value");
    const shift = this.#shiftOfWord(e, block);
    if (shift !== undefined) return shift;
    const mixed = e.kind === "binary" && e.type !== "bool" && arithmetic.has(e.op);
    return combine(e, vectorOf[e.type], (child, asSize) => {
      if (asSize && isWord(child) && !this.#bitPositions.has(e)) return mixed ? sizeOf(child) : splatted(sizeOf(child));
      // WGSL takes a scalar beside a vector in arithmetic.
      return mixed && !this.varies(child) ? this.#scalar(child, block) : this.#vector(child, block);
    });
  }

  /** word >> (s + c * quad) as (word >> s) >> (0, c, 2c, 3c): shifts by constants, which drivers do not scalarise. */
  #shiftOfWord(e: ScalarExpr, block: Block): AnyE | undefined {
    if (e.kind !== "binary" || e.op !== "shr" || e.type !== "u32" || this.varies(e.a)) return undefined;
    const step = linearOf(e.b).terms.get(this.simplifier.simplify(quad));
    if (step === undefined) return undefined;
    const start = this.at(e.b, 0);
    const rest = this.simplifier.simplify({
      kind: "binary",
      type: "u32",
      op: "sub",
      a: e.b,
      b: { kind: "binary", type: "u32", op: "mul", a: quad, b: uint(step) },
    });
    if (rest !== start) return undefined;
    const first = this.simplifier.simplify({ kind: "binary", type: "u32", op: "shr", a: e.a, b: start });
    // Counted twice to get a name: it is used for every component.
    this.count(first);
    this.count(first);
    const word = this.#scalar(first, block);
    const amounts: Node = { kind: "literal", text: `vec4u(0u, ${step}u, ${2 * step}u, ${3 * step}u)` };
    return expression("vec4u", { kind: "infix", op: ">>", a: splatted(word).node, b: amounts });
  }

  #fourScalars(e: ScalarExpr, block: Block): AnyE {
    const parts = [0, 1, 2, 3].map((i) => {
      const element = this.at(e, i);
      this.count(element);
      return this.#scalar(element, block);
    });
    return invoke(vectorOf[e.type], wgslName(vectorOf[e.type]), parts);
  }

  #index(e: ScalarExpr, block: Block): E<"u32"> {
    return isWord(e) ? sizeOf(e) : typed(this.#scalar(e, block), "u32");
  }
}

const isQuad = (e: ScalarExpr): boolean => e.kind === "variable" && e.name === "quad";

/** The expression, known to be of this type. */
function typed<T extends WgslType>(e: AnyE, type: T): E<T> {
  if (e.type !== type) throw new Error(`expected ${type}, have ${e.type}`);
  return e as E<T>;
}

function unknown(e: ScalarExpr): never {
  throw new Error(`no value for ${e.kind === "variable" ? e.name : e.kind}`);
}

function storedScalar(e: Extract<ScalarExpr, { kind: "load" }>): StoredScalar {
  if (e.storage.kind !== "dense" || loadedAs[e.storage.scalar] !== e.type)
    throw new Error(`a load of ${e.type} from ${e.storage.kind} storage was not lowered`);
  return e.storage.scalar;
}

const hintFor = (e: ScalarExpr): string => (e.kind === "load" ? `x${e.binding}` : e.type === "u32" ? "i" : "v");
