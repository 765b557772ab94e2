// Every code block of the pages is parsed, compiled or checked against the command line, so that none can rot.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { installCommand } from "../../bench/peers.ts";
import { readSource } from "../../cli/files.ts";
import { Output } from "../../cli/output.ts";
import { makeProgram } from "../../cli/program.ts";
import { lowerSource, printDiagnostic, type Report } from "../../compiler/index.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { planSweep } from "../../experiments/sweep/plan-sweep.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printModule } from "../../ir/text/print.ts";
import { runnableRecipes } from "../support/recipes.ts";
import { type CodeBlock, codeBlocks, projectRoot } from "./blocks.ts";

const blocks = codeBlocks();
const inLanguage = (language: string): readonly CodeBlock[] => blocks.filter((block) => block.language === language);
/** `text` blocks show what a command prints; nothing checks them. */
const checked = ["loom", "loomir", "ts", "sh", "json"];

test("every block has a language that a test checks, or is `text`", () => {
  expect(blocks.length).toBeGreaterThan(5);
  expect(blocks.filter(({ language }) => language !== "text" && !checked.includes(language)).map(({ at }) => at)).toEqual([]);
});

const complaints = (report: Report<unknown>): readonly string[] => report.diagnostics.map((d) => printDiagnostic(d));

describe.each(inLanguage("loom"))("loom, $at", ({ at, text }) => {
  test("parses; a block with a recipe compiles too", () => {
    const source = { path: `models/${at.replace(":", "-")}.loom`, text };
    const parsed = parse(source);
    expect(complaints(parsed)).toEqual([]);
    for (const recipe of runnableRecipes(parsed.value)) expect(complaints(lowerSource(source, { recipe }))).toEqual([]);
  });
});

describe.each(inLanguage("loomir"))("loomir, $at", ({ at, text }) => {
  test("parses, verifies and prints as it stands", () => {
    const { value, diagnostics } = parseModule({ path: at, text });
    expect(diagnostics.map((d) => printDiagnostic(d))).toEqual([]);
    expect(value === undefined ? "" : printModule(value)).toBe(text);
  });
});

test("TypeScript blocks compile; a first line `// path/to/file.ts` says where a block would stand", () => {
  const folder = join(projectRoot, "out", "docs-blocks");
  rmSync(folder, { recursive: true, force: true });
  for (const [i, { text }] of inLanguage("ts").entries()) {
    const named = /^\/\/ ([\w/-]+\.ts)\b/.exec(text)?.[1] ?? `block-${i}.ts`;
    const path = join(folder, named);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  // The two roots are one folder to the compiler: a block's relative imports find the project's files.
  const paths = { bitloom: ["../../compiler/index.ts"], "bitloom/runtime": ["../../runtime/index.ts"] };
  const options = { rootDirs: ["../..", "."], noUnusedLocals: false, paths };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", compilerOptions: options, include: ["**/*.ts"] }),
  );
  const { stdout, status } = spawnSync(join(projectRoot, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

describe.each(inLanguage("json"))("sweep files, $at", ({ text }) => {
  const file = "docs/examples/sweep.json";

  test("stand as they are shown, and every run of theirs compiles", async () => {
    expect(readFileSync(join(projectRoot, file), "utf8")).toBe(text);
    const { value, diagnostics } = await planSweep({ path: join(projectRoot, file), text }, { read: readSource });
    expect(diagnostics.map((d) => printDiagnostic(d))).toEqual([]);
    expect(value?.length).toBe(12);
  });
});

test.each(readdirSync(join(projectRoot, "docs/examples")))("every run of docs/examples/%s compiles", async (name) => {
  const path = join(projectRoot, "docs/examples", name);
  const { value, diagnostics } = await planSweep({ path, text: readFileSync(path, "utf8") }, { read: readSource });
  expect(diagnostics.map((d) => printDiagnostic(d))).toEqual([]);
  expect(value?.length).toBeGreaterThan(0);
});

describe.each(inLanguage("sh"))("commands, $at", ({ text }) => {
  test.each(commandLines(text))("%s", async (line) => {
    const scripts = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")).scripts as Record<string, string>;
    const words = wordsOf(line);
    const [tool, first, second] = words;
    if (tool === "bitloom") await expectParses(words.slice(1));
    else if (tool === "npm" && first === "run" && second === "bitloom") await expectParses(words.slice(words.indexOf("--") + 1));
    else if (tool === "npm" && first === "run") expect(Object.keys(scripts)).toContain(second);
    else if (tool === "npm" && (first === "test" || first === "start")) expect(Object.keys(scripts)).toContain(first);
    else expect(["npm ci", "npm link", installCommand]).toContain(line);
  });
});

/** Lines without comments and without variables in front. */
function commandLines(text: string): readonly string[] {
  const lines = text.split("\n").map((line) =>
    line
      .replace(/\s+#.*$|^#.*$/, "")
      .replace(/^(?:[A-Z_]+=\S+ )+/, "")
      .trim(),
  );
  return lines.filter((line) => line !== "");
}

const wordsOf = (line: string): readonly string[] => [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");

/** The command line takes these words: command, arguments and options exist. Nothing is run. */
async function expectParses(words: readonly string[]): Promise<void> {
  const program = makeProgram(new Output(true));
  const silence = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => undefined);
    for (const inner of command.commands) silence(inner);
  };
  silence(program);
  await expect(program.parseAsync(words, { from: "user" })).resolves.toBeDefined();
}
