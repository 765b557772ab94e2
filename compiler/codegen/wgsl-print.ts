// Prints a kernel: declares bindings by the union of their uses, leaves places for sizes (kernel-text.ts), and maps lines to IR values.
import { type KernelOutline, type SizeUse, sizePlace } from "./kernel-text.ts";
import { type Wgsl, wgslName } from "./wgsl.ts";
import { type BindingUseRecord, builtins, type Node, type Statement, type StoredScalar } from "./wgsl-node.ts";

export interface EntryPoint {
  readonly title: string;
  readonly workgroup: readonly [number, number, number];
  /** `@subgroup_size`, where the target can force one. */
  readonly forcedSubgroupSize?: number;
}

/** A kernel's text with its sizes left open. */
export function outlineKernel(wgsl: Wgsl, entry: EntryPoint): KernelOutline {
  const lines: { readonly text: string; readonly serves: string | undefined }[] = [];
  const put = (text: string, serves?: string) => lines.push({ text, serves });
  const enables = new Set(wgsl.enables);
  if (entry.forcedSubgroupSize !== undefined) enables.add("subgroup_size_control");

  put("");
  for (const [binding, use] of [...wgsl.bindings].sort(([a], [b]) => a - b)) {
    put(`@group(0) @binding(${binding}) var<storage, read_write> b${binding}: array<${declared(use)}>;`);
  }
  for (const { name, type, count } of wgsl.shared) put(`var<workgroup> ${name}: array<${wgslName(type)}, ${count}>;`);
  put("");
  const size = entry.forcedSubgroupSize === undefined ? "" : ` @subgroup_size(${entry.forcedSubgroupSize})`;
  put(`@compute @workgroup_size(${entry.workgroup.join(", ")})${size}`);
  const parameters = [...wgsl.builtins].sort().map((name) => `@builtin(${builtins[name].name}) ${name}: ${builtins[name].type}`);
  put(`fn main(${parameters.join(", ")}) {`);
  const printer = new Printer(wgsl.bindings);
  const write = (statements: readonly Statement[], indent: string) => {
    for (const statement of statements) {
      const { serves } = statement;
      switch (statement.kind) {
        case "if":
          put(`${indent}if (${printer.node(statement.condition)}) {`, serves);
          write(statement.body, `${indent}  `);
          put(`${indent}}`, serves);
          break;
        case "for": {
          const { name } = statement;
          put(
            `${indent}for (var ${name} = ${printer.node(statement.from)}; ${name} < ${printer.operand("<", statement.below, "right")}; ${name} += ${printer.node(statement.step)}) {`,
            serves,
          );
          write(statement.body, `${indent}  `);
          put(`${indent}}`, serves);
          break;
        }
        default:
          for (const text of printer.simple(statement)) put(`${indent}${text}`, serves);
      }
    }
  };
  write(wgsl.root.statements, "  ");
  put("}");
  const head = [`// ${entry.title}`, ...[...enables].sort().map((extension) => `enable ${extension};`)];
  return { head, lines, sizes: printer.sizes };
}

/** Elements that a binding is an array of: what its uses have in common. */
function laneCount({ vectors, pairs, scalarStores }: BindingUseRecord): 1 | 2 | 4 {
  if (scalarStores || (vectors && pairs)) return 1;
  return vectors ? 4 : pairs ? 2 : 1;
}
const storedAs = (use: BindingUseRecord): StoredScalar => {
  const [only, ...more] = use.scalars;
  if (more.length > 0 && use.scalars.has("f16")) throw new Error("a binding of f16 and of what is wider");
  return only !== undefined && more.length === 0 ? only : "u32";
};
/** Storing one component may touch the whole vector, so a binding that is stored to by elements is an array of elements. */
const declared = (use: BindingUseRecord): string => (laneCount(use) === 1 ? storedAs(use) : `vec${laneCount(use)}<${storedAs(use)}>`);

const additive = new Set(["+", "-"]);
const multiplicative = new Set(["*", "/", "%"]);
const relational = new Set(["<", ">", ">=", "<=", "==", "!="]);

class Printer {
  /** Sizes, numbered as they are printed. */
  readonly sizes: SizeUse[] = [];
  readonly #bindings: ReadonlyMap<number, BindingUseRecord>;

  constructor(bindings: ReadonlyMap<number, BindingUseRecord>) {
    this.#bindings = bindings;
  }

