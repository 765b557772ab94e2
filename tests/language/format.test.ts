// The formatter: what it does to texts, and that it keeps meaning and comments and changes nothing the second time.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { format, lineWidth } from "../../compiler/syntax/format.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { printAst } from "../../compiler/syntax/print-ast.ts";
import { lexer } from "../../compiler/syntax/tokens.ts";
import { hasErrors, printDiagnostic, unwrap } from "../../ir/diagnostic.ts";
import type { Explanation } from "../../ir/errors/explanation.ts";
import { errorAreas } from "../../ir/errors/table.ts";
import { codeBlocks } from "../docs/blocks.ts";
import { caseNames, modelNames, modelSource } from "./file-cases.ts";
import { declarations } from "./random-source.ts";

const formatted = (text: string): string => unwrap(format({ path: "test.loom", text }));
const commentsOf = (text: string): readonly string[] =>
  (lexer.tokenize(text).groups["comments"] ?? []).map(({ image }: { readonly image: string }) => image.trimEnd());
const tree = (text: string): string => printAst(parse({ path: "test.loom", text }).value);

/** All that holds for every text without errors. Answers the formatted text. */
function checkFormat(text: string): string {
  const once = formatted(text);
  expect(formatted(once)).toBe(once);
  expect(tree(once)).toBe(tree(text));
  expect(commentsOf(once)).toEqual(commentsOf(text));
  expect(once).not.toMatch(/[ \t]\n|\n\n\n|^\n|[^\n]$|\r/);
  return once;
}

describe("files of the project", () => {
  test.each(modelNames)("%s is formatted", (path) => {
    const source = modelSource(path);
    expect(unwrap(format(source))).toBe(source.text);
    checkFormat(source.text);
  });

  test("blocks of the pages are formatted", () => {
    const blocks = codeBlocks().filter(({ language }) => language === "loom");
    expect(blocks.length).toBeGreaterThan(0);
    for (const { text, at } of blocks) expect(formatted(text), at).toBe(text);
  });

  test("examples of `explain` are formatted, where they parse", () => {
    for (const { entries } of errorAreas) {
      for (const { example } of Object.values<Explanation>(entries)) {
        if (example?.language !== "loom") continue;
        for (const text of [example.wrong, example.right, example.context ?? ""])
          if (!hasErrors(parse({ path: "test.loom", text }).diagnostics)) expect(formatted(text)).toBe(text);
      }
    }
  });

  test.each(caseNames)("cases/%s: means the same afterwards, or is left alone", (name) => {
    const { text } = modelSource(`tests/language/cases/${name}`);
    const { value, diagnostics } = format({ path: name, text });
    if (value === undefined) expect(diagnostics.map(printDiagnostic)).not.toEqual([]);
    else checkFormat(text);
  });
});

describe("layout", () => {
  const long = "a_name_that_is_long_enough_to_fill_a_line";
  const inFunction = (body: string) => `module M {\n  fn (x: f32[B]) -> f32[B] {\n    ${body}\n  }\n}\n`;
  const lines = (body: string) => formatted(inFunction(body)).split("\n").slice(2, -3);

  test("one statement a line, two blanks a level", () =>
    expect(formatted("module  M{param w:f32[ 2,3 ]=zeros  fn(x:f32[..,2])->f32{let y=x  return-y}}")).toBe(
      "module M {\n  param w: f32[2, 3] = zeros\n  fn (x: f32[.., 2]) -> f32 {\n    let y = x\n    return -y\n  }\n}\n",
    ));
  test("a call that is too long has an argument a line", () =>
    expect(lines(`return f(${long}, ${long}, k = ${long})`)).toEqual([
      "    return f(",
      `      ${long},`,
      `      ${long},`,
      `      k = ${long},`,
      "    )",
    ]));
  test("a comma behind the last item stands where each has a line, before its comment", () => {
    expect(formatted("const a = [1, 2,]\nconst b = f(x,)\n")).toBe("const a = [1, 2]\nconst b = f(x)\n");
    expect(checkFormat("const a = [\n  1,\n  2 // two\n]\n")).toBe("const a = [\n  1,\n  2, // two\n]\n");
    expect(checkFormat("const a = [ // one\n 1, 2, // two\n]\n")).toBe("const a = [ // one\n  1,\n  2, // two\n]\n");
  });
  test("a pipe that is too long has a step a line", () =>
    expect(lines(`return ${long} |> ${long} |> ${long}(2)`)).toEqual([`    return ${long}`, `      |> ${long}`, `      |> ${long}(2)`]));
  test("the outer operator breaks first", () =>
    expect(lines(`return ${long} * 2.0 + ${long} / ${long}`)).toEqual([`    return ${long} * 2.0`, `      + ${long} / ${long}`]));
  test("branches of a long `if`", () =>
    expect(lines(`return if ${long} then ${long} else ${long}`)).toEqual([
      `    return if ${long}`,
      `      then ${long}`,
      `      else ${long}`,
    ]));
  test("a line of exactly the width stays", () => {
    const call = `const c = f(${"a".repeat(lineWidth - "const c = f()".length)})\n`;
    expect(call.length).toBe(lineWidth + 1);
    expect(formatted(call)).toBe(call);
    expect(formatted(call.replace("f(", "ff("))).toContain("(\n");
  });
  test("a loop over one statement is one line; other bodies are not", () =>
    expect(lines("for l in ls {\n h = l(h)\n }\n for i in 0..2 { a = b c = d }\n return x")).toEqual([
      "    for l in ls { h = l(h) }",
      "    for i in 0..2 {",
      "      a = b",
      "      c = d",
      "    }",
      "    return x",
    ]));
  test("metrics get their commas, literals stay as written", () =>
    expect(formatted("train t of M { eval every 1_000 { loss over 0x accuracy, } clip grad_norm = 1.50e+0 }".replace("0x", "5"))).toBe(
      "train t of M {\n  eval every 1_000 { loss over 5, accuracy }\n  clip grad_norm = 1.50e+0\n}\n",
    ));
  test("single empty lines between statements stay, others go", () =>
    expect(formatted("\n\nconst a = 1\n\n\n\nconst b = 2\nconst c = 3\n\nmodule M {\n\n  a = B()\n\n}\n\n")).toBe(
      "const a = 1\n\nconst b = 2\nconst c = 3\n\nmodule M {\n  a = B()\n}\n",
    ));
  test("line ends of other systems", () =>
    expect(formatted("// one\r\nconst a = 1\r\n\r\nconst b = 2\r\n")).toBe("// one\nconst a = 1\n\nconst b = 2\n"));
  test("nothing, and comments alone", () => {
    expect(formatted(" \n ")).toBe("");
    expect(formatted("\n// a\n\n\n  // b")).toBe("// a\n\n// b\n");
  });
});

