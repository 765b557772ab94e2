// Reads scalar expressions as print-scalar.ts writes them. Types are checked on the way, so that what comes out is sound.
import {
  type BinaryOp,
  binary,
  binaryOps,
  cast,
  constant,
  type DenseScalar,
  denseBytes,
  input,
  keptAmongFour,
  load,
  type ScalarExpr,
  type ScalarType,
  type SparseUnit,
  type Storage,
  select,
  type UnaryOp,
  uint,
  unary,
  unaryOps,
  variable,
} from "../scalar.ts";
import type { Cursor } from "./cursor.ts";
import { describe } from "./cursor.ts";
import { infixOps, loadedType, type VariableScope } from "./print-scalar.ts";

const sparseUnits: readonly SparseUnit[] = [1, 2];
const types: readonly ScalarType[] = ["f32", "i32", "u32", "bool"];
const infixByMark = new Map(
  binaryOps.flatMap((op) => (infixOps[op] === undefined ? [] : [[infixOps[op].mark.trim(), { op, level: infixOps[op].level }] as const])),
);

/** Which operand types an operator takes; both sides have one type, but for shifts. */
const integersOnly: ReadonlySet<BinaryOp> = new Set(["rem", "xor", "shl", "shr"]);
const floatsOnly: ReadonlySet<BinaryOp | UnaryOp> = new Set([
  "pow",
  "exp",
  "log",
  "sqrt",
  "rsqrt",
  "tanh",
  "floor",
  "ceil",
  "round",
  "is_finite",
  "bitcast_u32",
  "to_f16",
]);
const neverBool: ReadonlySet<BinaryOp | UnaryOp> = new Set([
  "add",
  "sub",
  "mul",
  "div",
  "min",
  "max",
  "lt",
  "le",
  "gt",
  "ge",
  "neg",
  "abs",
]);

export class ScalarParser {
  readonly #cursor: Cursor;
  readonly #lets = new Map<string, ScalarExpr>();

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  /** `let t0 = expression`, from `let` on. */
  readLet(scope: VariableScope): void {
    const { name, span } = this.#cursor.word("a name");
    if (this.#lets.has(name)) this.#cursor.report("redefined-value", `\`${name}\` is defined twice`, span);
    this.#cursor.expect("mark", "=");
    this.#lets.set(name, this.read(scope));
  }

  read(scope: VariableScope, level = 1): ScalarExpr {
    const cursor = this.#cursor;
    let left = this.#primary(scope);
    for (;;) {
      const infix = cursor.sees("mark") ? infixByMark.get(cursor.token.text) : undefined;
      if (infix === undefined || infix.level < level) return left;
      cursor.next();
      left = this.#binary(infix.op, left, this.read(scope, infix.level + 1));
    }
  }

  /** What follows a binding's number: storage, row and column. */
  place(scope: VariableScope): { readonly storage: Storage; readonly row: ScalarExpr; readonly column: ScalarExpr } {
    const cursor = this.#cursor;
    const storage: Storage = cursor.accept("mark", ":") === undefined ? { kind: "dense", scalar: "f32" } : this.#storage();
    cursor.expect("mark", "[");
    const indices = cursor.items("]", () => this.#index(scope));
    const [first, second] = indices;
    if (first === undefined || indices.length > 2) return cursor.fail("a place is `[column]` or `[row, column]`");
    if (second === undefined && storage.kind === "packed") return cursor.fail("a place in packed storage is `[row, column]`");
    return second === undefined ? { storage, row: uint(0), column: first } : { storage, row: first, column: second };
  }

  #index(scope: VariableScope): ScalarExpr {
    const index = this.read(scope);
    return index.type === "u32" ? index : this.#illTyped(`an index is u32, got ${index.type}`);
  }

  #illTyped(message: string): never {
    return this.#cursor.fail(message, [], "ill-typed");
  }

