// The plan verifier. It checks, for every dispatch of a placed plan:
// - at most the target's number of storage buffers (8 by default), each binding used by the problem and each use bound;
// - ranges disjoint, offsets multiples of 256, sizes multiples of 16 and within the binding limit, inside their slab;
// - what is read and written by one binding is read at the written element alone, by the lane that writes it;
// - a result in the place of an operand lies exactly there;
// - what a dispatch reads has been written before, all parts of it, or is state, an input, a constant or a host scalar;
// - contents that still matter share no byte with others that are written meanwhile, nor do the gaps in a range that is bound whole.
// It does not check that kernels compute what they should (tests do), nor workgroup counts (the emitter does).
import type { BindingUse, BufferPart, Dispatch, PlacedPlan, PlanEntry, Problem, VirtualBuffer } from "../ir/plan.ts";
import { storesOf } from "../ir/problem.ts";
import { loadsOf, partsOf, samePosition, sameSize } from "../ir/problem-parts.ts";
import { bindingAlignment } from "./state-layout.ts";

const sizeAlignment = 16;

interface Range {
  readonly buffer: string;
  readonly slab: string;
  readonly start: number;
  readonly end: number;
}

/** Throws for a plan that breaks a rule: a plan is ours, so that is a bug. */
export function verifyPlan(plan: PlacedPlan): void {
  const accesses = new Map<Problem, readonly ("read" | "write" | "update" | "no use")[]>();
  const gaps = new Map<string, Range[]>();
  const verifiers = plan.entries.map((entry) => new EntryVerifier(plan, entry, accesses, gaps));
  for (const verifier of verifiers) verifier.verify();
  for (const verifier of verifiers) verifier.verifyGaps();
}

/** Whether the content of a buffer is made and lost within a run. */
const isTransient = ({ role }: VirtualBuffer): boolean => role.kind === "temporary" || role.kind === "gradient";

class EntryVerifier {
  readonly #plan: PlacedPlan;
  readonly #entry: PlanEntry;
  readonly #buffers: ReadonlyMap<string, VirtualBuffer>;
  readonly #slabs: ReadonlyMap<string, number>;
  /** Buffers with a place, in order of slab and address. */
  readonly #placed: readonly Range[];
  readonly #accesses: Map<Problem, readonly ("read" | "write" | "update" | "no use")[]>;
  /** By slab: bytes in a range that is bound whole which no buffer of it covers. */
  readonly #gaps: Map<string, Range[]>;
  readonly #written = new Set<string>();
  readonly #contents = new Contents();
  /** Buffers that are written in parts. */
  readonly #parts = new Map<string, WrittenParts>();

