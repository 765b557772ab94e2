// File tests of the language: each `cases/*.loom` says in its first lines what is printed, and the expected text stands beside it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { lower } from "../../compiler/lower/lower.ts";
import { printResolved } from "../../compiler/sema/print-resolved.ts";
import { type ResolveOptions, resolve } from "../../compiler/sema/resolve.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { printAst } from "../../compiler/syntax/print-ast.ts";
import { type Diagnostic, printDiagnostic } from "../../ir/diagnostic.ts";
import type { Source } from "../../ir/source.ts";
import { printModule } from "../../ir/text/print.ts";

const root = new URL("../../", import.meta.url).pathname;
const folder = `${root}tests/language/cases/`;

/** Reads files of the repository by their path in it; `std.loom` is the standard library wherever it is asked for. */
export function loadSource(path: string): Source | undefined {
  const place = path.endsWith("std.loom") ? "models/std.loom" : path;
  return existsSync(root + place) ? { path: place, text: readFileSync(root + place, "utf8") } : undefined;
}

export function modelSource(path: string): Source {
  const source = loadSource(path);
  if (source === undefined) throw new Error(`no file ${path}`);
  return source;
}

/** Every model that comes with the project. */
export const modelNames: readonly string[] = readdirSync(`${root}models`)
  .filter((name) => name.endsWith(".loom"))
  .map((name) => `models/${name}`);

const stages = ["ast", "resolve", "lower", "errors"] as const;
type Stage = (typeof stages)[number];

/** `// lower policy=float set=model.hidden=8` */
interface Header {
  readonly stage: Stage;
  readonly options: Omit<ResolveOptions, "load">;
}

function readHeader(text: string, name: string): Header {
  const [first = ""] = text.split("\n");
  const [, stageText = "", rest = ""] = /^\/\/ (\w+)(.*)$/.exec(first) ?? [];
  const stage = stages.find((s) => s === stageText);
  if (stage === undefined) throw new Error(`${name}: the first line must say one of ${stages.join(", ")}`);
  const words = [...rest.matchAll(/(\w+)=(?:'([^']*)'|(\S+))/g)].map(
    ([, key = "", quoted, plain]) => [key, quoted ?? plain ?? ""] as const,
  );
  const one = (key: "policy" | "recipe" | "model") => {
    const value = words.find(([k]) => k === key)?.[1];
    return value === undefined ? {} : { [key]: value };
  };
  return {
    stage,
    options: { ...one("policy"), ...one("recipe"), ...one("model"), set: words.flatMap(([key, value]) => (key === "set" ? [value] : [])) },
  };
}

export const caseNames: readonly string[] = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".loom"))
  .sort();
/** Broken model files, one kind of mistake each. */
export const brokenNames: readonly string[] = caseNames.filter((name) => name.startsWith("broken/"));

export interface CaseRun {
  readonly actual: string;
  readonly expected: string | undefined;
  readonly diagnostics: readonly Diagnostic[];
  bless(): void;
}

/** What a case prints: its stage's text, then its problems. */
export function runCase(name: string): CaseRun {
  const source: Source = { path: `tests/language/cases/${name}`, text: readFileSync(folder + name, "utf8") };
  const { stage, options } = readHeader(source.text, name);
  const { text, diagnostics } = print(source, stage, options);
  if (stage !== "errors" && diagnostics.some((d) => d.severity === "error"))
    throw new Error(`${name} has errors:\n${diagnostics.map(printDiagnostic).join("\n")}`);
  if (stage === "errors" && !diagnostics.some((d) => d.severity === "error")) throw new Error(`${name} has no errors`);
  const problems = diagnostics.map((d) => `${printDiagnostic(d)}\n`).join("");
  const actual = stage === "errors" ? problems : text + problems;
  const beside = `${folder}${name.replace(/\.loom$/, ".expected")}`;
  const expected = existsSync(beside) ? readFileSync(beside, "utf8") : undefined;
  return { actual, expected, diagnostics, bless: () => writeFileSync(beside, actual) };
}

function print(
  source: Source,
  stage: Stage,
  options: Header["options"],
): { readonly text: string; readonly diagnostics: readonly Diagnostic[] } {
  if (stage === "ast") {
    const { value, diagnostics } = parse(source);
    return { text: printAst(value), diagnostics };
  }
  const resolved = resolve(source, { ...options, load: loadSource });
  if (stage === "resolve")
    return { text: resolved.value === undefined ? "" : printResolved(resolved.value), diagnostics: resolved.diagnostics };
  const module = resolved.value === undefined ? undefined : lower(resolved.value);
  return {
    text: module?.value === undefined ? "" : printModule(module.value),
    diagnostics: [...resolved.diagnostics, ...(module?.diagnostics ?? [])],
  };
}
