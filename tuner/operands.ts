// The operands of a dispatch as they are in a running model: the entry is run up to it, and what it binds is read.
import type { ArtifactManifest, CompiledArtifact, EntryRecord, OutputRecord, SlabRange, TargetRecord } from "../ir/artifact.ts";
import { parseType } from "../ir/parse-type.ts";
import { type Device, type Inputs, Session } from "../runtime/index.ts";
import { type HostArray, hostLength, newArray } from "../runtime/values.ts";

/** A dispatch of an artifact with one target. */
export interface Place {
  readonly entry: string;
  readonly dispatch: number;
}

/** Reads operands on a session of its own, whose entries end before the dispatches in question and give what these bind. */
export class OperandReader {
  readonly #session: Session;
  readonly #artifact: CompiledArtifact;

  private constructor(session: Session, artifact: CompiledArtifact) {
    this.#session = session;
    this.#artifact = artifact;
  }

  /** Throws what {@link Session.open} throws. */
  static async open(device: Device, artifact: CompiledArtifact, places: readonly Place[]): Promise<OperandReader> {
    return new OperandReader(await Session.open(cutBefore(artifact, places), device), artifact);
  }

  /** What each binding of the dispatch holds when it starts, in words. */
  async read(place: Place): Promise<readonly Uint32Array<ArrayBuffer>[]> {
    const { manifest } = this.#artifact;
    const record = manifest.entries[place.entry];
    if (record === undefined) throw new Error(`no entry ${place.entry}`);
    const outputs = await this.#session.run(nameOf(place), plausibleInputs(manifest, place.entry, onlyTarget(this.#artifact)));
    return Object.keys(outputs).map((name) => outputs[name] as Uint32Array<ArrayBuffer>);
  }

  dispose(): void {
    this.#session.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const nameOf = ({ entry, dispatch }: Place): string => `${entry}.${dispatch}`;

export function onlyTarget({ manifest }: CompiledArtifact): TargetRecord {
  const [target, ...more] = manifest.targets;
  if (target === undefined || more.length > 0) throw new Error(`an artifact of ${manifest.targets.length} targets, not of one`);
  return target;
}

/** The artifact with an entry for each place: all that runs before the dispatch, and its bindings as outputs. */
function cutBefore(artifact: CompiledArtifact, places: readonly Place[]): CompiledArtifact {
  const { manifest, files } = artifact;
  const target = onlyTarget(artifact);
  const entries: Record<string, EntryRecord> = {};
  const placements: Record<string, TargetRecord["entries"][string]> = {};
  const dispatches: Record<string, TargetRecord["dispatches"][string]> = {};
  for (const place of places) {
    const name = nameOf(place);
    const all = target.dispatches[place.entry] ?? [];
    const bind = all[place.dispatch]?.bind ?? [];
    const outputs = bind.map(([, , bytes], i): OutputRecord => ({ name: `b${i}`, type: `u32[${bytes / 4}]` }));
    const ranges = Object.fromEntries(bind.map((range, i): [string, SlabRange] => [`b${i}`, range]));
    entries[name] = { inputs: manifest.entries[place.entry]?.inputs ?? [], outputs, updates: [] };
    placements[name] = { inputs: target.entries[place.entry]?.inputs ?? {}, outputs: ranges };
    dispatches[name] = all.slice(0, place.dispatch);
  }
  return { files, manifest: { ...manifest, entries, targets: [{ ...target, entries: placements, dispatches }] } };
}

/**
 * Inputs such as the entry may get, equal for equal entries: numbers of rows within their table, small whole numbers for others, fractions
 * for what is measured. Host scalars follow their rule.
 */
export function plausibleInputs({ entries, host }: ArtifactManifest, entry: string, target: TargetRecord): Inputs {
  const inputs: Record<string, HostArray | number> = {};
  for (const [i, { name, type: text, source, below }] of (entries[entry]?.inputs ?? []).entries()) {
    if (source === "host") {
      if (host[name] === undefined) inputs[name] = 0.5;
      continue;
    }
    const type = parseType(text);
    const bytes = target.entries[entry]?.inputs[name]?.[2] ?? 0;
    const values = newArray(type, hostLength(type, bytes));
    const next = numbers(i + 1);
    const most = below ?? 2;
    for (let j = 0; j < values.length; j++) values[j] = values instanceof Float32Array ? next() : Math.floor(next() * most);
    inputs[name] = values;
  }
  return inputs;
}

/** A plain congruential sequence in [0, 1) (Numerical Recipes' constants): neither speed nor agreement depends on its quality. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