  constructor(
    plan: PlacedPlan,
    entry: PlanEntry,
    accesses: Map<Problem, readonly ("read" | "write" | "update" | "no use")[]>,
    gaps: Map<string, Range[]>,
  ) {
    this.#plan = plan;
    this.#entry = entry;
    this.#accesses = accesses;
    this.#gaps = gaps;
    this.#buffers = new Map(entry.buffers.map((b) => [b.name, b]));
    this.#slabs = new Map(plan.memory.slabs.map((s) => [s.name, s.bytes]));
    const places = plan.memory.places[entry.name] ?? {};
    const ranges = entry.buffers.filter(({ name }) => places[name] !== undefined).map(({ name }) => this.#rangeOf(name));
    this.#placed = ranges.sort((a, b) => (a.slab === b.slab ? a.start - b.start : a.slab < b.slab ? -1 : 1));
  }

  verify(): void {
    const { name, inputs, outputs, buffers, dispatches } = this.#entry;
    for (const { buffer } of inputs) this.#written.add(buffer);
    for (const buffer of buffers) if (!isTransient(buffer)) this.#written.add(buffer.name);
    for (const { buffer } of inputs) if (this.#isTransient(buffer)) this.#contents.put(this.#rangeOf(buffer));
    for (const [i, dispatch] of dispatches.entries()) {
      const broken = this.#checkBindings(dispatch) ?? this.#checkUses(dispatch) ?? this.#checkContents(dispatch);
      if (broken !== undefined) throw new Error(`@${name}, dispatch ${i} (${dispatch.serves.join(", ")}): ${broken}`);
    }
    const lost = outputs.find((p) => !this.#written.has(p.buffer) || (this.#isTransient(p.buffer) && !this.#contents.has(p.buffer)));
    if (lost !== undefined) throw new Error(`@${name}: output ${lost.name} is not there at the end`);
  }

  /** What is written in parts is there when all of them are. */
  #notePart(buffer: string, { part, access }: BindingUse): void {
    if (part === undefined) {
      if (access === "write") this.#parts.delete(buffer);
      return;
    }
    const isThere = !this.#isTransient(buffer) || this.#contents.has(buffer);
    const written = isThere ? this.#parts.get(buffer) : new WrittenParts(this.#buffers.get(buffer)?.bytes ?? 0);
    // Another part of what is there as a whole.
    if (written === undefined) return;
    this.#parts.set(buffer, written);
    written.add(part);
  }

  /** Gaps are zero from the start and must stay so, whatever entry runs. */
  verifyGaps(): void {
    for (const range of this.#placed) {
      const role = this.#buffers.get(range.buffer)?.role.kind;
      const hit = role === "temporary" ? this.#gaps.get(range.slab)?.find((gap) => overlap(gap, range)) : undefined;
      if (hit !== undefined)
        throw new Error(`@${this.#entry.name}: ${range.buffer} lies in the gap behind ${hit.buffer}, which is read as zeros`);
    }
  }

  #isTransient(name: string): boolean {
    const buffer = this.#buffers.get(name);
    return buffer !== undefined && isTransient(buffer);
  }

  #rangeOf(buffer: string, through = buffer, part?: BufferPart): Range {
    const places = this.#plan.memory.places[this.#entry.name] ?? {};
    const [first, last] = [places[buffer], places[through]];
    const bytes = this.#buffers.get(through)?.bytes;
    if (first === undefined || last === undefined || bytes === undefined) throw new Error(`@${this.#entry.name}: no place for ${buffer}`);
    if (part !== undefined) {
      if (part.offset < 0 || part.offset + part.bytes > bytes) throw new Error(`@${this.#entry.name}: no part ${part.offset} of ${buffer}`);
      const start = first.offset + part.offset;
      return { buffer, slab: first.slab, start, end: start + part.bytes };
    }
    if (first.slab !== last.slab) throw new Error(`@${this.#entry.name}: ${buffer} and ${through} lie in two slabs`);
    return { buffer, slab: first.slab, start: first.offset, end: last.offset + bytes };
  }

  #checkBindings({ bind }: Dispatch): string | undefined {
    const { limits } = this.#plan.target;
    if (bind.length > limits.maxStorageBuffersPerShaderStage)
      return `${bind.length} bindings, the target has ${limits.maxStorageBuffersPerShaderStage}`;
    const ranges = bind.map((b) => this.#rangeOf(b.buffer, b.through, b.part));
    for (const range of ranges) {
      const size = range.end - range.start;
      const slab = this.#slabs.get(range.slab);
      if (range.start % bindingAlignment !== 0) return `${range.buffer} lies at ${range.start}, no multiple of ${bindingAlignment}`;
      if (size <= 0 || size % sizeAlignment !== 0) return `${range.buffer} has ${size} bytes, no multiple of ${sizeAlignment}`;
      if (size > limits.maxStorageBufferBindingSize)
        return `${range.buffer} has ${size} bytes, the target binds ${limits.maxStorageBufferBindingSize}`;
      if (slab === undefined || range.end > slab) return `${range.buffer} ends behind its slab ${range.slab}`;
    }
    for (const [i, range] of ranges.entries()) {
      const other = ranges.find((r, j) => j > i && overlap(r, range));
      if (other !== undefined) return `${range.buffer} and ${other.buffer} overlap`;
      const { over, buffer } = bind[i] ?? { buffer: "" };
      const operand = over === undefined ? range : this.#rangeOf(over);
      if (operand.slab !== range.slab || operand.start !== range.start || operand.end !== range.end)
        return `${buffer} does not lie where ${over} lies, whose place it takes`;
    }
    return undefined;
  }

