// The plan of one entry: buffers for values, problems for kernels, in-place updates where no one reads the old value any more.
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { valueNames } from "../ir/module.ts";
import { bufferBytes } from "../ir/packing.ts";
import type { BindingUse, BufferRole, Dispatch, EntryPort, Placement, PlanEntry, Problem, VirtualBuffer } from "../ir/plan.ts";
import { f32 } from "../ir/type.ts";
import { collectKernels, isFlat, type KernelUses, usesOf, writeOf } from "./collect-kernels.ts";
import { constantValues, isInlineSource } from "./grouping.ts";
import { formOf, type ProblemTable } from "./kernel-form.ts";
import { axisVariables, KernelScope } from "./kernel-scope.ts";
import { fillDispatches } from "./plan-fill.ts";
import { readsOwnElement } from "./plan-in-place.ts";
import { copiedParts, copyOf, joinOf, placedParts } from "./plan-join.ts";
import { normDispatches } from "./plan-norm.ts";
import { firstPartial, runLength, type UpdateKernel, updateRuns } from "./plan-optimizer.ts";
import { anchorsOf, type Kernel, problemOf } from "./plan-problems.ts";
import type { BufferPlace } from "./row-places.ts";
import type { StateLayout } from "./state-layout.ts";

/** A dispatch before its schedule is chosen. */
export type Planned = Omit<Dispatch, "schedule">;

const isStateRead = (i: Instruction | undefined): boolean => i?.op.signature.name === "state.read";
const wordBytes = 4;

export class EntryPlanner {
  readonly #entry: Entry;
  readonly #layout: StateLayout;
  readonly #names: ReadonlyMap<Value, string>;
  /** Names of buffers that values have, whether they get one or not. */
  readonly #taken: ReadonlySet<string>;
  readonly #producers = new Map<Value, Instruction>();
  readonly #places = new Map<Value, BufferPlace>();
  readonly #buffers = new Map<string, VirtualBuffer>();
  readonly #constants: { buffer: string; values: readonly number[] }[] = [];
  readonly #kernels: readonly Kernel[];
  readonly #uses: KernelUses;
  /** State -> the kernel that replaces it in place. */
  readonly #inPlace = new Map<string, number>();
  /** State -> the buffer with its old value, for what reads that behind the kernel which replaces it. */
  readonly #snapshots = new Map<string, string>();

  readonly #problems: ProblemTable;

  /** `problems` is shared by all entries of a module. */
  constructor(entry: Entry, layout: StateLayout, problems: ProblemTable) {
    this.#entry = entry;
    this.#layout = layout;
    this.#problems = problems;
    this.#names = valueNames(entry);
    this.#taken = new Set([...this.#names.values()].map((name) => `%${name}`));
    for (const instruction of entry.instructions) for (const r of instruction.results) this.#producers.set(r, instruction);
    this.#kernels = collectKernels(entry, (value) => this.#producers.get(value));
    this.#uses = usesOf(this.#kernels, (value) => this.#stateRead(value));
  }

