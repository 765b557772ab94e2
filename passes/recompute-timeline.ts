// An entry's dispatches as a line in time, on which recomputations are put in and taken out: who writes and who reads each buffer when.
// A buffer that is computed again has several versions, one after another; all of them hold the same bits.
import type { BindingUse, Dispatch, PlanEntry, VirtualBuffer } from "../ir/plan.ts";
import { alignUp } from "./state-layout.ts";

/** One content of a buffer: the dispatch that writes it, and the last that reads it; -1 where it is given to the entry. */
export interface Version {
  readonly name: string;
  readonly bytes: number;
  readonly written: number;
  /** Dispatches that read it, in order; the number of dispatches where it is handed out. */
  readonly reads: readonly number[];
  /** Whether one dispatch alone writes all of it, so that it holds the same at any later time. */
  readonly isStable: boolean;
}

export const lastUse = ({ written, reads }: Version): number => reads.at(-1) ?? written;

/** What is inserted before a dispatch: earlier dispatches to repeat, in order, the last of which makes what is wanted there. */
export interface Insertion {
  readonly at: number;
  /** Positions of dispatches. */
  readonly repeat: readonly number[];
}

export class Timeline {
  readonly entry: PlanEntry;
  readonly #buffers: ReadonlyMap<string, VirtualBuffer>;
  readonly #versions: ReadonlyMap<string, Version>;
  /** Name of the first version -> all, by time. */
  readonly #families: ReadonlyMap<string, readonly Version[]>;
  /** State -> the first dispatch that replaces it; and the first that replaces a whole range of state. */
  readonly #replaced: ReadonlyMap<string, number>;
  readonly #anyReplaced: number;
  readonly #rootOf: ReadonlyMap<string, string>;