describe("comments", () => {
  test("stay above, behind and below what they stand by", () => {
    const text = "// head\n\n// of a\nconst a = 1 // behind\n\nmodule M { // open\n  // first\n  b = C()\n\n  // last\n}\n// end\n";
    expect(checkFormat(text)).toBe(text);
  });
  test("behind neighbouring lines they line up", () =>
    expect(checkFormat("const a = 1 // one\nconst long = 2      // two\n\nconst b = 3   // three\n")).toBe(
      "const a = 1    // one\nconst long = 2 // two\n\nconst b = 3 // three\n",
    ));
  test("between arguments they break the call", () =>
    expect(checkFormat("const a = f(1, // one\n  // of two\n  2)\n")).toBe("const a = f(\n  1, // one\n  // of two\n  2,\n)\n"));
  test("in an empty body", () =>
    expect(checkFormat("module M { // a\n // b\n\n // c\n }\n")).toBe("module M { // a\n  // b\n\n  // c\n}\n"));
});

describe("properties", () => {
  test("any layout of a text without comments and empty lines gives the same", () => {
    for (const path of modelNames) {
      const { text } = modelSource(path);
      const bare = piecesOf(text).filter(({ kind }) => kind === "token");
      const expected = formatted(bare.map(({ image, tight }) => (tight ? image : ` ${image}`)).join(""));
      fc.assert(
        fc.property(fc.infiniteStream(fc.constantFrom(" ", "\n", "  \t", "\r\n")), (spaces) => {
          const text = bare.map(({ image, tight }) => (tight ? image : spaces.next().value + image)).join("");
          expect(formatted(text)).toBe(expected);
        }),
        { numRuns: 20, seed: 1 },
      );
    }
  });

  test("comments anywhere", () => {
    const trivia = fc.constantFrom(" ", " ", " ", "\n", "\n\n", " // behind\n", "\n// above\n", "\n\n// above\n\n", " //\n//\n");
    for (const path of modelNames) {
      const tokens = piecesOf(modelSource(path).text).filter(({ kind }) => kind === "token");
      fc.assert(
        fc.property(fc.infiniteStream(trivia), (between) => {
          checkFormat(tokens.map(({ image, tight }) => (tight ? image : between.next().value + image)).join(""));
        }),
        { numRuns: 20, seed: 2 },
      );
    }
  });

  test("generated declarations: no line is too long", () => {
    fc.assert(
      fc.property(declarations, (text) => {
        for (const line of checkFormat(text).split("\n")) expect(line.length, line).toBeLessThanOrEqual(lineWidth);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  test("one token of a model replaced, doubled or left out: left alone with errors, or all of the above", () => {
    const ends = { errors: 0, formatted: 0 };
    const { text } = modelSource("models/mlp.loom");
    const pieces = piecesOf(text);
    const words = [...new Set(pieces.map(({ image }) => image))];
    fc.assert(
      fc.property(fc.nat(pieces.length - 1), fc.constantFrom("", "double", ...words), (at, word) => {
        const changed = pieces
          .map(({ space, image }, i) => space + (i !== at ? image : word === "double" ? `${image} ${image}` : word))
          .join("");
        if (hasErrors(parse({ path: "test.loom", text: changed }).diagnostics)) {
          ends.errors++;
          expect(format({ path: "test.loom", text: changed }).value).toBeUndefined();
        } else {
          ends.formatted++;
          checkFormat(changed);
        }
      }),
      { numRuns: 400, seed: 4 },
    );
    expect(Math.min(ends.errors, ends.formatted)).toBeGreaterThan(30);
  });
});

interface Piece {
  readonly kind: "token" | "comment";
  readonly image: string;
  /** White space before it. */
  readonly space: string;
  /** Whether nothing stands between it and the token before: inside a selector it must stay so. */
  readonly tight: boolean;
}

function piecesOf(text: string): readonly Piece[] {
  const { tokens, groups } = lexer.tokenize(text);
  const comments: typeof tokens = groups["comments"] ?? [];
  let end = 0;
  return [...tokens, ...comments]
    .sort((a, b) => a.startOffset - b.startOffset)
    .map((token) => {
      const space = text.slice(end, token.startOffset);
      end = token.startOffset + token.image.length;
      return {
        kind: comments.includes(token) ? "comment" : "token",
        image: token.image,
        space,
        tight: space === "" && token.startOffset > 0,
      };
    });
}
