// How a model's roundings go: the entry `probe` on a batch that is always the same one, for the metrics of a run.
import type { CompiledArtifact } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { probeOutputOf } from "../ir/probe-output.ts";
import type { Batches } from "./data/batches.ts";
import type { Session } from "./session.ts";

/** Of one operand of a contraction, by the values that are rounded (rotated ones where the policy rotates). */
export interface QuantProbe {
  /** Share of elements that the gradient passes; absent where all pass. */
  readonly trusted?: number;
  /** |Q(x) - x|^2 / |x|^2. Not finite where x is zero. */
  readonly error: number;
}

/** Weight and activation of the sites of a model by their paths, as far as they are rounded. */
export type QuantProbes = Readonly<Record<string, { readonly w?: QuantProbe; readonly a?: QuantProbe }>>;

const probeEntry = "probe";

export const hasProbes = ({ manifest }: CompiledArtifact): boolean => manifest.entries[probeEntry] !== undefined;

/** Throws a DiagnosticError `no-entry` where the artifact was compiled without `probe`, or rounds nothing. */
export function requireProbes(artifact: CompiledArtifact): void {
  if (hasProbes(artifact)) return;
  const help = ["compile a policy that rounds something, with the option `probe`"];
  throw new DiagnosticError([error("no-entry", "the artifact has no entry `probe`", undefined, "", help)]);
}

/** Run `probe` on the first held-out batch. Changes no state. */
export async function probeQuantization(session: Session, batches: Batches): Promise<QuantProbes> {
  const outputs = await session.run(probeEntry, batches.heldOut(0));
  const probes: Record<string, QuantProbes[string]> = {};
  for (const [name, [value = Number.NaN]] of Object.entries(outputs)) {
    const output = probeOutputOf(name);
    if (output === undefined) continue;
    const { site, side, what } = output;
    probes[site] = { ...probes[site], [side]: { error: Number.NaN, ...probes[site]?.[side], [what]: value } };
  }
  return probes;
}
