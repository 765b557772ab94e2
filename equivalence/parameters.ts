// The comparison of what a packed file holds beside codes: parameters that are served as they were trained, and what the file says that it is.
import { type CompileOptions, lowerSource } from "../compiler/index.ts";
import { isWeight, type StateRecord } from "../ir/artifact.ts";
import { type Diagnostic, DiagnosticError, error } from "../ir/diagnostic.ts";
import { parseType } from "../ir/parse-type.ts";
import type { Source } from "../ir/source.ts";
import { printModule } from "../ir/text/print.ts";
import { matchParameters } from "../runtime/given-weights.ts";
import { type PackedModel, readParameters } from "../runtime/index.ts";
import { boundShape } from "../runtime/values.ts";
import { firstDifference } from "./differences.ts";
import { sides } from "./layers.ts";

interface ComparedParameters {
  readonly count: number;
  readonly elements: number;
  /** `not-equal`, one for each parameter that differs. */
  readonly differing: readonly Diagnostic[];
}

/** Every element of the parameters that the model on packed weights has, `states`, against those of the checkpoint `weights`. */
export async function compareParameters(
  states: readonly StateRecord[],
  weights: string,
  packed: PackedModel,
  path: string,
): Promise<ComparedParameters> {
  const kept = states.filter(isWeight);
  const { parameters: trained } = await readParameters(weights, kept, { asTheyAre: true });
  const { parameters: served } = matchParameters(path, packed.parameters, kept, { asTheyAre: true });
  const differing: Diagnostic[] = [];
  let elements = 0;
  for (const { name, type } of kept) {
    const [ours, theirs] = [served.get(name) ?? [], trained.get(name) ?? []];
    const shape = boundShape(parseType(type));
    const difference = firstDifference("element", ours, theirs, shape.length > 1 ? shape.at(-1) : undefined, sides);
    if (difference !== undefined) differing.push(error("not-equal", `\`${name}\`: ${difference}`));
    elements += theirs.length;
  }
  const known = new Set(kept.flatMap(({ name, tied }) => [name, ...tied]));
  for (const name of packed.parameters.keys())
    if (!known.has(name)) differing.push(error("not-equal", `\`${name}\` of the packed file is nothing that the model has`));
  return { count: kept.length, elements, differing };
}

/**
 * Throws a DiagnosticError `packed-mismatch` where recipe and policy that the file names, by which it is served where nothing else is said, make
 * another graph than those that it is compared with.
 */
export function refuseOtherNames(source: Source, options: CompileOptions, { about }: PackedModel, path: string): void {
  const graph = (more: Partial<CompileOptions>): string | undefined => {
    const { value } = lowerSource(source, { ...options, ...more });
    return value && printModule(value.module);
  };
  const { policy, recipe } = about;
  if (graph({ policy, ...(recipe === undefined ? {} : { recipe }) }) === graph({})) return;
  const said = `policy \`${policy}\`${recipe === undefined ? "" : ` and recipe \`${recipe}\``}`;
  throw new DiagnosticError([
    error("packed-mismatch", `${path} says that it has ${said}, which make another graph than the one that was trained`, undefined, "", [
      "it is served by these where nothing else is said; `bitloom export` writes those that it was made with",
    ]),
  ]);
}