  node(node: Node): string {
    switch (node.kind) {
      case "name":
        return node.name;
      case "literal":
        return node.text;
      case "size":
        return sizePlace(this.sizes.push({ value: node.value, keep: node.keep }) - 1);
      case "prefix":
        return `${node.op}${this.#tight(node.a)}`;
      case "infix":
        return `${this.operand(node.op, node.a, "left")} ${node.op} ${this.operand(node.op, node.b, "right")}`;
      case "call":
        return `${node.callee}(${node.args.map((a) => this.node(a)).join(", ")})`;
      case "component":
        return `${this.#tight(node.a)}.${node.name}`;
      case "element":
        return `${node.array}[${this.node(node.index)}]`;
      case "read":
        return this.#read(node);
      default:
        return node satisfies never;
    }
  }

  #tight(node: Node): string {
    return node.kind === "infix" || node.kind === "prefix" || isNegative(node) ? `(${this.node(node)})` : this.node(node);
  }

  /** Parentheses wherever WGSL demands them or a reader would look twice; never where that would change the order of evaluation. */
  operand(parent: string, node: Node, side: "left" | "right"): string {
    if (isNegative(node)) return `(${this.node(node)})`;
    if (node.kind !== "infix") return this.node(node);
    const free =
      (additive.has(parent) && (multiplicative.has(node.op) || (side === "left" && additive.has(node.op)))) ||
      (multiplicative.has(parent) && side === "left" && multiplicative.has(node.op)) ||
      (relational.has(parent) && (additive.has(node.op) || multiplicative.has(node.op))) ||
      ((parent === "&&" || parent === "||") && relational.has(node.op));
    return free ? this.node(node) : `(${this.node(node)})`;
  }

  #use(binding: number): BindingUseRecord {
    const use = this.#bindings.get(binding);
    if (use === undefined) throw new Error(`binding ${binding} is used but not recorded`);
    return use;
  }

  #read(node: Extract<Node, { kind: "read" }>): string {
    const use = this.#use(node.binding);
    const lanes = laneCount(use);
    const name = `b${node.binding}`;
    const index = this.node(node.index);
    const typeOf = (scalar: StoredScalar) => (node.lanes === 1 ? scalar : `vec${node.lanes}<${scalar}>`);
    const cast = (text: string) => (storedAs(use) === node.scalar ? text : `bitcast<${typeOf(node.scalar)}>(${text})`);
    if (node.lanes === lanes) return cast(`${name}[${index}]`);
    if (node.lanes === 1) {
      const part = `${this.operand("&", node.index, "left")} & ${lanes - 1}u`;
      return cast(`${name}[${this.operand(">>", node.index, "left")} >> ${Math.log2(lanes)}u][${part}]`);
    }
    const inner = this.operand("*", node.index, "left");
    const elements = Array.from({ length: node.lanes }, (_, i) => `${name}[${inner} * ${node.lanes}u${i === 0 ? "" : ` + ${i}u`}]`);
    return cast(`${typeOf(storedAs(use))}(${elements.join(", ")})`);
  }

  /** A statement without a body; a store of four elements to an array of elements takes four lines. */
  simple(statement: Exclude<Statement, { kind: "if" | "for" }>): readonly string[] {
    switch (statement.kind) {
      case "let":
        return [`let ${statement.name} = ${this.node(statement.value)};`];
      case "var":
        // Always with a value: without one, a variable in a loop keeps what it had in the round before (Dawn 0.6.2, both software drivers).
        return [`var ${statement.name} = ${statement.value === undefined ? `${wgslName(statement.type)}()` : this.node(statement.value)};`];
      case "assign":
        return [`${this.node(statement.target)} ${statement.op} ${this.node(statement.value)};`];
      case "barrier":
        return ["workgroupBarrier();"];
      case "write": {
        const use = this.#use(statement.binding);
        const [name, index, value] = [`b${statement.binding}`, this.node(statement.index), this.node(statement.value)];
        const cast = (text: string, type: string) => (storedAs(use) === statement.scalar ? text : `bitcast<${type}>(${text})`);
        if (statement.lanes === laneCount(use)) return [`${name}[${index}] = ${cast(value, statement.lanes === 4 ? "vec4u" : "u32")};`];
        return ["x", "y", "z", "w"].map((c, i) => `${name}[${index} * 4u${i === 0 ? "" : ` + ${i}u`}] = ${cast(`${value}.${c}`, "u32")};`);
      }
      default:
        return statement satisfies never;
    }
  }
}

const isNegative = (node: Node): boolean => node.kind === "literal" && node.text.startsWith("-");