  plan(): Omit<PlanEntry, "dispatches"> & { readonly dispatches: readonly Planned[] } {
    this.#placeSources();
    const updates = this.#updateKernels();
    for (const update of updates) this.#placeGradient(update);
    this.#placeUpdates();
    for (const [part, place] of placedParts(this.#kernels, (whole) => this.#placeWhole(whole)))
      if (this.#uses.storing.has(part) && !this.#places.has(part)) this.#places.set(part, place);
    for (const kernel of this.#kernels)
      for (const value of kernel.stored) if (!this.#places.has(value)) this.#place(value, `%${this.#name(value)}`, { kind: "temporary" });
    const dispatches = [...this.#snapshotCopies()];
    const runs = updateRuns(
      updates.filter((u) => this.#mayMerge(u)),
      this.#names,
      (value) => this.#fixedPlace(value),
    );
    // A run stands where its last member stood, when every gradient is there.
    const merged = new Set(runs.flatMap((run) => run.map((u) => u.kernel)));
    const runAt = new Map(runs.map((run) => [Math.max(...run.map((u) => u.kernel)), run] as const));
    for (const kernel of this.#kernels) {
      const run = runAt.get(kernel.number);
      if (run !== undefined) dispatches.push(this.#mergedUpdate(run));
      else if (!merged.has(kernel.number)) dispatches.push(...this.#dispatchesOf(kernel));
    }
    const outputs = this.#entry.outputs.map(
      ({ name, value }): EntryPort => ({ name, type: value.type, ...this.#port(value, dispatches, name) }),
    );
    dispatches.push(...this.#finalCopies());
    const inputs = this.#entry.inputs.map(({ value }): EntryPort => {
      const { buffer, element } = this.#placeOf(value);
      return { name: this.#inputName(value), type: value.type, buffer, byteOffset: element * wordBytes };
    });
    const used = new Set([
      ...dispatches.flatMap((d) => d.bind.flatMap((b) => [b.buffer, b.through ?? b.buffer])),
      ...inputs.map((p) => p.buffer),
      ...outputs.map((p) => p.buffer),
    ]);
    return {
      name: this.#entry.name,
      buffers: [...this.#buffers.values()].filter((b) => used.has(b.name) || b.role.kind === "gradient"),
      dispatches,
      inputs,
      outputs,
      constants: this.#constants.filter((c) => used.has(c.buffer)),
    };
  }

  #name(value: Value): string {
    const name = this.#names.get(value);
    if (name === undefined) throw new Error("a value without a name");
    return name;
  }

  #inputName(value: Value): string {
    const origin = this.#entry.inputs.find((i) => i.value === value)?.origin;
    if (origin === undefined || origin === "caller") return this.#name(value);
    return "host" in origin ? origin.host : this.#name(value);
  }

  /** A buffer's name that no value and no state has. */
  #unusedName(base: string): string {
    let name = base;
    while (this.#taken.has(name) || this.#layout.states.has(name) || this.#buffers.has(name)) name += "_";
    return name;
  }

  #place(value: Value, name: string, role: BufferRole): void {
    this.#buffers.set(name, { name, type: value.type, bytes: bufferBytes(value.type), role });
    this.#places.set(value, { buffer: name, element: 0 });
  }

  #placeOf(value: Value): BufferPlace {
    const place = this.#places.get(value);
    if (place === undefined) throw new Error(`%${this.#name(value)} has no buffer`);
    return place;
  }

  #placeSources(): void {
    const host = this.#entry.inputs.flatMap(({ value, origin }) =>
      origin !== "caller" && "host" in origin ? [{ value, name: origin.host }] : [],
    );
    const scalars = [...new Set(host.map(({ name }) => name))];
    const buffer = this.#unusedName("host");
    if (scalars.length > 0) {
      const type = f32(scalars.length);
      this.#buffers.set(buffer, { name: buffer, type, bytes: bufferBytes(type), role: { kind: "host" } });
    }
    for (const { value, name } of host) this.#places.set(value, { buffer, element: scalars.indexOf(name) });
    for (const { value } of this.#entry.inputs)
      if (!this.#places.has(value)) this.#place(value, `%${this.#name(value)}`, { kind: "temporary" });
    for (const instruction of this.#entry.instructions) {
      const [result] = instruction.results;
      if (result === undefined || instruction.op.lower.kind !== "source" || isInlineSource(instruction)) continue;
      if (isStateRead(instruction)) {
        const name = instruction.attrs["name"] as string;
        this.#place(result, name, { kind: "state", name });
      } else {
        const name = `%${this.#name(result)}`;
        this.#place(result, name, { kind: "constant" });
        this.#constants.push({ buffer: name, values: constantValues(instruction) });
      }
    }
  }

  /** Kernels of one pointwise instruction whose results all replace state: the optimizer's. */
  #updateKernels(): readonly UpdateKernel[] {
    const stateOf = new Map(this.#entry.updates.map((u) => [u.value, u.state]));
    return this.#kernels.flatMap((kernel) => {
      const [instruction, ...more] = kernel.members;
      if (instruction === undefined || more.length > 0 || instruction.op.lower.kind !== "pointwise") return [];
      const states = instruction.results.map((r) => stateOf.get(r));
      const [state] = states;
      const inOrder = states.every((s, i) => s !== undefined && this.#reads(instruction.operands[i], s));
      return state !== undefined && inOrder && this.#layout.states.has(state) ? [{ kernel: kernel.number, instruction, state }] : [];
    });
  }

  /** The state whose value at entry this is. */
  #stateRead(value: Value | undefined): string | undefined {
    const producer = value === undefined ? undefined : this.#producers.get(value);
    return isStateRead(producer) ? (producer?.attrs["name"] as string) : undefined;
  }

  #reads(value: Value | undefined, state: string): boolean {
    return this.#stateRead(value) === state;
  }

  /** The gradient is the update's operand of the parameter's shape that is no state: it moves into the block of gradients. */
  #placeGradient({ instruction, state }: UpdateKernel): void {
    const gradient = instruction.operands.find((o) => o.type.dims.length > 0 && !isStateRead(this.#producers.get(o)));
    if (gradient === undefined || this.#places.has(gradient) || !this.#uses.storing.has(gradient) || !this.#layout.gradients.has(state))
      return;
    this.#place(gradient, `%${this.#name(gradient)}`, { kind: "gradient", state });
  }

  /**
   * An update is written in place where its own kernel reads the old value at the same element only, or not at all because it replaces a
   * part of it. What reads the old value behind that kernel reads a copy made at the start.
   */
  #placeUpdates(): void {
    for (const { state, value } of this.#entry.updates) {
      const writer = this.#uses.storing.get(value);
      if (writer === undefined || this.#places.has(value)) continue;
      const readsOld = this.#uses.readers.get(state)?.has(writer.number) === true;
      const isOwn = !readsOld || readsOwnElement(writer, value, (v) => this.#reads(v, state)) || this.#onlyWritesInto(writer, state);
      if (!isOwn) continue;
      this.#place(value, state, { kind: "state", name: state });
      this.#inPlace.set(state, writer.number);
    }
    const returned = new Set([...this.#entry.outputs, ...this.#entry.updates].map(({ value }) => this.#stateRead(value)));
    for (const [state, writer] of this.#inPlace) {
      const isReadLater = [...(this.#uses.readers.get(state) ?? [])].some((kernel) => kernel > writer);
      if (isReadLater || returned.has(state)) this.#snapshots.set(state, this.#unusedName(`%old.${state}`));
    }
  }

  /** The place of what is joined; undefined for a state, whose old rows may be read until all new ones are there. */
  #placeWhole(whole: Value): string | undefined {
    if (!this.#places.has(whole)) this.#place(whole, `%${this.#name(whole)}`, { kind: "temporary" });
    const { buffer } = this.#placeOf(whole);
    return this.#buffers.get(buffer)?.role.kind === "state" ? undefined : buffer;
  }

  /** Whether a kernel takes a state's old value as what it writes into, and nowhere else. */
  #onlyWritesInto(kernel: Kernel, state: string): boolean {
    const write = writeOf(kernel);
    const reads = kernel.members.flatMap((m) => m.operands.flatMap((o, i) => (this.#reads(o, state) ? [{ by: m, operand: i }] : [])));
    return write !== undefined && reads.every(({ by, operand }) => by === write && operand === 0);
  }

  #snapshotCopies(): readonly Planned[] {
    return [...this.#snapshots].map(([state, buffer]) => {
      const read = this.#entry.instructions.find((i) => isStateRead(i) && i.attrs["name"] === state);
      const [value] = read?.results ?? [];
      if (value === undefined) throw new Error(`a snapshot of ${state}, which nothing reads`);
      return this.#copy(value, buffer, { kind: "temporary" }, { buffer: state, element: 0 });
    });
  }

  /** Where a kernel (behind all of them: a copy at the end) finds a value. */
  #placeFor(value: Value, kernel = Number.POSITIVE_INFINITY): BufferPlace {
    const state = this.#stateRead(value);
    const snapshot = state === undefined ? undefined : this.#snapshots.get(state);
    const isReplaced = state !== undefined && kernel > (this.#inPlace.get(state) ?? Number.POSITIVE_INFINITY);
    return snapshot !== undefined && isReplaced ? { buffer: snapshot, element: 0 } : this.#placeOf(value);
  }

  /**
   * Whether an update may be part of a slab-wide dispatch, which stands behind its own place: all that it replaces is written in
   * place and read by no other kernel, and its gradient lies in the parameter's place of the block of gradients.
   */
  #mayMerge({ kernel, instruction, state }: UpdateKernel): boolean {
    const { operands, results } = instruction;
    const inPlace = results.every((_, i) => this.#inPlace.get(this.#stateRead(operands[i]) ?? "") === kernel);
    const isRead = results.some((r) => this.#uses.operands.has(r));
    const others = operands.slice(results.length).filter((o) => o.type.dims.length > 0);
    const ownGradient = others.every((o) => this.#gradientOf(o) === state && !this.#inPlace.has(this.#stateRead(o) ?? ""));
    return inPlace && !isRead && ownGradient && (operands[0]?.type.dims.length ?? 0) > 0;
  }

  /** The parameter whose gradient a value is, in that gradient's place. */
  #gradientOf(value: Value): string | undefined {
    const role = this.#buffers.get(this.#places.get(value)?.buffer ?? "")?.role;
    if (role?.kind === "gradient") return role.state;
    return role?.kind === "state" ? this.#layout.sums.get(role.name) : undefined;
  }

  /** The place in its slab of a state or a gradient. */
  #fixedPlace(value: Value): Placement | undefined {
    const role = this.#buffers.get(this.#placeOf(value).buffer)?.role;
    if (role?.kind === "state") return this.#layout.states.get(role.name);
    return role?.kind === "gradient" ? this.#layout.gradients.get(role.state) : undefined;
  }

  #scope(kernel: Kernel, flat: boolean): KernelScope {
    const placeOf = (v: Value) => this.#placeFor(v, kernel.number);
    const needed = new Set([...kernel.stored, ...kernel.members.flatMap((m) => m.operands)]);
    const isNeeded = (v: Value) => needed.has(v);
    return new KernelScope({ members: kernel.members, producer: (v) => this.#producers.get(v), placeOf, isNeeded, flat });
  }

  #describe(kernel: Kernel): Pick<Planned, "serves" | "remat" | "at"> {
    const at = (anchorsOf(kernel)[0] ?? kernel.members.at(-1))?.at;
    const [region, ...others] = new Set(kernel.stored.map((v) => this.#producers.get(v)?.marks.remat));
    return {
      serves: kernel.stored.map((v) => `%${this.#name(v)}`),
      ...(region === undefined || others.length > 0 ? {} : { remat: region }),
      ...(at === undefined ? {} : { at }),
    };
  }

  #dispatchesOf(kernel: Kernel): readonly Planned[] {
    const norm = anchorsOf(kernel).find((a) => a.op.lower.kind === "kernel" && a.op.lower.family === "norm");
    if (norm !== undefined) return this.#normDispatches(kernel, norm);
    const join = joinOf(kernel);
    if (join !== undefined)
      return copiedParts(join, this.#places).map(({ value, to }) => ({ ...this.#copied(value, to), serves: [to.buffer] }));
    const form = formOf(kernel, { producer: (v) => this.#producers.get(v), placeOf: (v) => this.#placeFor(v, kernel.number) });
    const made = this.#problems.get(form, () => {
      const flat = isFlat(kernel, (value) => this.#producers.get(value));
      const scope = this.#scope(kernel, flat);
      return { problem: problemOf(kernel, scope, flat), bind: scope.bindings };
    });
    return [...this.#copyToWriteInto(kernel), { ...made, ...this.#describe(kernel) }];
  }

  /** What a kernel writes into comes to the result's place first, where it does not lie there already. */
  #copyToWriteInto(kernel: Kernel): readonly Planned[] {
    const write = writeOf(kernel);
    const [into] = write?.operands ?? [];
    const [result] = write?.results ?? [];
    if (into === undefined || result === undefined) return [];
    const { buffer } = this.#placeOf(result);
    const role = this.#buffers.get(buffer)?.role ?? { kind: "temporary" };
    const from = this.#places.has(into) ? this.#placeFor(into, kernel.number) : undefined;
    return from?.buffer === buffer ? [] : [this.#copy(into, buffer, role, from)];
  }

  #normDispatches(kernel: Kernel, norm: Instruction): readonly Planned[] {
    const [result] = norm.results;
    if (result === undefined) throw new Error("a norm without a result");
    const partials = this.#unusedName(`%${this.#name(result)}.partials`);
    const { stages, count } = normDispatches(kernel, norm, partials, this.#layout, {
      scope: () => this.#scope(kernel, false),
      gradientOf: (value) => this.#gradientOf(value),
    });
    const type = f32(firstPartial + count);
    this.#buffers.set(partials, { name: partials, type, bytes: bufferBytes(type), role: { kind: "temporary" } });
    const { serves, at } = this.#describe(kernel);
    const last = stages.length - 1;
    return stages.map((stage, i) => ({ ...stage, serves: i === last ? serves : [partials], ...(at === undefined ? {} : { at }) }));
  }

  #mergedUpdate(run: readonly UpdateKernel[]): Planned {
    const [first] = run;
    const last = run.at(-1);
    const [written] = first?.instruction.results ?? [];
    const kernel = written === undefined ? undefined : this.#uses.storing.get(written);
    const [weight] = last?.instruction.operands ?? [];
    if (first === undefined || last === undefined || kernel === undefined || weight === undefined)
      throw new Error("an empty run of updates");
    const length = runLength(first.state, last.state, bufferBytes(weight.type), this.#layout);
    const scope = this.#scope(kernel, true);
    const at = axisVariables("c", [length]);
    const problem: Problem = { kind: "pointwise", shape: [length], stores: first.instruction.results.map((r) => scope.store(r, at)) };
    const through = new Map<string, string>();
    for (const [i, operand] of first.instruction.operands.entries()) {
      const other = last.instruction.operands[i];
      if (operand.type.dims.length > 0 && other !== undefined) through.set(this.#placeOf(operand).buffer, this.#placeOf(other).buffer);
    }
    const bind = scope.bindings.map((b): BindingUse => {
      const end = through.get(b.buffer);
      return end === undefined || end === b.buffer ? b : { ...b, through: end };
    });
    const serves = run.flatMap((u) => u.instruction.results.map((r) => `%${this.#name(r)}`));
    return { problem, bind, serves, ...(first.instruction.at === undefined ? {} : { at: first.instruction.at }) };
  }

  /** Where an output is; a value that no kernel stores (an input, a constant, a state) is copied. */
  #port(value: Value, dispatches: Planned[], name: string): { readonly buffer: string; readonly byteOffset: number } {
    const place = this.#places.get(value);
    if (this.#uses.storing.has(value) && place !== undefined) return { buffer: place.buffer, byteOffset: place.element * wordBytes };
    const copy = this.#unusedName(`%out.${name}`);
    dispatches.push(this.#copy(value, copy, { kind: "temporary" }));
    return { buffer: copy, byteOffset: 0 };
  }

  #copy(value: Value, to: string, role: BufferRole, from?: BufferPlace): Planned {
    if (!this.#buffers.has(to)) this.#buffers.set(to, { name: to, type: value.type, bytes: bufferBytes(value.type), role });
    return { ...this.#copied(value, { buffer: to, element: 0 }, from), serves: [to] };
  }

  #copied(value: Value, to: BufferPlace, from?: BufferPlace): Pick<Planned, "problem" | "bind"> {
    return copyOf(value, { producer: (v) => this.#producers.get(v), placeOf: (v) => from ?? this.#placeFor(v), to });
  }

  /** Updates that could not be made in place: what lies in a state goes to a temporary first, so that no copy reads what another has replaced. */
  #finalCopies(): readonly Planned[] {
    const first: Planned[] = [];
    const second: Planned[] = [];
    const fills = fillDispatches(this.#entry, (v) => this.#producers.get(v), this.#layout);
    const filled = new Set(fills.flatMap(({ states }) => states));
    for (const { state, value } of this.#entry.updates) {
      if (filled.has(state)) {
        this.#buffers.set(state, { name: state, type: value.type, bytes: bufferBytes(value.type), role: { kind: "state", name: state } });
        continue;
      }
      const place = this.#places.get(value);
      const inState = place !== undefined && this.#buffers.get(this.#placeFor(value).buffer)?.role.kind === "state";
      if (inState && place.buffer === state && !this.#reads(value, state)) continue;
      if (!inState) {
        second.push(this.#copy(value, state, { kind: "state", name: state }));
        continue;
      }
      const temporary = this.#unusedName(`%new.${state}`);
      first.push(this.#copy(value, temporary, { kind: "temporary" }));
      second.push(this.#copy({ ...value }, state, { kind: "state", name: state }, { buffer: temporary, element: 0 }));
    }
    return [...first, ...second, ...fills.map(({ states, ...fill }): Planned => ({ ...fill, serves: states }))];
  }
}
