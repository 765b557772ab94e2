// Compiling as several commands do it: a model file or IR, for the adapter at hand or for any.
import { type CompiledArtifact, compile, compileModule, type FrontEndOptions, type TargetOptions } from "../compiler/index.ts";
import { DiagnosticError, hasErrors, type Report } from "../ir/diagnostic.ts";
import type { Target } from "../ir/plan.ts";
import type { Source } from "../ir/source.ts";
import { type AdapterChoice, Device } from "../runtime/index.ts";
import { readModule } from "./module-files.ts";
import type { Output } from "./output.ts";
import { targetOf } from "./target.ts";

/** Flags that say what to make of a file. */
export interface SourceFlags {
  readonly policy?: string;
  readonly set: readonly string[];
  /** Whether there are entries that continue a text, and how many positions their cache holds. */
  readonly context?: number | true;
}

/** What the compiler's front end makes of flags and a recipe. */
export const frontEndOptions = (recipe: string | undefined, { policy, set, context }: SourceFlags): FrontEndOptions => ({
  set,
  ...(recipe === undefined ? {} : { recipe }),
  ...(policy === undefined ? {} : { policy }),
  ...(context === undefined ? {} : { inference: context === true ? {} : { context } }),
});

/** The compiled artifact, with warnings shown. Throws a DiagnosticError where there is an error. */
export async function compileFrom(
  source: Source,
  recipe: string | undefined,
  flags: SourceFlags,
  options: TargetOptions,
  output: Pick<Output, "diagnostics">,
): Promise<CompiledArtifact> {
  const { value, diagnostics } = await compiled(source, recipe, flags, options);
  if (value === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
  output.diagnostics(diagnostics);
  return value;
}

async function compiled(
  source: Source,
  recipe: string | undefined,
  flags: SourceFlags,
  options: TargetOptions,
): Promise<Report<CompiledArtifact>> {
  if (source.path.endsWith(".loomir")) return compileModule(await readModule(source), { ...options, model: source.path });
  return compile(source, { ...options, ...frontEndOptions(recipe, flags) });
}

/** The target of the adapter that was asked for. Compiling works without an adapter: then there is none, which is said. */
export async function targetsHere(adapter: AdapterChoice, output: Output): Promise<readonly Target[]> {
  try {
    using device = await Device.open({ adapter });
    return [await targetOf(device)];
  } catch (problem) {
    if (!(problem instanceof DiagnosticError) || adapter !== "auto") throw problem;
    output.note("no adapter here: compiling the portable target alone");
    return [];
  }
}
