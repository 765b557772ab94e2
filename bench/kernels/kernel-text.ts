// IR text of the kernels that are measured: operands and results are state, so that nothing is uploaded or read while the clock runs.
import { byteLength } from "../../ir/packing.ts";
import { parseType } from "../../ir/parse-type.ts";
import type { CodeLayout } from "../../ir/type.ts";

export interface KernelText {
  /** Type of each state that is read, as value `%name`. Drawn from a normal distribution, f32 alone. */
  readonly reads: Readonly<Record<string, string>>;
  /** Codes that are read as `%NAME_codes` with their scales `%NAME_scale`: made once from normal numbers, before the clock runs. */
  readonly codes?: Readonly<Record<string, CodedMatrix>>;
  /** State that the kernel replaces: its type, and the value's name. */
  readonly writes: Readonly<Record<string, readonly [type: string, value: string]>>;
  readonly body: readonly string[];
}

/** A matrix of QuEST's codes, one scale a row. */
export interface CodedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  /** Default: the packing rule's own. */
  readonly layout?: CodeLayout;
}

const codesType = ({ rows, columns, bits, layout }: CodedMatrix): string =>
  `q${bits}[${rows}, ${columns}; grid = half${layout === undefined ? "" : `, layout = ${layout}`}]`;
const scaleType = ({ rows }: CodedMatrix): string => `f32[${rows}, 1]`;

/** A module of form `primitive` with entry `main`, and entry `encode` where there are codes. */
export function printKernel({ reads, codes = {}, writes, body }: KernelText): string {
  const coded = Object.entries(codes);
  const state = (name: string, type: string, init: string) => `state "${name}": ${type} {role = cache, init = ${init}, decay = false}`;
  const read = (name: string, type: string, value = name) => `  %${value}: ${type} = state.read {name = "${name}"}`;
  const updates = (pairs: readonly (readonly [string, string])[]) =>
    `  update ${pairs.map(([name, value]) => `"${name}" = %${value}`).join(", ")}`;
  const encode = coded.flatMap(([name, m]) => [
    read(`${name}#source`, `f32[${m.rows}, ${m.columns}]`, name),
    `  %${name}_scale: ${scaleType(m)} = quant.scale %${name} {scheme = quest, bits = ${m.bits}}`,
    `  %${name}_codes: ${codesType(m)} = quant.encode %${name}, %${name}_scale {scheme = quest, bits = ${m.bits}${m.layout === undefined ? "" : `, layout = ${m.layout}`}}`,
  ]);
  const lines = [
    "loomir 1",
    "form primitive",
    ...Object.entries(reads).map(([name, type]) => state(name, type, "normal(0.0, 1.0)")),
    ...coded.flatMap(([name, m]) => [
      state(`${name}#source`, `f32[${m.rows}, ${m.columns}]`, "normal(0.0, 1.0)"),
      state(`${name}#codes`, codesType(m), "zeros"),
      state(`${name}#scale`, scaleType(m), "zeros"),
    ]),
    ...Object.entries(writes).flatMap(([name, [type]]) => (name in reads ? [] : [state(name, type, "zeros")])),
    "",
    "entry @main() -> () {",
    ...Object.entries(reads).map(([name, type]) => read(name, type)),
    ...coded.flatMap(([name, m]) => [
      read(`${name}#codes`, codesType(m), `${name}_codes`),
      read(`${name}#scale`, scaleType(m), `${name}_scale`),
    ]),
    ...body.map((line) => `  ${line}`),
    "  return",
    updates(Object.entries(writes).map(([name, [, value]]) => [name, value])),
    "}",
  ];
  if (coded.length > 0) {
    const made = coded.flatMap(
      ([name]) =>
        [
          [`${name}#codes`, `${name}_codes`],
          [`${name}#scale`, `${name}_scale`],
        ] as const,
    );
    lines.push("", "entry @encode() -> () {", ...encode, "  return", updates(made), "}");
  }
  return `${lines.join("\n")}\n`;
}

/** Bytes that entry `main` must read and write at least: every operand and every result once. */
export function bytesOf({ reads, codes = {}, writes }: KernelText): number {
  const types = [
    ...Object.values(reads),
    ...Object.values(codes).flatMap((m) => [codesType(m), scaleType(m)]),
    ...Object.values(writes).map(([type]) => type),
  ];
  return types.reduce((sum, type) => sum + byteLength(parseType(type)), 0);
}