  #storage(): Storage {
    const { token } = this.#cursor;
    const { name } = this.#cursor.word("a storage, such as `q4.linear.16`");
    if (name in denseBytes) return { kind: "dense", scalar: name as DenseScalar };
    const [, sign, bits, layout, pitch] = /^([qu])([1-9])\.(linear|planes)\.([0-9]+)$/.exec(name) ?? [];
    if (sign === undefined)
      this.#cursor.report("syntax", `${describe(token)} is no storage: i32, u32, f16, or such as q4.linear.16`, this.#cursor.spanOf(token));
    return {
      kind: "packed",
      bits: Number(bits ?? 1),
      layout: layout === "planes" ? "planes" : "linear",
      pitch: Number(pitch ?? 1),
      signed: sign === "q",
    };
  }

  #primary(scope: VariableScope): ScalarExpr {
    const cursor = this.#cursor;
    if (cursor.accept("mark", "(") !== undefined) {
      const inner = this.read(scope);
      cursor.expect("mark", ")");
      return inner;
    }
    const negative = cursor.accept("mark", "-") !== undefined;
    const sign = negative ? -1 : 1;
    const i32 = cursor.accept("i32");
    if (i32 !== undefined) return constant("i32", sign * Number(i32.text.slice(0, -1)));
    const float = cursor.accept("float");
    if (float !== undefined) return constant("f32", sign * Number(float.text));
    if (cursor.accept("word", "inf") !== undefined) return constant("f32", sign * Infinity);
    if (negative) return cursor.fail(`expected a number after \`-\`, got ${describe(cursor.token)}`);
    const int = cursor.accept("int");
    if (int !== undefined) return uint(Number(int.text));
    if (cursor.sees("word")) return this.#named(cursor.next().text, scope);
    return cursor.fail(`expected an expression, got ${describe(cursor.token)}`);
  }

  #named(name: string, scope: VariableScope): ScalarExpr {
    const cursor = this.#cursor;
    const shared = this.#lets.get(name);
    if (shared !== undefined) return shared;
    if (name === "nan") return constant("f32", Number.NaN);
    if (name === "true" || name === "false") return constant("bool", name === "true" ? 1 : 0);
    if (name === "load") return this.#load(scope);
    if (cursor.sees("mark", "(")) return this.#call(name, scope);
    const index = /^in([0-9]+)$/.exec(name)?.[1];
    if (index !== undefined) return input(Number(index), cursor.accept("mark", ":") === undefined ? "f32" : this.#type());
    const bound =
      cursor.accept("mark", ":") === undefined ? scope.get(name) : Number(cursor.expect("int", undefined, "the variable's bound").text);
    if (bound === undefined)
      return cursor.fail(`no variable \`${name}\` here`, [
        `there are ${[...scope.keys()].join(", ") || "none"}; another says its bound: \`${name}:64\``,
      ]);
    return variable(name, bound);
  }

  #type(): ScalarType {
    const { name } = this.#cursor.word("a scalar type");
    return types.find((t) => t === name) ?? this.#cursor.fail(`the scalar types of kernels are ${types.join(", ")}`);
  }

  #load(scope: VariableScope): ScalarExpr {
    const type = this.#cursor.sees("word") ? this.#type() : undefined;
    const binding = Number(this.#cursor.expect("int", undefined, "the number of a binding").text);
    const { storage, row, column } = this.place(scope);
    return load(type ?? loadedType(storage), binding, storage, column, row);
  }

  #call(name: string, scope: VariableScope): ScalarExpr {
    const cursor = this.#cursor;
    cursor.next();
    const args = cursor.items(")", () => this.read(scope));
    const [a, b, c] = args;
    const count = (n: number) =>
      args.length === n || cursor.fail(`\`${name}\` takes ${n} argument${n === 1 ? "" : "s"}, got ${args.length}`);
    const type = types.find((t) => t === name);
    if (type !== undefined && count(1) && a !== undefined)
      return a.type === type ? this.#illTyped(`a cast of ${type} to itself`) : cast(type, a);
    const one = unaryOps.find((op) => op === name);
    if (one !== undefined && count(1) && a !== undefined) return this.#unary(one, a);
    const two = binaryOps.find((op) => op === name && infixOps[op] === undefined);
    if (two !== undefined && count(2) && a !== undefined && b !== undefined) return this.#binary(two, a, b);
    const unit = sparseUnits.find((size) => name === `kept${size}`);
    if (unit !== undefined && count(1) && a !== undefined)
      return a.type === "f32" ? keptAmongFour(unit, a) : this.#illTyped(`\`${name}\` of ${a.type}`);
    if (name === "select" && count(3) && a !== undefined && b !== undefined && c !== undefined) {
      if (a.type === "bool" && b.type === c.type) return select(a, b, c);
      return this.#illTyped(`\`select\` of ${a.type}, ${b.type} and ${c.type}`);
    }
    return cursor.fail(`no function \`${name}\``);
  }

  #unary(op: UnaryOp, a: ScalarExpr): ScalarExpr {
    const wrong =
      (floatsOnly.has(op) && a.type !== "f32") ||
      (neverBool.has(op) && a.type === "bool") ||
      (op === "not" && a.type !== "bool") ||
      (op === "bitcast_f32" && a.type !== "u32");
    return wrong ? this.#illTyped(`\`${op}\` of ${a.type}`) : unary(op, a);
  }

  #binary(op: BinaryOp, a: ScalarExpr, b: ScalarExpr): ScalarExpr {
    const shift = op === "shl" || op === "shr";
    const wrong =
      (shift ? b.type !== "u32" : a.type !== b.type) ||
      (integersOnly.has(op) && (a.type === "f32" || a.type === "bool")) ||
      (floatsOnly.has(op) && a.type !== "f32") ||
      (neverBool.has(op) && a.type === "bool") ||
      ((op === "and" || op === "or") && a.type === "f32");
    return wrong ? this.#illTyped(`\`${op}\` of ${a.type} and ${b.type}`) : binary(op, a, b);
  }
}
