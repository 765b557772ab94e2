// How each rule of the grammar is written: from a concrete syntax tree to a text that can break.
import type { CstNode, IToken } from "chevrotain";
import { inTextOrder, isToken } from "./cst.ts";
import { blankLine, type Doc, endOfLine, group, hardBreak, ifBroken, indent, ownLine, softBreak, spaceBreak } from "./format-doc.ts";
import type { Comment, TriviaTable } from "./format-trivia.ts";

/** A whole file. Its tree must be free of errors. */
export function fileDoc(tree: CstNode, trivia: TriviaTable): Doc {
  const formatter = new Formatter(trivia);
  const [firstAtEnd] = trivia.end;
  return [formatter.stacked(inTextOrder(tree)), firstAtEnd === undefined ? [] : [lineFor(firstAtEnd), comments(trivia.end)]];
}

type Element = CstNode | IToken;
type Write = (formatter: Formatter, parts: readonly Element[]) => Doc;

const lineFor = ({ blankBefore }: { readonly blankBefore: boolean }): Doc => (blankBefore ? blankLine : hardBreak);
const comments = (list: readonly Comment[]): Doc => list.map((comment, i) => [i > 0 ? lineFor(comment) : "", ownLine(comment.text)]);

class Formatter {
  readonly #trivia: TriviaTable;
  /** Tokens whose comment at the end of their line is written behind a comma. */
  readonly #moved = new Set<IToken>();

  constructor(trivia: TriviaTable) {
    this.#trivia = trivia;
  }

  write(element: Element): Doc {
    if (isToken(element)) return this.#token(element);
    const parts = inTextOrder(element);
    const [only, ...others] = parts;
    // Most levels of an expression only hand on to the next one.
    if (only !== undefined && others.length === 0) return this.write(only);
    return (rules[element.name] ?? words)(this, parts);
  }

  all(elements: readonly Element[]): Doc {
    return elements.map((element) => this.write(element));
  }

