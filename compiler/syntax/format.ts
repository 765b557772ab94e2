// The one canonical form of `.loom` text: what `bitloom fmt` writes.
import { hasErrors, type Report } from "../../ir/diagnostic.ts";
import type { Source } from "../../ir/source.ts";
import { layOut } from "./format-doc.ts";
import { fileDoc } from "./format-rules.ts";
import { tieTrivia } from "./format-trivia.ts";
import { parse, parseTree } from "./parse.ts";
import { printAst } from "./print-ast.ts";

/** Columns of a line. Only what has no place to break, and comments, may be longer. */
export const lineWidth = 120;

/**
 * Format a model file: two blanks a level, one statement a line, calls and lists broken where a line gets longer than {@link lineWidth}.
 * Comments, literals, brackets and single empty lines stay as written. The result means the same, and formatting it again changes nothing.
 * A text with syntax errors has no value.
 */
export function format(source: Source): Report<string> {
  const { value: ast, diagnostics } = parse(source);
  if (hasErrors(diagnostics)) return { diagnostics };
  const { tree, tokens, comments } = parseTree(source);
  const text = layOut(fileDoc(tree, tieTrivia(source.text, tokens, comments)), lineWidth);
  // A formatter is trusted with people's files: it checks itself rather than write another program.
  const again = parse({ path: source.path, text });
  if (hasErrors(again.diagnostics) || printAst(again.value) !== printAst(ast))
    throw new Error(`formatting would change what ${source.path} means`);
  return { value: text, diagnostics };
}
