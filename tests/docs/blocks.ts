// Code blocks of the project's pages, with where they stand.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const projectRoot = join(import.meta.dirname, "../..");

export interface CodeBlock {
  /** `README.md:12`, the line of the opening fence. */
  readonly at: string;
  readonly language: string;
  readonly text: string;
}

const pages = (): readonly string[] => [
  ...readdirSync(projectRoot).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(projectRoot, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];

export function codeBlocks(): readonly CodeBlock[] {
  return pages().flatMap((page) => blocksOf(page, readFileSync(join(projectRoot, page), "utf8")));
}

function blocksOf(page: string, markdown: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { readonly line: number; readonly language: string; readonly lines: string[] } | undefined;
  for (const [i, line] of markdown.split("\n").entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { line: i + 1, language: fence[1] ?? "", lines: [] };
    else {
      blocks.push({ at: `${page}:${open.line}`, language: open.language, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: the code block is not closed`);
  return blocks;
}