  #checkUses({ problem, bind }: Dispatch): string | undefined {
    const accesses = this.#accesses.get(problem) ?? accessesOf(problem);
    this.#accesses.set(problem, accesses);
    for (const [i, use] of bind.entries()) {
      const is = accesses[i] ?? "no use";
      if (is !== use.access) return `binding ${i} (${use.buffer}) is declared ${use.access}, the problem makes it ${is}`;
    }
    return accesses.length > bind.length ? `the problem uses binding ${accesses.length - 1}, which is not there` : undefined;
  }

  /** The buffers in the range of a binding: one, or for a slab-wide kernel all of its kind from the first to the last. */
  #coveredBy({ buffer, through }: BindingUse): readonly string[] {
    if (through === undefined) return [buffer];
    const range = this.#rangeOf(buffer, through);
    const roles = this.#buffers.get(buffer)?.role.kind;
    const covered = this.#placed.filter((r) => overlap(r, range) && this.#buffers.get(r.buffer)?.role.kind === roles);
    let end = range.start;
    for (const [i, next] of covered.entries()) {
      const gap = { buffer: covered[i - 1]?.buffer ?? buffer, slab: range.slab, start: end, end: next.start };
      if (gap.start < gap.end) this.#gaps.set(range.slab, [...(this.#gaps.get(range.slab) ?? []), gap]);
      end = Math.max(end, next.end);
    }
    return covered.map((r) => r.buffer);
  }

  /** Follow what the slabs hold: a read must find what was written, a write may not destroy what is read later (the read then fails). */
  #checkContents({ bind }: Dispatch): string | undefined {
    for (const use of bind) {
      if (use.access === "write") continue;
      for (const buffer of use.over === undefined ? this.#coveredBy(use) : [use.over]) {
        if (!this.#written.has(buffer)) return `${buffer} is read before it is written`;
        const missing = this.#isTransient(buffer) ? this.#parts.get(buffer)?.missing(use.part) : undefined;
        if (missing !== undefined) return `${buffer} is read before its bytes from ${missing} on are written`;
        if (this.#isTransient(buffer) && !this.#contents.has(buffer)) return `${buffer} has been overwritten`;
      }
    }
    for (const use of bind) {
      if (use.access === "read") continue;
      for (const covered of use.through === undefined ? [use.buffer] : this.#coveredBy(use)) {
        this.#written.add(covered);
        this.#notePart(covered, use);
        if (this.#isTransient(covered)) this.#contents.put(this.#rangeOf(covered));
      }
    }
    return undefined;
  }
}

const overlap = (a: Range, b: Range): boolean => a.slab === b.slab && a.start < b.end && b.start < a.end;

/** What the problem does with each of its bindings. Throws where one is read elsewhere than where it is written. */
function accessesOf(problem: Problem): readonly ("read" | "write" | "update" | "no use")[] {
  const stores = storesOf(problem);
  const { elementwise, elsewhere } = partsOf(problem);
  const own = loadsOf(elementwise.roots);
  const other = loadsOf(elsewhere);
  const reads = new Set([...own, ...other].map((l) => l.binding));
  const writes = new Set(stores.map((s) => s.binding));
  const same = samePosition();
  for (const { binding, column, storage } of stores) {
    if (!reads.has(binding)) continue;
    const strays = own.filter((l) => l.binding === binding && !(same(l.column, column) && sameSize(l.storage, storage)));
    if (strays.length > 0 || other.some((l) => l.binding === binding))
      throw new Error(`binding ${binding} is read and written at different elements`);
  }
  // What is stored in part keeps the rest.
  if (problem.kind === "pointwise" && problem.where !== undefined) for (const binding of writes) reads.add(binding);
  const count = Math.max(-1, ...reads, ...writes) + 1;
  return Array.from({ length: count }, (_, i) => {
    if (reads.has(i)) return writes.has(i) ? "update" : "read";
    return writes.has(i) ? "write" : "no use";
  });
}

/** Which bytes of a buffer have been written. */
class WrittenParts {
  readonly #bytes: number;
  /** Start -> end, disjoint. */
  readonly #ranges = new Map<number, number>();

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  add({ offset, bytes }: BufferPart): void {
    this.#ranges.set(offset, Math.max(this.#ranges.get(offset) ?? 0, offset + bytes));
  }

  /** The first byte of a part, or of all, that has not been written. */
  missing(part: BufferPart = { offset: 0, bytes: this.#bytes }): number | undefined {
    let at = part.offset;
    for (const [start, end] of [...this.#ranges].sort(([a], [b]) => a - b)) if (start <= at) at = Math.max(at, end);
    return at >= part.offset + part.bytes ? undefined : at;
  }
}

/** Which transient buffer each byte holds: disjoint ranges by address, slab by slab. */
class Contents {
  readonly #slabs = new Map<string, Range[]>();
  readonly #held = new Set<string>();

  has(buffer: string): boolean {
    return this.#held.has(buffer);
  }

  /** Write a buffer: what lay there is lost. */
  put(range: Range): void {
    const ranges = this.#slabs.get(range.slab) ?? [];
    this.#slabs.set(range.slab, ranges);
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranges[middle]?.end ?? 0) <= range.start) low = middle + 1;
      else high = middle;
    }
    let end = low;
    while (end < ranges.length && (ranges[end]?.start ?? 0) < range.end) end++;
    for (const lost of ranges.splice(low, end - low, range)) this.#held.delete(lost.buffer);
    this.#held.add(range.buffer);
  }
}
