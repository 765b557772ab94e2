// The plan verifier. It checks, for every dispatch of a placed plan:
// - at most the target's number of storage buffers (8 by default), each binding used by the problem and each use bound;
// - ranges disjoint, offsets multiples of 256, sizes multiples of 16 and within the binding limit, inside their slab;
// - what a dispatch reads has been written before, or is state, an input, a constant or a host scalar;
// - a temporary that still matters shares no byte with another one that is written meanwhile.
// It does not check that kernels compute what they should (tests do), nor workgroup counts (the emitter does).
import type { BindingUse, Dispatch, PlacedPlan, PlanEntry } from "../ir/plan.ts";
import { expressionsOf, storesOf } from "../ir/problem.ts";
import { childrenOf, type ScalarExpr } from "../ir/scalar.ts";
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
  for (const entry of plan.entries) {
    const written = new Set(entry.inputs.map((p) => p.buffer));
    for (const buffer of entry.buffers) if (buffer.role.kind !== "temporary" && buffer.role.kind !== "gradient") written.add(buffer.name);
    const contents = new Map<string, Range>();
    for (const name of written) if (isTemporary(entry, name)) contents.set(name, rangeOf(plan, entry, name));
    for (const [i, dispatch] of entry.dispatches.entries()) {
      const where = `@${entry.name}, dispatch ${i} (${dispatch.serves.join(", ")})`;
      const broken = checkBindings(plan, entry, dispatch) ?? checkUses(dispatch) ?? checkContents(plan, entry, dispatch, written, contents);
      if (broken !== undefined) throw new Error(`${where}: ${broken}`);
    }
    const lost = entry.outputs.find((p) => !written.has(p.buffer) || (isTemporary(entry, p.buffer) && !contents.has(p.buffer)));
    if (lost !== undefined) throw new Error(`@${entry.name}: output ${lost.name} is not there at the end`);
  }
}

const isTemporary = (entry: PlanEntry, name: string): boolean => entry.buffers.find((b) => b.name === name)?.role.kind === "temporary";

function rangeOf(plan: PlacedPlan, entry: PlanEntry, buffer: string, through = buffer): Range {
  const places = plan.memory.places[entry.name] ?? {};
  const [first, last] = [places[buffer], places[through]];
  const bytes = entry.buffers.find((b) => b.name === through)?.bytes;
  if (first === undefined || last === undefined || bytes === undefined) throw new Error(`@${entry.name}: no place for ${buffer}`);
  if (first.slab !== last.slab) throw new Error(`@${entry.name}: ${buffer} and ${through} lie in two slabs`);
  return { buffer, slab: first.slab, start: first.offset, end: last.offset + bytes };
}

const overlap = (a: Range, b: Range): boolean => a.slab === b.slab && a.start < b.end && b.start < a.end;

function checkBindings(plan: PlacedPlan, entry: PlanEntry, { bind }: Dispatch): string | undefined {
  const { limits } = plan.target;
  if (bind.length > limits.maxStorageBuffersPerShaderStage)
    return `${bind.length} bindings, the target has ${limits.maxStorageBuffersPerShaderStage}`;
  const ranges = bind.map((b) => rangeOf(plan, entry, b.buffer, b.through));
  for (const range of ranges) {
    const size = range.end - range.start;
    const slab = plan.memory.slabs.find((s) => s.name === range.slab);
    if (range.start % bindingAlignment !== 0) return `${range.buffer} lies at ${range.start}, no multiple of ${bindingAlignment}`;
    if (size <= 0 || size % sizeAlignment !== 0) return `${range.buffer} has ${size} bytes, no multiple of ${sizeAlignment}`;
    if (size > limits.maxStorageBufferBindingSize)
      return `${range.buffer} has ${size} bytes, the target binds ${limits.maxStorageBufferBindingSize}`;
    if (slab === undefined || range.end > slab.bytes) return `${range.buffer} ends behind its slab ${range.slab}`;
  }
  for (const [i, range] of ranges.entries()) {
    const other = ranges.slice(i + 1).find((r) => overlap(r, range));
    if (other !== undefined) return `${range.buffer} and ${other.buffer} overlap`;
  }
  return undefined;
}

function checkUses({ problem, bind }: Dispatch): string | undefined {
  const reads = new Set<number>();
  const seen = new Set<ScalarExpr>();
  const visit = (e: ScalarExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    if (e.kind === "load") reads.add(e.binding);
    for (const child of childrenOf(e)) visit(child);
  };
  for (const root of expressionsOf(problem)) visit(root);
  const writes = new Set(storesOf(problem).map((s) => s.binding));
  for (const [i, use] of bind.entries()) {
    const is = reads.has(i) && writes.has(i) ? "update" : writes.has(i) ? "write" : reads.has(i) ? "read" : "no use";
    if (is !== use.access) return `binding ${i} (${use.buffer}) is declared ${use.access}, the problem makes it ${is}`;
  }
  const stray = [...reads, ...writes].find((b) => bind[b] === undefined);
  return stray === undefined ? undefined : `the problem uses binding ${stray}, which is not there`;
}

/** The buffers in the range of a binding: one, or for a slab-wide kernel all of its kind from the first to the last. */
function coveredBy(plan: PlacedPlan, entry: PlanEntry, { buffer, through }: BindingUse): readonly string[] {
  if (through === undefined) return [buffer];
  const range = rangeOf(plan, entry, buffer, through);
  const placed = entry.buffers.filter(({ name }) => plan.memory.places[entry.name]?.[name] !== undefined);
  return placed.map(({ name }) => name).filter((name) => overlap(rangeOf(plan, entry, name), range));
}

/** Follow what the slabs hold: a read must find what was written, a write may not destroy what is read later (the read then fails). */
function checkContents(
  plan: PlacedPlan,
  entry: PlanEntry,
  { bind }: Dispatch,
  written: Set<string>,
  contents: Map<string, Range>,
): string | undefined {
  for (const use of bind) {
    if (use.access === "write") continue;
    for (const buffer of coveredBy(plan, entry, use)) {
      if (!written.has(buffer)) return `${buffer} is read before it is written`;
      if (isTemporary(entry, buffer) && !contents.has(buffer)) return `${buffer} has been overwritten`;
    }
  }
  for (const use of bind) {
    const { buffer, access } = use;
    if (access === "read") continue;
    for (const covered of coveredBy(plan, entry, use)) written.add(covered);
    if (!isTemporary(entry, buffer)) continue;
    const range = rangeOf(plan, entry, buffer);
    for (const [name, held] of contents) if (name !== buffer && overlap(held, range)) contents.delete(name);
    contents.set(buffer, range);
  }
  return undefined;
}
