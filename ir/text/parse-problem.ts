// Reads the body of a dispatch: the lines below its first that say what the kernel computes.
import type { AttentionElements, AttentionProblem, Combine, DotOperand, Family, Problem, RowsProblem, Store } from "../plan.ts";
import { rowStatisticNames } from "../quant/quantizer.ts";
import type { ScalarExpr } from "../scalar.ts";
import type { Span } from "../source.ts";
import type { Cursor } from "./cursor.ts";
import { ScalarParser } from "./parse-scalar.ts";
import { attentionElements, type ProblemScopes, scopesOf } from "./plan-records.ts";

const combines: readonly Combine[] = ["sum", "max", "min", "argmax"];
const passes: readonly AttentionProblem["pass"][] = ["forward", "grad_query", "grad_key"];
/** Lines that a body may begin with; anything else belongs to the entry again. */
const keywords: ReadonlySet<string> = new Set([
  "let",
  "a",
  "b",
  "element",
  "where",
  "per_row",
  "transform",
  "statistic",
  "store",
  "store_row",
  "pass",
  "causal",
  "scale",
  ...attentionElements,
  ...combines,
]);

interface Body {
  a?: DotOperand;
  b?: DotOperand;
  element?: ScalarExpr;
  where?: ScalarExpr;
  perRow?: ScalarExpr;
  statistic?: NonNullable<RowsProblem["statistic"]>;
  block: number;
  pass?: AttentionProblem["pass"];
  causal: boolean;
  scale?: number;
  readonly elements: { -readonly [K in keyof AttentionElements]?: ScalarExpr };
  readonly accumulators: { readonly combine: Combine; readonly element: ScalarExpr }[];
  readonly stores: Store[];
  readonly rowStores: Store[];
}

/** Past the body of a dispatch whose first line could not be read. */
export function skipProblem(cursor: Cursor): void {
  for (cursor.skipLines(); cursor.sees("word") && keywords.has(cursor.token.text); cursor.skipLines()) cursor.skipLine();
}

/** The problem of a family; `outer` and `inner` are the sizes of the dispatch's first line. Undefined after a report. */
export function readProblem(
  cursor: Cursor,
  family: Family,
  outer: readonly number[],
  inner: readonly number[],
  at: Span,
): Problem | undefined {
  const body: Body = { block: 1, causal: false, elements: {}, accumulators: [], stores: [], rowStores: [] };
  const scalars = new ScalarParser(cursor);
  const scopes = () =>
    scopesOf(family, {
      outer: family === "rows" ? [] : outer,
      inner: family === "rows" ? outer : inner,
      a: sideOf(cursor, "a", body.a),
      b: sideOf(cursor, "b", body.b),
    });
  let sound = true;
  for (cursor.skipLines(); cursor.sees("word") && keywords.has(cursor.token.text); cursor.skipLines()) {
    const read = cursor.statement(() => {
      readLine(cursor, scalars, scopes(), body);
      cursor.endLine();
      return true;
    });
    if (read === undefined) sound = false;
  }
  const problem = assemble(family, outer, inner, body);
  if (problem === undefined && sound) cursor.report("syntax", `this ${family} lacks ${missing(family)}`, at);
  return sound ? problem : undefined;
}

/** Bounds of `let` lines depend on the sides' axes, which stand below them: look ahead. */
function sideOf(cursor: Cursor, name: "a" | "b", known: DotOperand | undefined): "row" | "column" {
  if (known !== undefined) return known.contracted;
  for (let i = 0; ; i++) {
    const token = cursor.peek(i);
    if (token === undefined || token.kind === "end" || (token.kind === "word" && token.text === "dispatch")) return "column";
    if (token.text === name && cursor.peek(i + 1)?.text === "by") return cursor.peek(i + 2)?.text === "row" ? "row" : "column";
  }
}

