// The table of diagnostic codes: every example earns exactly its code and is mended by its correction, and docs/errors.md says what it says.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile, lowerSource } from "../../compiler/index.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { type Diagnostic, printDiagnostic, type Report } from "../../ir/diagnostic.ts";
import type { Example, Explanation } from "../../ir/errors/explanation.ts";
import { diagnosticCodes, errorAreas, explanationOf } from "../../ir/errors/table.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { cli } from "../cli/run-cli.ts";
import { expectGenerated } from "../support/generated.ts";
import { projectRoot } from "./blocks.ts";

const explained = errorAreas.flatMap(({ entries }) =>
  Object.entries<Explanation>(entries).flatMap(([code, { example }]) => (example === undefined ? [] : [{ code, example }])),
);

describe("the table", () => {
  test("a code stands once", () => {
    const all = errorAreas.flatMap(({ entries }) => Object.keys(entries));
    expect(all.filter((code, i) => all.indexOf(code) !== i)).toEqual([]);
  });

  test("codes are in order in their area, and kebab-case", () => {
    for (const { entries } of errorAreas) {
      const codes = Object.keys(entries);
      expect(codes).toEqual(codes.toSorted());
      for (const code of codes) expect(code).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
    }
  });

  test("every code is given somewhere in the sources", () => {
    const sources = ["cli", "compiler", "equivalence", "experiments", "ir", "passes", "runtime", "bench"].flatMap((folder) =>
      readdirSync(`${projectRoot}/${folder}`, { recursive: true, encoding: "utf8" })
        .filter((path) => path.endsWith(".ts") && !(folder === "ir" && path.startsWith("errors/")))
        .map((path) => readFileSync(`${projectRoot}/${folder}/${path}`, "utf8")),
    );
    expect(diagnosticCodes.filter((code) => !sources.some((text) => text.includes(`"${code}"`)))).toEqual([]);
  });

  test("a meaning is one sentence", () => {
    for (const code of diagnosticCodes) expect(explanationOf(code)?.meaning).toMatch(/^[A-Z`][^\n]*[^.]\.$/);
  });
});

describe("examples", () => {
  test("most codes have one", () => expect(explained.length).toBeGreaterThan(0.6 * diagnosticCodes.length));

  test.each(explained)("$code", async ({ code, example }) => {
    const wrong = await codesOf(example, "wrong");
    expect([...new Set(wrong.codes)], wrong.text).toEqual([code]);
    const right = await codesOf(example, "right");
    expect(right.codes, right.text).toEqual([]);
  });
});

interface Outcome {
  readonly codes: readonly string[];
  readonly text: string;
}

async function codesOf(example: Example, side: "wrong" | "right"): Promise<Outcome> {
  const text = (example.context === undefined ? "" : `${example.context}\n`) + example[side];
  if (example.language === "sh") return commandCodes(text.trim());
  const source = { path: `models/example.${example.language}`, text };
  const { diagnostics } = example.language === "loomir" ? parseModule(source) : compileExample(source);
  return { codes: diagnostics.map((d) => d.code), text: diagnostics.map(printDiagnostic).join("\n") };
}

/** A recipe is compiled to an artifact; without one the last module is the model, quantized by the first policy. */
function compileExample(source: { readonly path: string; readonly text: string }): Report<unknown> {
  const { items } = parse(source).value;
  const hasRecipe = items.some(({ kind }) => kind === "recipe");
  const model = items.flatMap((item) => (item.kind === "module" ? [item.name.text] : [])).at(-1);
  const policy = items.flatMap((item) => (item.kind === "policy" || item.kind === "alias" ? [item.name.text] : []))[0];
  if (hasRecipe) return compile(source, { targets: [], set: ["B=1"] });
  return lowerSource(source, { ...(model === undefined ? {} : { model }), ...(policy === undefined ? {} : { policy }) });
}

async function commandCodes(line: string): Promise<Outcome> {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "").slice(1);
  const { out, err } = await cli(...words, "--json");
  const { diagnostics = [] } = JSON.parse(out) as { readonly diagnostics?: readonly Diagnostic[] };
  return { codes: diagnostics.map((d) => d.code), text: err };
}

test("docs/errors.md", () => {
  const areas = errorAreas.map(({ title, entries }) => {
    const sections = Object.entries<Explanation>(entries).map(([code, explanation]) => section(code, explanation));
    return `## ${title}\n\n${sections.join("\n\n")}`;
  });
  expectGenerated(
    "docs/errors.md",
    `# Errors and warnings

Generated from the table of codes (\`ir/errors/\`); a test compares it and compiles every example. \`bitloom explain CODE\` prints an entry.

${areas.join("\n\n")}
`,
  );
});

/** Fenced as plain text: what is wrong is no block that a reader could copy. */
function section(code: string, { meaning, text, example }: Explanation): string {
  const parts = [`### \`${code}\``, meaning, text];
  if (example !== undefined) parts.push("Wrong:", `\`\`\`text\n${example.wrong}\`\`\``, "Right:", `\`\`\`text\n${example.right}\`\`\``);
  return parts.join("\n\n");
}
