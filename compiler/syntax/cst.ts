// Reading a concrete syntax tree that may have holes: recovery leaves out children and makes up tokens without a place.
import type { CstNode, IToken } from "chevrotain";
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import type { Source, Span } from "../../ir/source.ts";
import type { Name } from "./ast-expression.ts";

/** What the builder needs while it walks: the text, and where problems go. */
export interface BuildContext {
  readonly source: Source;
  readonly diagnostics: Diagnostic[];
}

/** Most rules have few of their possible children. */
const none: readonly never[] = [];

const isNode = (element: CstNode | IToken): element is CstNode => !isToken(element);
export const isToken = (element: CstNode | IToken): element is IToken => "image" in element;

/** Whether a token stands in the text. The end of the text and what recovery makes up have no offset. */
export const isReal = (token: IToken): boolean => token.startOffset >= 0;

export function nodes(node: CstNode | undefined, rule: string): readonly CstNode[] {
  return node?.children[rule]?.filter(isNode) ?? none;
}

export function node(parent: CstNode | undefined, rule: string, index = 0): CstNode | undefined {
  return nodes(parent, rule)[index];
}

export function tokens(parent: CstNode | undefined, ...types: readonly string[]): readonly IToken[] {
  const [only, ...others] = types;
  if (only !== undefined && others.length === 0) return parent?.children[only]?.filter(isToken) ?? none;
  return types.flatMap((type) => tokens(parent, type)).sort((a, b) => a.startOffset - b.startOffset);
}

export function token(parent: CstNode | undefined, type: string, index = 0): IToken | undefined {
  return tokens(parent, type)[index];
}

/** All that is below a node, as it stands in the text. */
export function inTextOrder(parent: CstNode): readonly (CstNode | IToken)[] {
  const placed = Object.values(parent.children)
    .flat()
    .flatMap((child) => {
      const start = rangeOf(child)?.start;
      return start === undefined ? [] : [{ child, start }];
    });
  return placed.sort((a, b) => a.start - b.start).map(({ child }) => child);
}

/** The one rule below a node whose rule only chooses, with its name. */
export function chosen(parent: CstNode | undefined): { readonly rule: string; readonly node: CstNode } | undefined {
  for (const [rule, elements] of Object.entries(parent?.children ?? {})) {
    const [first] = elements;
    if (first !== undefined && !isToken(first)) return { rule, node: first };
  }
  return undefined;
}

/** From the first to the last real token; the end of the text where there is none. */
export function spanOf(cx: BuildContext, element: CstNode | IToken | undefined): Span {
  const range = element === undefined ? undefined : rangeOf(element);
  const end = cx.source.text.length;
  return { source: cx.source, start: range?.start ?? end, end: range?.end ?? end };
}

/** The parser keeps the offsets of each node; those of nodes without a token in the text are no numbers. */
function rangeOf(element: CstNode | IToken): { readonly start: number; readonly end: number } | undefined {
  if (isToken(element)) {
    if (!isReal(element)) return undefined;
    return { start: element.startOffset, end: element.startOffset + element.image.length };
  }
  const { startOffset = Number.NaN, endOffset = Number.NaN } = element.location ?? {};
  return startOffset >= 0 && endOffset >= 0 ? { start: startOffset, end: endOffset + 1 } : undefined;
}

export function nameOf(cx: BuildContext, found: IToken | undefined, near: CstNode): Name {
  const real = found !== undefined && isReal(found) ? found : undefined;
  const span = real === undefined ? { ...spanOf(cx, near), start: spanOf(cx, near).end } : spanOf(cx, real);
  return { kind: "name", span, text: real?.image ?? "" };
}

export function complain(cx: BuildContext, message: string, at: Span, label = "", help: readonly string[] = []): void {
  cx.diagnostics.push(error("syntax", message, at, label, help));
}
