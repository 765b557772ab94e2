// The parser: spans of nodes, recovery, and that no text makes it throw.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SourceFile } from "../../compiler/syntax/ast.ts";
import type { Expression } from "../../compiler/syntax/ast-expression.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import type { Source, Span } from "../../ir/source.ts";
import { modelSource } from "./file-cases.ts";

const models = ["models/std.loom", "models/mlp.loom"];

/** Take the marks `<|` and `|>` out of a text; each pair gives a span of what is left. A pipe has white space before it, a mark has none. */
function marked(text: string): { readonly source: Source; readonly spans: readonly (readonly [number, number])[] } {
  const spans: [number, number][] = [];
  let plain = "";
  for (const piece of text.split(/(<\||(?<=\S)\|>)/)) {
    if (piece === "<|") spans.push([plain.length, -1]);
    else if (piece === "|>") {
      const open = spans.findLast(([, end]) => end < 0);
      if (open === undefined) throw new Error("a mark closes what is not open");
      open[1] = plain.length;
    } else plain += piece;
  }
  return { source: { path: "test.loom", text: plain }, spans };
}

/** All nodes of a tree of a kind, in order of their start. */
function nodesOf(file: SourceFile, kind: string): readonly { readonly span: Span }[] {
  const found: { readonly span: Span }[] = [];
  const visit = (value: unknown) => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === "object" && value !== null && "kind" in value && "span" in value) {
      if (value.kind === kind) found.push(value as unknown as { readonly span: Span });
      for (const [name, field] of Object.entries(value)) if (name !== "span" && name !== "source") visit(field);
    }
  };
  visit(file);
  return found.sort((a, b) => a.span.start - b.span.start);
}

function expectSpans(kind: string, text: string): void {
  const { source, spans } = marked(text);
  const { value, diagnostics } = parse(source);
  expect(diagnostics.map(printDiagnostic)).toEqual([]);
  expect(nodesOf(value, kind).map(({ span }) => [span.start, span.end])).toEqual(spans);
}

const inModule = (body: string) => `module M(n: int) {\n  fn (x: f32[n]) -> f32[n] {\n    ${body}\n  }\n}\n`;

describe("spans", () => {
  test("a call spans from its callee to its bracket", () => expectSpans("call", inModule("return <|relu(x)|>")));
  test("calls in a chain are nodes of their own", () => expectSpans("call", inModule("return <|a(1)|> |> <|b(x, k = 2)|> |> c")));
  test("a pipe spans both sides", () => expectSpans("pipe", inModule("return <|x  |> relu|>")));
  test("a binary spans both operands", () => expectSpans("binary", inModule("let y = <|x + <|2.0 * y|>|>\n    return y")));
  test("brackets for grouping are no part of a node", () => expectSpans("binary", inModule("let y = (<|x + y|>)\n    return y")));
  test("an index spans to its bracket", () => expectSpans("index", inModule("return <|x[.., 0..128]|>")));
  test("a field spans owner and name", () => expectSpans("field", inModule("return <|<|a.b|>.c|>(x)")));
  test("a type spans its dims", () => expectSpans("type", "module M {\n  param w: <|f32[2, 3]|> = zeros\n}"));
  test("a selector spans its segments and `?`", () =>
    expectSpans("selector", "quantize q for any {\n  <|layers.*.attn.{wq, wk}|>, <|embed?|> => none\n  <|**|> => none\n}"));
  test("a rule spans from its selector to its settings", () =>
    expectSpans("rule", "quantize q for any {\n  <|a => none|>\n  <|** => quest { w = 4, a }|>\n}"));
  test("a shorthand setting is its name", () => expectSpans("setting", "quantize q for any {\n  ** => quest { <|w|>, <|a = 4|> }\n}"));
  test("statements end where the next one starts", () =>
    expectSpans("checkpoint", "train t of M {\n  remat layers.*\n  <|checkpoint every 100|>\n  clip grad_norm = 1.0\n}"));
});

function returned(text: string): Expression {
  const { value, diagnostics } = parse({ path: "test.loom", text: inModule(`return ${text}`) });
  expect(diagnostics.map(printDiagnostic)).toEqual([]);
  const [module] = value.items;
  const member = module?.kind === "module" ? module.members[0] : undefined;
  const statement = member?.kind === "function" ? member.body.statements[0] : undefined;
  if (statement?.kind !== "return") throw new Error("no return");
  return statement.value;
}

/** Fully bracketed. */
function shape(e: Expression): string {
  switch (e.kind) {
    case "binary":
      return `(${shape(e.left)} ${e.operator} ${shape(e.right)})`;
    case "unary":
      return `(-${shape(e.value)})`;
    case "pipe":
      return `(${shape(e.value)} |> ${shape(e.into)})`;
    case "call":
      return `${shape(e.callee)}(${e.args.map((a) => shape(a.value)).join(", ")})`;
    case "if":
      return `(if ${shape(e.condition)} then ${shape(e.then)} else ${shape(e.otherwise)})`;
    case "use-name":
      return e.text;
    case "int":
    case "float":
      return String(e.value);
    default:
      return e.kind;
  }
}