  private constructor(entry: PlanEntry, rootOf: ReadonlyMap<string, string>) {
    this.entry = entry;
    this.#rootOf = rootOf;
    this.#buffers = new Map(entry.buffers.map((b) => [b.name, b]));
    const { versions, replaced, anyReplaced } = readEntry(entry, this.#buffers);
    this.#versions = versions;
    this.#anyReplaced = anyReplaced;
    this.#replaced = replaced;
    const families = new Map<string, Version[]>();
    for (const version of versions.values()) {
      const root = this.rootOf(version.name);
      const known = families.get(root);
      if (known === undefined) families.set(root, [version]);
      else known.push(version);
    }
    for (const family of families.values()) if (family.length > 1) family.sort((a, b) => a.written - b.written);
    this.#families = families;
  }

  static of(entry: PlanEntry): Timeline {
    return new Timeline(entry, new Map());
  }

  get length(): number {
    return this.entry.dispatches.length;
  }

  dispatch(at: number): Dispatch {
    const dispatch = this.entry.dispatches[at];
    if (dispatch === undefined) throw new Error(`no dispatch ${at}`);
    return dispatch;
  }

  rootOf(name: string): string {
    return this.#rootOf.get(name) ?? name;
  }

  version(name: string): Version | undefined {
    return this.#versions.get(name);
  }

  versions(): Iterable<Version> {
    return this.#versions.values();
  }

  /** All versions of what a buffer holds, by time. */
  family(name: string): readonly Version[] {
    return this.#families.get(this.rootOf(name)) ?? [];
  }

  /** What a dispatch writes that can be a version. */
  resultsOf(at: number): readonly Version[] {
    return this.dispatch(at).bind.flatMap(({ buffer, access }) => (access === "read" ? [] : (this.#versions.get(buffer) ?? [])));
  }

  /** What a dispatch reads of the arena. */
  operandsOf(at: number): readonly Version[] {
    return this.dispatch(at).bind.flatMap(({ buffer, access }) => (access === "read" ? (this.#versions.get(buffer) ?? []) : []));
  }

  /** Whether a dispatch gives the same bits when it runs again right before another. */
  canRepeat(at: number, before: number): boolean {
    return this.dispatch(at).bind.every(({ buffer, access, through }) => {
      if (through !== undefined || access === "update") return false;
      const version = this.#versions.get(buffer);
      if (version !== undefined) return version.isStable && (access === "read" || version.written === at);
      const role = this.#buffers.get(buffer)?.role.kind;
      if (access === "write" || role === "gradient") return false;
      return role !== "state" || Math.min(this.#anyReplaced, this.#replaced.get(buffer) ?? before) >= before;
    });
  }

  /** The timeline with dispatches repeated. What follows reads what they made of what the last one makes, whatever it read before. */
  insert({ at, repeat }: Insertion, recompute: number): Timeline {
    const rootOf = new Map(this.#rootOf);
    const made = new Map<string, string>();
    const buffers: VirtualBuffer[] = [];
    const inserted = repeat.map((position): Dispatch => {
      const dispatch = this.dispatch(position);
      const bind = dispatch.bind.map((use): BindingUse => {
        const version = this.#versions.get(use.buffer);
        if (version === undefined) return use;
        const root = this.rootOf(use.buffer);
        if (use.access === "read") return { ...use, buffer: made.get(root) ?? this.#availableAt(use.buffer, at).name };
        const original = this.#buffers.get(use.buffer);
        if (original === undefined) throw new Error(`no buffer ${use.buffer}`);
        const name = this.#unusedName(`${root}.again`, rootOf);
        rootOf.set(name, root);
        made.set(root, name);
        buffers.push({ ...original, name });
        return { ...use, buffer: name };
      });
      return { ...dispatch, bind, recompute };
    });
    const wanted = new Map(this.resultsOf(repeat.at(-1) ?? -1).map(({ name }) => [name, made.get(this.rootOf(name)) ?? name]));
    const redirected = (use: BindingUse): BindingUse => {
      const name = use.access === "read" ? wanted.get(use.buffer) : undefined;
      return name === undefined ? use : { ...use, buffer: name };
    };
    const { dispatches } = this.entry;
    const later = dispatches
      .slice(at)
      .map((d): Dispatch => (d.bind.some((b) => wanted.has(b.buffer)) ? { ...d, bind: d.bind.map(redirected) } : d));
    const entry = {
      ...this.entry,
      buffers: [...this.entry.buffers, ...buffers],
      dispatches: [...dispatches.slice(0, at), ...inserted, ...later],
    };
    return new Timeline(entry, rootOf);
  }

  /** The timeline without a recomputation: what reads it reads the version before. Recomputations that nothing reads then go too. */
  remove(at: number): Timeline {
    const renamed = new Map<string, string>();
    for (const { name, written } of this.resultsOf(at)) {
      const earlier = this.family(name).findLast((v) => v.written < written);
      if (earlier === undefined) throw new Error(`${name} is no recomputation`);
      renamed.set(name, earlier.name);
    }
    const kept: Dispatch[] = [];
    const read = new Set(this.entry.outputs.map((port) => port.buffer));
    for (let i = this.length - 1; i >= 0; i--) {
      const dispatch = this.dispatch(i);
      const isWanted = dispatch.recompute === undefined || dispatch.bind.some((b) => b.access !== "read" && read.has(b.buffer));
      if (i === at || !isWanted) continue;
      const bind = dispatch.bind.some((b) => renamed.has(b.buffer))
        ? dispatch.bind.map((use) => ({ ...use, buffer: renamed.get(use.buffer) ?? use.buffer }))
        : dispatch.bind;
      for (const { buffer, access } of bind) if (access !== "write") read.add(buffer);
      kept.push(bind === dispatch.bind ? dispatch : { ...dispatch, bind });
    }
    const dispatches = kept.reverse();
    const used = new Set(dispatches.flatMap((d) => d.bind.map((b) => b.buffer)));
    const buffers = this.entry.buffers.filter((b) => used.has(b.name) || !this.#rootOf.has(b.name));
    return new Timeline({ ...this.entry, buffers, dispatches }, this.#rootOf);
  }

  /** The version that is there longest of those written before a dispatch. */
  #availableAt(name: string, at: number): Version {
    return latestBefore(this.family(name), at) ?? missing(name);
  }

  #unusedName(base: string, taken: ReadonlyMap<string, string>): string {
    let name = base;
    for (let n = 2; this.#buffers.has(name) || taken.has(name); n++) name = `${base}${n}`;
    return name;
  }
}

/** Of some versions, the one that is read last among those written before a dispatch. */
export function latestBefore(family: readonly Version[], at: number): Version | undefined {
  let found: Version | undefined;
  for (const version of family) if (version.written < at && (found === undefined || lastUse(version) > lastUse(found))) found = version;
  return found;
}

function missing(name: string): never {
  throw new Error(`${name} is there at no time`);
}

function readEntry({ dispatches, inputs, outputs }: PlanEntry, buffers: ReadonlyMap<string, VirtualBuffer>) {
  const versions = new Map<string, { name: string; bytes: number; written: number; reads: number[]; isStable: boolean }>();
  const replaced = new Map<string, number>();
  let anyReplaced = Number.POSITIVE_INFINITY;
  const temporary = (name: string): VirtualBuffer | undefined => {
    const buffer = buffers.get(name);
    return buffer?.role.kind === "temporary" ? buffer : undefined;
  };
  for (const { buffer: name } of inputs) {
    const buffer = temporary(name);
    if (buffer !== undefined) versions.set(name, { name, bytes: alignUp(buffer.bytes), written: -1, reads: [], isStable: true });
  }
  for (const [at, { bind }] of dispatches.entries()) {
    for (const { buffer: name, access, part, through } of bind) {
      const buffer = temporary(name);
      const isWritten = access !== "read";
      if (buffer === undefined) {
        if (isWritten && !replaced.has(name)) replaced.set(name, at);
        if (isWritten && through !== undefined) anyReplaced = Math.min(anyReplaced, at);
        continue;
      }
      const known = versions.get(name);
      if (known === undefined) {
        const isStable = access === "write" && part === undefined && through === undefined;
        versions.set(name, { name, bytes: alignUp(buffer.bytes), written: at, reads: [], isStable });
      } else {
        // Written in parts or in place: its content is another one at other times.
        if (isWritten) known.isStable = false;
        known.reads.push(at);
      }
    }
  }
  for (const { buffer } of outputs) versions.get(buffer)?.reads.push(dispatches.length);
  return { versions, replaced, anyReplaced };
}
