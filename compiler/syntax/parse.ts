// From text to abstract syntax: lexer, parser and builder in one call, problems as diagnostics.
import type { CstNode, ILexingResult, IToken } from "chevrotain";
import { type Diagnostic, error, type Report } from "../../ir/diagnostic.ts";
import type { Source } from "../../ir/source.ts";
import type { Item, SourceFile } from "./ast.ts";
import type { PolicyReference, SettingValue } from "./ast-recipe.ts";
import { buildConst, buildModule, buildUse } from "./build-modules.ts";
import { buildPolicy, buildPolicyReference, buildSettingValue } from "./build-policies.ts";
import { buildRecipe } from "./build-recipes.ts";
import { type BuildContext, chosen, node, nodes, token } from "./cst.ts";
import { type EntryRule, LoomParser } from "./grammar.ts";
import { withinStack } from "./nesting.ts";
import { parserErrors, readTokens } from "./syntax-errors.ts";
import { lexer } from "./tokens.ts";

type Parsed = Report<SourceFile> & { readonly value: SourceFile };

/** Parse a whole file. There is always a value; after errors it holds what could be recovered. */
export function parse(source: Source): Parsed {
  return withinStack(
    () => parseItems(source),
    () => ({
      value: { kind: "file", span: { source, start: 0, end: source.text.length }, source, items: [] },
      diagnostics: [error("too-deep", `\`${source.path}\` nests too deeply to be read`)],
    }),
  );
}

function parseItems(source: Source): Parsed {
  const { cx, cst } = read(source, "file");
  const items = nodes(cst, "item").flatMap((item) => {
    const inner = chosen(item);
    return inner === undefined ? [] : [buildItem(cx, inner.rule, inner.node)];
  });
  const span = { source, start: 0, end: source.text.length };
  return { value: { kind: "file", span, source, items }, diagnostics: inOrder(cx.diagnostics) };
}

/** A file's concrete syntax tree with all of its tokens and comments, for the formatter; of use where the text has no errors. */
export function parseTree(source: Source): {
  readonly tree: CstNode;
  readonly tokens: readonly IToken[];
  readonly comments: readonly IToken[];
} {
  const { cst, lexed } = read(source, "file");
  return { tree: cst, tokens: lexed.tokens, comments: lexed.groups["comments"] ?? [] };
}

/** Parse what stands after `--policy`: `quest_w4a4`, `quest(w = 2, a = 4)`. */
export function parsePolicyReference(source: Source): Report<PolicyReference> {
  const { cx, cst } = read(source, "policyReferenceAlone");
  const inner = node(cst, "policyReference");
  if (inner === undefined) return { diagnostics: cx.diagnostics };
  return { value: buildPolicyReference(cx, inner, inner), diagnostics: cx.diagnostics };
}

/** Parse the right side of a `--set name=value`, which starts at an offset of the text, with the unit that stands behind it (`300 s`). */
export function parseOverrideValue(source: Source, from: number): Report<{ readonly value: SettingValue; readonly inSeconds: boolean }> {
  const { cx, cst } = read(source, "overrideValue", from);
  const inner = node(cst, "settingValue");
  if (inner === undefined) return { diagnostics: cx.diagnostics };
  const inSeconds = token(cst, "Seconds") !== undefined;
  return { value: { value: buildSettingValue(cx, inner, inner), inSeconds }, diagnostics: cx.diagnostics };
}

/** Building the tables takes some 20 ms, so one parser serves all calls; a parse leaves nothing behind in it. */
const parser = new LoomParser();

interface ReadTree {
  readonly cx: BuildContext;
  readonly cst: CstNode;
  readonly lexed: ILexingResult;
}

function read(source: Source, rule: EntryRule, from = 0): ReadTree {
  // Blanks in place of what is left out keep offsets those of the text.
  const lexed = lexer.tokenize(" ".repeat(from) + source.text.slice(from));
  const { tokens, diagnostics } = readTokens(source, lexed);
  parser.input = tokens;
  const cst = parser[rule]();
  return { cx: { source, diagnostics: [...diagnostics, ...parserErrors(source, tokens, parser.errors, diagnostics)] }, cst, lexed };
}

const startOf = (diagnostic: Diagnostic): number => diagnostic.primary?.span.start ?? 0;
const inOrder = (diagnostics: readonly Diagnostic[]): readonly Diagnostic[] => diagnostics.toSorted((a, b) => startOf(a) - startOf(b));

function buildItem(cx: BuildContext, rule: string, cst: CstNode): Item {
  switch (rule) {
    case "use":
      return buildUse(cx, cst);
    case "constant":
      return buildConst(cx, cst);
    case "module":
      return buildModule(cx, cst);
    case "quantize":
      return buildPolicy(cx, cst);
    case "recipe":
      return buildRecipe(cx, cst);
    default:
      throw new Error(`no item is built from the rule ${rule}`);
  }
}