  /** Statements below each other, with the empty lines between them that were written. */
  stacked(elements: readonly Element[]): Doc {
    return elements.map((element, i) => (i === 0 ? this.write(element) : [lineFor(this.#first(element)), this.write(element)]));
  }

  /** Comments above a closing bracket stand with what it closes. */
  beforeClosing(token: IToken, isEmpty: boolean): Doc {
    const { leading } = this.#trivia.of(token);
    const [first] = leading;
    return first === undefined ? "" : [isEmpty ? hardBreak : lineFor(first), comments(leading)];
  }

  /** A closing bracket whose comments above are written by {@link beforeClosing}. */
  closing(token: IToken): Doc {
    const { trailing } = this.#trivia.of(token);
    return trailing === undefined || this.#moved.has(token) ? token.image : [token.image, endOfLine(trailing)];
  }

  /** The last item of a list, with a comma where each item has a line: before the comment that stands behind it. */
  withComma(item: Element, comma: Element | undefined): Doc {
    const token = lastToken(item);
    const written = comma !== undefined && isToken(comma) ? this.#trivia.of(comma) : undefined;
    const behind = token === undefined ? undefined : this.#trivia.of(token).trailing;
    if (token !== undefined) this.#moved.add(token);
    const doc = [this.write(item), ifBroken(","), behind === undefined ? "" : endOfLine(behind)];
    if (written === undefined) return doc;
    return [doc, comments(written.leading), written.trailing === undefined ? "" : endOfLine(written.trailing)];
  }

  hasComments(token: IToken): boolean {
    const { leading, trailing } = this.#trivia.of(token);
    return leading.length > 0 || trailing !== undefined;
  }

  #token(token: IToken): Doc {
    const { leading, trailing, blankBefore } = this.#trivia.of(token);
    return [
      comments(leading),
      leading.length > 0 && blankBefore ? blankLine : "",
      token.image,
      trailing === undefined || this.#moved.has(token) ? "" : endOfLine(trailing),
    ];
  }

  #first(element: Element): { readonly blankBefore: boolean } {
    const token = firstToken(element);
    if (token === undefined) return { blankBefore: false };
    const { leading, blankBefore } = this.#trivia.of(token);
    return leading[0] ?? { blankBefore };
  }
}

function firstToken(element: Element): IToken | undefined {
  if (isToken(element)) return element;
  const [first] = inTextOrder(element);
  return first === undefined ? undefined : firstToken(first);
}

function lastToken(element: Element): IToken | undefined {
  if (isToken(element)) return element;
  const last = inTextOrder(element).at(-1);
  return last === undefined ? undefined : lastToken(last);
}

const isMark = (element: Element | undefined, image: string): boolean =>
  element !== undefined && isToken(element) && element.image === image;

/** Words with a blank between them; none before a list in brackets, nor before a comma or a colon. */
const words: Write = (f, parts) => parts.map((part, i) => [i === 0 || isTight(part) ? "" : " ", f.write(part)]);

const tightRules = new Set(["args", "parameters", "inputs", "dims"]);
const isTight = (part: Element): boolean => (isToken(part) ? part.image === "," || part.image === ":" : tightRules.has(part.name));

const tight: Write = (f, parts) => f.all(parts);

/** `(a, b)`, `[a, b]`, `{ a, b }`: on one line, or one item a line with a comma behind each. */
const bracketed =
  (padding: Doc, comma: "," | "" = ","): Write =>
  (f, parts) => {
    const [open, ...rest] = parts;
    const close = rest.pop();
    if (open === undefined || close === undefined || !isToken(close)) return f.all(parts);
    const items: Doc[] = [];
    const last = rest.findLastIndex((part) => !isMark(part, ","));
    for (const [i, part] of rest.entries()) {
      // Commas between metrics may be left out.
      if (i > 0 && i <= last && !isMark(part, ",")) items.push(isMark(rest[i - 1], ",") ? "" : ",", spaceBreak);
      if (i === last) items.push(comma === "" ? f.write(part) : f.withComma(part, rest[i + 1]));
      else if (i < last) items.push(f.write(part));
    }
    if (items.length === 0)
      return group(f.write(open), indent(f.beforeClosing(close, true)), f.hasComments(close) ? softBreak : "", f.closing(close));
    return group(f.write(open), indent(padding, items, f.beforeClosing(close, false)), padding, f.closing(close));
  };

/** `{` and statements below it. */
function body(f: Formatter, open: Element, statements: readonly Element[], close: Element): Doc {
  if (!isToken(close)) return f.all([open, ...statements, close]);
  const inside = statements.length === 0 ? f.beforeClosing(close, true) : [hardBreak, f.stacked(statements), f.beforeClosing(close, false)];
  const isEmpty = statements.length === 0 && !f.hasComments(close);
  return [f.write(open), indent(inside), isEmpty ? "" : hardBreak, f.closing(close)];
}

/** What has a body: words before `{`, statements up to `}`. */
const withBody: Write = (f, parts) => {
  const at = parts.findIndex((part) => isMark(part, "{"));
  const [open, ...rest] = at < 0 ? [] : parts.slice(at);
  const close = rest.pop();
  if (open === undefined || close === undefined) return words(f, parts);
  return [words(f, parts.slice(0, at)), at === 0 ? "" : " ", body(f, open, rest, close)];
};

/** `a |> b |> c`, `a + b - c`: on one line, or each operator at the start of one. */
const chain: Write = (f, parts) => {
  const [first, ...rest] = parts;
  if (first === undefined) return "";
  return group(f.write(first), indent(rest.map((part, i) => [i % 2 === 0 ? spaceBreak : " ", f.write(part)])));
};

/** `a, b, c` behind or before other words: breaks behind its commas. */
const withCommas: Write = (f, [first, ...rest]) => {
  if (first === undefined) return "";
  let isAfterComma = false;
  const following = rest.map((part) => {
    const space = isTight(part) ? "" : isAfterComma ? spaceBreak : " ";
    isAfterComma = isMark(part, ",");
    return [space, f.write(part)];
  });
  return group(f.write(first), indent(following));
};

/** A submodule or a parameter, with its condition on a line of its own where the line gets too long. */
const conditional: Write = (f, parts) => {
  const last = parts.at(-1);
  if (last === undefined || isToken(last) || last.name !== "condition") return words(f, parts);
  return [words(f, parts.slice(0, -1)), group(indent(spaceBreak, f.write(last)))];
};

/** A function without a name has a blank before its inputs. */
const fn: Write = (f, [word, ...rest]) => (word === undefined ? "" : [f.write(word), " ", words(f, rest)]);

const evaluate: Write = (f, parts) => {
  const at = parts.findIndex((part) => isMark(part, "{"));
  return [words(f, parts.slice(0, at)), " ", bracketed(spaceBreak)(f, parts.slice(at))];
};

/** A loop over one statement is one line where it fits. */
const loop: Write = (f, parts) => {
  const block = parts.at(-1);
  const [open, statement, close, ...more] = block === undefined || isToken(block) ? [] : inTextOrder(block);
  if (open === undefined || statement === undefined || close === undefined || !isToken(close) || more.length > 0) return words(f, parts);
  if (!isToken(statement) && Object.hasOwn(statement.children, "loop")) return words(f, parts);
  const inside = [spaceBreak, f.write(statement), f.beforeClosing(close, false)];
  return [words(f, parts.slice(0, -1)), " ", group(f.write(open), indent(inside), spaceBreak, f.closing(close))];
};

/** `if c then a else b` on one line, or `then` and `else` at the start of theirs. */
const choose: Write = (f, [word, condition, ...branches]) => {
  if (word === undefined || condition === undefined) return "";
  const inside = branches.map((part, i) => [i % 2 === 0 ? spaceBreak : " ", f.write(part)]);
  return group(f.write(word), " ", f.write(condition), indent(inside));
};

/** `[a, b]`, or `[item for i in 0..n]`. */
const list: Write = (f, parts) => {
  const [open, item, ...rest] = parts;
  const close = rest.pop();
  if (open === undefined || item === undefined || close === undefined || !isToken(close) || !isMark(rest[0], "for"))
    return bracketed(softBreak)(f, parts);
  const inside = [softBreak, f.write(item), spaceBreak, words(f, rest), f.beforeClosing(close, false)];
  return group(f.write(open), indent(inside), softBreak, f.closing(close));
};

/** By rule of the grammar; words with blanks between them where nothing else is said. */
const rules: Readonly<Record<string, Write>> = {
  args: bracketed(softBreak),
  block: withBody,
  child: conditional,
  choices: bracketed(softBreak),
  choose,
  comparison: chain,
  data: withCommas,
  dims: bracketed(softBreak),
  evaluate,
  fn,
  group: bracketed(softBreak, ""),
  indexItem: tight,
  inputs: bracketed(softBreak),
  list,
  loop,
  module: withBody,
  nameList: bracketed(softBreak),
  parameters: bracketed(softBreak),
  pipe: chain,
  policyRule: withCommas,
  postfix: tight,
  product: chain,
  quantize: withBody,
  range: tight,
  recipe: withBody,
  remat: withCommas,
  require: withCommas,
  selector: tight,
  selectorList: bracketed(softBreak),
  settings: bracketed(spaceBreak),
  suffix: tight,
  sum: chain,
  unary: tight,
  use: (f, [word, ...path]) => (word === undefined ? "" : [f.write(word), " ", f.all(path)]),
  weight: conditional,
};
