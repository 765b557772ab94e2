// What the fuzz tests share: texts to change, and running a change so that a failure names it and leaves it behind as a file.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FrontEndOptions, lowerSource } from "../../compiler/index.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { DiagnosticError, hasErrors, printDiagnostic, type Report } from "../../ir/diagnostic.ts";
import type { Source } from "../../ir/source.ts";
import { verifyModule } from "../../ir/verify.ts";
import { loadSource } from "../language/file-cases.ts";
import { runnableRecipes } from "../support/recipes.ts";
import { splitWords } from "./mutate.ts";

const root = join(import.meta.dirname, "../..");

/** Slow machines, and others that compute on them, are far from this; what runs without end is not. */
const longestMs = 20_000;

/** Run one change of a file. An exception, or a run without end, is told with the file that caused it. */
export function survive(name: string, content: string | Uint8Array, run: () => void): void {
  const start = performance.now();
  try {
    run();
  } catch (problem) {
    throw new Error(`${keep(name, content)}: ${problem instanceof Error ? problem.stack : problem}`);
  }
  const elapsed = performance.now() - start;
  if (elapsed > longestMs) throw new Error(`${keep(name, content)}: took ${elapsed.toFixed(0)} ms`);
}

function keep(name: string, content: string | Uint8Array): string {
  const folder = join(root, "out/fuzz");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), content);
  return `out/fuzz/${name}`;
}

/** What may come of a damaged file: a value, or diagnostics that can be printed. */
export async function onlyDiagnostics<T>(run: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (problem) {
    if (!(problem instanceof DiagnosticError)) throw problem;
    for (const d of problem.diagnostics) printDiagnostic(d);
    return undefined;
  }
}

/** All files of a folder with one of these endings, as sources. */
export function sourcesBelow(folder: string, endings: RegExp): readonly Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => endings.test(name))
    .sort()
    .map((name) => ({ path: `${folder}/${name}`, text: readFileSync(join(root, folder, name), "utf8") }));
}

export const models: readonly Source[] = sourcesBelow("models", /\.loom$/);

/** Words of the models, and some that none of them has. */
export const modelWords: readonly string[] = [
  ...new Set([...models.flatMap(({ text }) => splitWords(text)), "none", "f64", "@", "tie", "remat"]),
];

/** The first recipe of a file that runs as it is; without one its first module, with 8 for each parameter that has no default. */
export function targetOf(source: Source): FrontEndOptions {
  const file = parse(source).value;
  const [recipe] = runnableRecipes(file);
  if (recipe !== undefined) return { load: loadSource, recipe };
  const model = file.items.find((item) => item.kind === "module");
  if (model === undefined) throw new Error(`${source.path} has neither a recipe nor a module`);
  const open = model.parameters.filter(({ initial }) => initial === undefined);
  return { load: loadSource, model: model.name.text, set: open.map(({ name }) => `model.${name.text}=8`) };
}

/** Compile a model text as far as a module, which then is right. */
export function compileModel(source: Source, options: FrontEndOptions): Report<unknown> {
  const report = lowerSource(source, options);
  for (const d of report.diagnostics) printDiagnostic(d);
  if (report.value === undefined && !hasErrors(report.diagnostics)) throw new Error("no module, and no error that says why");
  const [wrong] = report.value === undefined ? [] : verifyModule(report.value.module);
  if (wrong !== undefined) throw new Error(`the module does not verify: ${printDiagnostic(wrong)}`);
  return report;
}