function readLine(cursor: Cursor, scalars: ScalarParser, scopes: ProblemScopes, body: Body): void {
  const keyword = cursor.next().text;
  const value = (scope: keyof ProblemScopes): ScalarExpr => {
    cursor.expect("mark", "=");
    return scalars.read(scopes[scope]);
  };
  const combine = combines.find((c) => c === keyword);
  if (combine !== undefined) {
    body.accumulators.push({ combine, element: value("element") });
    return;
  }
  const attentionElement = attentionElements.find((name) => name === keyword);
  if (attentionElement !== undefined) {
    body.elements[attentionElement] = value("element");
    return;
  }
  switch (keyword) {
    case "pass": {
      const { name } = cursor.word("a pass");
      body.pass = passes.find((p) => p === name) ?? cursor.fail(`no pass \`${name}\``, [`there are ${passes.join(", ")}`]);
      return;
    }
    case "causal":
      body.causal = true;
      return;
    case "scale": {
      const literal = cursor.literal();
      body.scale = literal.kind === "float" ? literal.value : cursor.fail("a scale is a float");
      return;
    }
    case "let":
      return scalars.readLet(scopes.shared);
    case "a":
    case "b": {
      cursor.expect("word", "by");
      const axis = cursor.word("`row` or `column`").name;
      if (axis !== "row" && axis !== "column") return cursor.fail("a side is contracted by `row` or by `column`");
      body[keyword] = { element: value(keyword === "a" ? "element" : "b"), contracted: axis };
      return;
    }
    case "element":
      body.element = value("element");
      return;
    case "where":
      body.where = value("element");
      return;
    case "per_row":
      body.perRow = value("store");
      return;
    case "transform":
      body.block = Number(cursor.expect("int", undefined, "the block").text);
      return;
    case "statistic": {
      const { name } = cursor.word("a statistic");
      body.statistic =
        rowStatisticNames.find((s) => s === name) ?? cursor.fail(`no statistic \`${name}\``, [`there are ${rowStatisticNames.join(", ")}`]);
      return;
    }
    default: {
      const binding = Number(cursor.expect("int", undefined, "the number of a binding").text);
      const place = scalars.place(scopes.store);
      (keyword === "store" ? body.stores : body.rowStores).push({ binding, ...place, value: value("store") });
    }
  }
}

function missing(family: Family): string {
  return family === "dot"
    ? "`a` or `b`, or its sizes are not m, n and k"
    : family === "rows"
      ? "`element`, or its sizes are not rows and columns"
      : family === "attention"
        ? "`pass`, `scale`, `q`, `k` or `v`, or its sizes are not batch, queries, keys and heads, groups, channels"
        : "stores";
}

function assemble(family: Family, outer: readonly number[], inner: readonly number[], body: Body): Problem | undefined {
  const { a, b, element, where, perRow, statistic, block, accumulators, stores, rowStores } = body;
  switch (family) {
    case "pointwise":
      return { kind: family, shape: outer, ...(where === undefined ? {} : { where }), stores };
    case "reduce":
      return { kind: family, shape: outer, reduced: inner, accumulators, stores };
    case "dot": {
      const [m, n, k] = inner;
      if (a === undefined || b === undefined || m === undefined || n === undefined || k === undefined || inner.length > 3) return undefined;
      return { kind: family, batch: outer, m, n, k, a, b, stores };
    }
    case "rows": {
      const [rows, columns] = outer;
      if (element === undefined || rows === undefined || columns === undefined || outer.length > 2) return undefined;
      const optional = { ...(statistic === undefined ? {} : { statistic }), ...(perRow === undefined ? {} : { perRow }) };
      return { kind: family, rows, columns, block, element, ...optional, stores, rowStores };
    }
    case "attention": {
      const { pass, causal, scale, elements } = body;
      const { q, k, v, ...others } = elements;
      const [batch, queries, keys] = outer;
      const [heads, groups, channels] = inner;
      if (pass === undefined || scale === undefined || q === undefined || k === undefined || v === undefined) return undefined;
      if (batch === undefined || queries === undefined || keys === undefined || outer.length > 3) return undefined;
      if (heads === undefined || groups === undefined || channels === undefined || inner.length > 3) return undefined;
      const shape = { batch, queries, keys, heads, groups, channels };
      return { kind: family, pass, shape, rule: { causal, scale }, elements: { q, k, v, ...others }, stores, rowStores };
    }
    default:
      return family satisfies never;
  }
}
