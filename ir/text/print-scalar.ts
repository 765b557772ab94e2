// Prints scalar expressions: `load 0[c0*256 + c1]*2.0 + max(in0, 0.0)`. Shared nodes are named by `let` lines before their users.
import { printFloat } from "../literal.ts";
import { type BinaryOp, childrenOf, loadedAs, type ScalarExpr, type ScalarType, type Storage } from "../scalar.ts";

/** Bound of each variable that the problem at hand declares; a variable with another bound says its own: `c0:64`. */
export type VariableScope = ReadonlyMap<string, number>;

/** Operators that stand between their operands; all others look like calls. */
export const infixOps: Readonly<Partial<Record<BinaryOp, { readonly mark: string; readonly level: number }>>> = {
  add: { mark: " + ", level: 1 },
  sub: { mark: " - ", level: 1 },
  mul: { mark: "*", level: 2 },
  div: { mark: "/", level: 2 },
};

/** `q4.linear.16` (signed), `u1.linear.4`, `q4.planes.16`; dense storage is its scalar. */
function printStorage(storage: Storage): string {
  if (storage.kind === "dense") return storage.scalar;
  return `${storage.signed ? "q" : "u"}${storage.bits}.${storage.layout}.${storage.pitch}`;
}

/** The type that a load of a storage has where the text does not say another. */
export function loadedType(storage: Storage): ScalarType {
  if (storage.kind === "dense") return loadedAs[storage.scalar];
  return storage.bits === 1 && !storage.signed ? "bool" : "i32";
}

const isPlainRow = (storage: Storage, row: ScalarExpr): boolean =>
  storage.kind === "dense" && row.kind === "const" && row.type === "u32" && row.value === 0;

/** Names shared nodes across the expressions of one dispatch. */
export class ScalarPrinter {
  readonly #parents = new Map<ScalarExpr, number>();
  readonly #names = new Map<ScalarExpr, string>();
  readonly #shared: VariableScope;

  /** `roots` are all expressions that will be printed; `shared` is the scope of `let` lines, which serve all of them. */
  constructor(roots: readonly ScalarExpr[], shared: VariableScope) {
    this.#shared = shared;
    const visit = (e: ScalarExpr) => {
      const seen = this.#parents.get(e) ?? 0;
      this.#parents.set(e, seen + 1);
      if (seen === 0) for (const child of childrenOf(e)) visit(child);
    };
    for (const root of roots) visit(root);
  }

  /** The `let` lines that the expressions need and that have not been printed yet. */
  lets(...roots: readonly ScalarExpr[]): readonly string[] {
    const lines: string[] = [];
    const seen = new Set<ScalarExpr>();
    const visit = (e: ScalarExpr) => {
      if (seen.has(e) || this.#names.has(e)) return;
      seen.add(e);
      for (const child of childrenOf(e)) visit(child);
      if ((this.#parents.get(e) ?? 0) < 2 || childrenOf(e).length === 0) return;
      const text = this.#print(e, 0, this.#shared);
      const name = `t${this.#names.size}`;
      this.#names.set(e, name);
      lines.push(`let ${name} = ${text}`);
    };
    for (const root of roots) visit(root);
    return lines;
  }

  print(e: ScalarExpr, scope: VariableScope): string {
    return this.#print(e, 0, scope);
  }

  /** `level`: how tightly the place binds; what binds less stands in parentheses. */
  #print(e: ScalarExpr, level: number, scope: VariableScope): string {
    const name = this.#names.get(e);
    if (name !== undefined) return name;
    const inner = (child: ScalarExpr) => this.#print(child, 0, scope);
    switch (e.kind) {
      case "const":
        return printConstant(e.type, e.value);
      case "input":
        return `in${e.index}${e.type === "f32" ? "" : `:${e.type}`}`;
      case "variable":
        return scope.get(e.name) === e.bound ? e.name : `${e.name}:${e.bound}`;
      case "unary":
        return `${e.op}(${inner(e.a)})`;
      case "cast":
        return `${e.type}(${inner(e.a)})`;
      case "select":
        return `select(${inner(e.condition)}, ${inner(e.yes)}, ${inner(e.no)})`;
      case "kept":
        return `kept${e.unit}(${inner(e.a)})`;
      case "load":
        return this.#printLoad(e, scope);
      case "binary": {
        const infix = infixOps[e.op];
        if (infix === undefined) return `${e.op}(${inner(e.a)}, ${inner(e.b)})`;
        // Left associative: an equal operator on the right needs its parentheses.
        const text = `${this.#print(e.a, infix.level, scope)}${infix.mark}${this.#print(e.b, infix.level + 1, scope)}`;
        return infix.level < level ? `(${text})` : text;
      }
      default:
        return e satisfies never;
    }
  }

  #printLoad(e: Extract<ScalarExpr, { kind: "load" }>, scope: VariableScope): string {
    const type = e.type === loadedType(e.storage) ? "" : `${e.type} `;
    return `load ${type}${e.binding}${this.place(e, scope)}`;
  }

  /** `[column]`, `:q4.linear.16[row, column]`: what follows a binding in loads and stores. Plain f32 goes without saying. */
  place(
    { storage, row, column }: { readonly storage: Storage; readonly row: ScalarExpr; readonly column: ScalarExpr },
    scope: VariableScope,
  ): string {
    const kind = storage.kind === "dense" && storage.scalar === "f32" ? "" : `:${printStorage(storage)}`;
    const at = isPlainRow(storage, row) ? [column] : [row, column];
    return `${kind}[${at.map((e) => this.#print(e, 0, scope)).join(", ")}]`;
  }
}

function printConstant(type: ScalarType, value: number): string {
  switch (type) {
    case "f32":
      return printFloat(value);
    case "u32":
      return String(value);
    case "i32":
      return `${value}i`;
    case "bool":
      return value === 0 ? "false" : "true";
    default:
      return type satisfies never;
  }
}
