// Every prefix of every model file, as an editor sees it while somebody types; and texts made to overflow what walks them.
import { describe, expect, test } from "vitest";
import { lowerSource } from "../../compiler/index.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { compileModel, models, survive, targetOf } from "./support.ts";

describe("every prefix", () => {
  test.each(models)(
    "$path",
    (source) => {
      const { path, text } = source;
      const options = targetOf(source);
      for (let end = 0; end <= text.length; end++)
        survive("prefix.loom", text.slice(0, end), () => compileModel({ path, text: text.slice(0, end) }, options));
    },
    300_000,
  );
});

describe("texts without measure", () => {
  const inFunction = (body: string) => `module M {\n  fn (x: f32[4]) -> f32[4] {\n    ${body}\n  }\n}\n`;
  const codesOf = (text: string) => lowerSource({ path: "models/test.loom", text }, { model: "M" }).diagnostics.map((d) => d.code);
  const nested = (open: string, inside: string, close: string, times: number) => open.repeat(times) + inside + close.repeat(times);

  test.each([
    ["brackets", inFunction(`return ${nested("(", "x", ")", 5_000)}`)],
    ["brackets that are never closed", inFunction(`return ${"(".repeat(5_000)}`)],
    ["calls in calls", inFunction(`return ${nested("relu(", "x", ")", 5_000)}`)],
    ["lists in lists", `module M { const a = ${nested("[", "1", "]", 5_000)} }`],
    ["loops in loops", inFunction(`${nested("for i in 0..1 {", "", "}", 5_000)} return x`)],
    ["signs", inFunction(`return ${"-".repeat(5_000)}x`)],
    ["operators", inFunction(`return ${"x + ".repeat(5_000)}x`)],
    ["a pipe", inFunction(`return x${" |> relu".repeat(5_000)}`)],
    ["calls of calls", inFunction(`return x${"(x)".repeat(5_000)}`)],
    ["branches", inFunction(`return ${"if true then x else ".repeat(5_000)}x`)],
    ["a constant", `module M { const a = ${"1 + ".repeat(5_000)}1 }`],
    [
      "functions that call each other, each in many brackets",
      `module M { ${Array.from({ length: 99 }, (_, i) => `fn f${i} (x: f32[4]) -> f32[4] { return ${nested("---(", `f${i + 1}(x)`, ")", 60)} }`).join("\n")}
        fn f99 (x: f32[4]) -> f32[4] { return x } }`,
    ],
  ])("%s: too deep", (_, text) => expect(codesOf(text)).toEqual(["too-deep"]));

  test.each([
    ["a loop", inFunction("var h = x\n for i in 0..1_000_000_000 { h = relu(h) }\n return h")],
    ["loops in a loop", inFunction("var h = x\n for i in 0..60_000 { for j in 0..60_000 { h = relu(h) } }\n return h")],
    ["loops that make nothing", inFunction("for i in 0..60_000 { for j in 0..60_000 { let y = i } }\n return x")],
    [
      "functions that call the next one twice",
      `module M { ${Array.from({ length: 60 }, (_, i) => `fn f${i} (x: f32[4]) -> f32[4] { return f${i + 1}(x) + f${i + 1}(x) }`).join("\n")}
        fn f60 (x: f32[4]) -> f32[4] { return x } }`,
    ],
  ])("%s: too many steps", (_, text) => expect(new Set(codesOf(text))).toEqual(new Set(["too-many-steps"])));

  test("what is left after too deep brackets is not read", () => {
    const { value, diagnostics } = parse({ path: "test.loom", text: `const a = ${"(".repeat(100)}\nconst b = 2\n` });
    expect(value.items).toEqual([]);
    expect(diagnostics.map((d) => [d.code, d.primary?.span.start])).toEqual([["too-deep", "const a = ".length + 64]]);
  });
});