describe("precedence", () => {
  test.each([
    ["a + b * c", "(a + (b * c))"],
    ["a - b - c", "((a - b) - c)"],
    ["a / b * c % d", "(((a / b) * c) % d)"],
    ["-a * b", "((-a) * b)"],
    ["a + b == c * d", "((a + b) == (c * d))"],
    ["a + b |> f", "((a + b) |> f)"],
    ["a |> f(b) |> g", "((a |> f(b)) |> g)"],
    ["if a then b else c |> f", "(if a then b else (c |> f))"],
    ["f(a)(b)", "f(a)(b)"],
    ["1_000 + 2.5e-1", "(1000 + 0.25)"],
  ])("%s", (text, expected) => expect(shape(returned(text))).toBe(expected));
});

describe("words", () => {
  test("block words are names outside their block", () => {
    const text = inModule("let data = x\n    var loss = data\n    loss = loss + data\n    let every = eval(loss)\n    return every");
    expect(parse({ path: "test.loom", text }).diagnostics).toEqual([]);
  });
  test("a selector ends at white space", () => {
    const { value } = parse({ path: "test.loom", text: "train t of M {\n  remat layers.*\n  loss { return x }\n}" });
    const [recipe] = value.items;
    expect(recipe?.kind === "recipe" && recipe.statements.map((s) => s.kind)).toEqual(["remat", "loss"]);
  });
  test("a number after a dot belongs to the path", () => {
    const { value, diagnostics } = parse({ path: "test.loom", text: "quantize q for any { blocks.0.1.w => none }" });
    expect(diagnostics).toEqual([]);
    const [policy] = value.items;
    const [segments] = policy?.kind === "policy" ? policy.rules.map((r) => r.selectors[0]?.segments) : [];
    expect(segments?.map((s) => (s.kind === "word" ? s.text : s.kind))).toEqual(["blocks", "0", "1", "w"]);
  });
});

describe("recovery", () => {
  test("several problems in one run, each at its place", () => {
    const { source, spans } = marked(
      "module M(n <|int|>) {\n  param w <|f32|>[n] = zeros\n  fn (x: f32[n]) -> f32[n] {\n    let y <|dot|>(x, w)\n    return y\n  }\n}\nquantize q for any {\n  embed <|none|>\n  ** => none\n}\n",
    );
    const { value, diagnostics } = parse(source);
    expect(diagnostics.map((d) => [d.primary?.span.start, d.primary?.span.end])).toEqual(spans);
    expect(diagnostics.map((d) => d.message)).toContain("a policy rule needs `=>`");
    expect(value.items.map((item) => item.kind)).toEqual(["module", "policy"]);
  });
  test("what follows a broken statement is still read", () => {
    const { value } = parse({ path: "test.loom", text: inModule("let y = \n    let z = x\n    return z") });
    const [module] = value.items;
    const member = module?.kind === "module" ? module.members[0] : undefined;
    expect(member?.kind === "function" && member.body.statements.map((s) => s.kind)).toEqual(["let", "let", "return"]);
  });
});

/** Every node lies within the text, and within its parent. */
function checkTree(source: Source): void {
  const { value, diagnostics } = parse(source);
  for (const d of diagnostics) {
    expect(d.message).not.toBe("");
    printDiagnostic(d);
  }
  const visit = (node: unknown) => {
    if (Array.isArray(node)) {
      node.forEach(visit);
      return;
    }
    if (typeof node !== "object" || node === null || !("span" in node)) return;
    const { start, end } = node.span as Span;
    if (!(start >= 0 && start <= end && end <= source.text.length))
      throw new Error(`a span ${start}..${end} outside of ${source.text.length} characters`);
    for (const [name, field] of Object.entries(node)) if (name !== "span" && name !== "source") visit(field);
  };
  visit(value);
}

describe("no text makes the parser throw", () => {
  test.each(models)("every prefix of %s", (path) => {
    const { text } = modelSource(path);
    for (let end = 0; end <= text.length; end++) checkTree({ path, text: text.slice(0, end) });
  });

  test.each(models)("%s with pieces cut out, doubled and moved", (path) => {
    const { text } = modelSource(path);
    const place = fc.nat(text.length);
    fc.assert(
      fc.property(place, fc.nat(30), place, (from, length, to) => {
        const piece = text.slice(from, from + length);
        checkTree({ path, text: text.slice(0, from) + text.slice(from + length) });
        checkTree({ path, text: text.slice(0, to) + piece + text.slice(to) });
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  test("words of the language in any order", () => {
    const words =
      'use module param const require tie fn let var for in return if then else when true false quantize train of with any data loss optimizer schedule clip remat eval every over checkpoint accumulate name 1 2.5 "text" "open -> => |> == = .. . , : ? ( ) { } [ ] + - ** * / % @ é'.split(
        " ",
      );
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 40 }), fc.constantFrom(" ", "", "\n"), (chosen, between) => {
        checkTree({ path: "test.loom", text: chosen.join(between) });
      }),
      { numRuns: 1_500, seed: 2 },
    );
  });

  test("any text at all", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => checkTree({ path: "test.loom", text })),
      { numRuns: 500, seed: 3 },
    );
  });
});
