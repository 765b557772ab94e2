// The abstract syntax as text: one node a line, fields of a node indented below it.
import type { SourceFile } from "./ast.ts";

/** Canonical and without places: two files print alike where they mean the same. */
export function printAst(file: SourceFile): string {
  return `${printNode(file, "").join("\n")}\n`;
}

type AnyNode = Readonly<Record<string, unknown>> & { readonly kind: string };

const isNode = (value: unknown): value is AnyNode => typeof value === "object" && value !== null && "kind" in value;
const isName = (value: unknown): value is AnyNode & { readonly text: string } => isNode(value) && value.kind === "name";
/** A node that is all on its own line: no fields but plain ones. */
const isPlain = (value: unknown): boolean => isName(value) || (typeof value !== "object" && value !== undefined);

function printNode(node: object, label: string): readonly string[] {
  const fields = Object.entries(node).filter(([name]) => name !== "kind" && name !== "span" && name !== "source");
  const plain = fields
    .filter(([, value]) => isPlain(value))
    .map(([name, value]) => ` ${name}=${isName(value) ? value.text : JSON.stringify(value)}`);
  const kind = isNode(node) ? node.kind : "?";
  const lines = [`${label}${kind}${plain.join("")}`];
  for (const [name, value] of fields) {
    if (isPlain(value)) continue;
    if (Array.isArray(value)) {
      if (value.every(isName)) lines.push(`  ${name}: ${value.map((n) => n.text).join(" ")}`.trimEnd());
      else lines.push(`  ${name}:`, ...value.flatMap((item: object) => printNode(item, "")).map((line) => `    ${line}`));
    } else if (typeof value === "object" && value !== null) {
      lines.push(...printNode(value, `${name}: `).map((line) => `  ${line}`));
    }
  }
  return lines;
}
