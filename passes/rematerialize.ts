// `rematerialize`: what the recipe's `remat` selects keeps nothing for the backward pass but what flows from instance to instance; the rest
// is computed again, region by region, when the backward pass asks for it.
//
// It repeats dispatches of the finished plan and not instructions: a clone in the IR could be fused with other neighbours, drivers may
// contract multiplications and additions differently in another kernel, and a code that differs between forward and backward is a silent
// bug. A repeated dispatch is the same pipeline on the same operands, so no bit of any result changes.
import type { BindingUse, Dispatch, KernelPlan, PlanEntry, VirtualBuffer } from "../ir/plan.ts";

export function rematerialize(plan: KernelPlan): KernelPlan {
  const entries = plan.entries.map((entry) =>
    entry.dispatches.some((d) => d.remat !== undefined) ? new Rematerializer(entry).run() : entry,
  );
  return entries.every((entry, i) => entry === plan.entries[i]) ? plan : { ...plan, entries };
}

class Rematerializer {
  readonly #entry: PlanEntry;
  readonly #buffers: Map<string, VirtualBuffer>;
  /** The one dispatch that writes a buffer; undefined for those that several write. */
  readonly #writers = new Map<string, Dispatch | undefined>();
  /** What the loss depends on, and what else belongs to a region (masks). All others are the backward pass and what follows it. */
  readonly #forward: ReadonlySet<Dispatch>;
  /** Buffers that outlive their region anyway: read by the forward pass outside of it, handed out, or no temporaries. */
  readonly #kept: ReadonlySet<string>;
  readonly #dispatches: Dispatch[] = [];
  /** Buffer -> where its recomputed content is. */
  readonly #again = new Map<string, string>();
  readonly #numbers = new Map<string, number>();
  /** State that has been replaced: what was computed from its old value cannot be computed again. */
  readonly #replaced = new Set<string>();

  constructor(entry: PlanEntry) {
    this.#entry = entry;
    this.#buffers = new Map(entry.buffers.map((b) => [b.name, b]));
    for (const dispatch of entry.dispatches) {
      for (const { buffer, part, access } of dispatch.bind) {
        if (access !== "read") this.#writers.set(buffer, this.#writers.has(buffer) || part !== undefined ? undefined : dispatch);
      }
    }
    this.#forward = new Set([...this.#ancestorsOfLoss(), ...entry.dispatches.filter((d) => d.remat !== undefined)]);
    this.#kept = this.#findKept();
  }

  run(): PlanEntry {
    for (const dispatch of this.#entry.dispatches) {
      if (this.#forward.has(dispatch)) this.#dispatches.push(dispatch);
      else this.#dispatches.push({ ...dispatch, bind: dispatch.bind.map((use) => this.#redirected(use)) });
      for (const { buffer, access } of dispatch.bind) {
        if (access !== "read" && this.#buffers.get(buffer)?.role.kind === "state") this.#replaced.add(buffer);
      }
    }
    if (this.#again.size === 0) return this.#entry;
    return { ...this.#entry, buffers: [...this.#buffers.values()], dispatches: this.#dispatches };
  }

  /** The dispatches that the loss, the entry's first output, depends on. */
  #ancestorsOfLoss(): ReadonlySet<Dispatch> {
    const makers = new Map<string, Dispatch[]>();
    for (const dispatch of this.#entry.dispatches) {
      for (const { buffer, access } of dispatch.bind) {
        if (access === "read" || this.#buffers.get(buffer)?.role.kind !== "temporary") continue;
        const known = makers.get(buffer);
        if (known === undefined) makers.set(buffer, [dispatch]);
        else known.push(dispatch);
      }
    }
    const found = new Set<Dispatch>();
    const stack = [this.#entry.outputs[0]?.buffer ?? ""];
    for (let buffer = stack.pop(); buffer !== undefined; buffer = stack.pop()) {
      for (const maker of makers.get(buffer) ?? []) {
        if (found.has(maker)) continue;
        found.add(maker);
        for (const use of maker.bind) if (use.access !== "write") stack.push(use.buffer);
      }
    }
    return found;
  }

  #findKept(): ReadonlySet<string> {
    const kept = new Set(this.#entry.outputs.map((p) => p.buffer));
    for (const dispatch of this.#forward) {
      for (const { buffer, access } of dispatch.bind) {
        if (access !== "write" && this.#writers.get(buffer)?.remat !== dispatch.remat) kept.add(buffer);
      }
    }
    return kept;
  }

  /** The binding of a backward dispatch, to recomputed content where that is to be had. */
  #redirected(use: BindingUse): BindingUse {
    if (use.access !== "read" || use.through !== undefined) return use;
    const region = this.#writers.get(use.buffer)?.remat;
    return region === undefined ? use : { ...use, buffer: this.#recompute(use.buffer, region) };
  }

  /** The buffer that holds the content of a buffer of a region again, computed now where it is not there yet; itself where it was kept. */
  #recompute(buffer: string, region: string): string {
    const writer = this.#writers.get(buffer);
    if (writer === undefined || writer.remat !== region || this.#kept.has(buffer)) return buffer;
    const known = this.#again.get(buffer);
    if (known !== undefined) return known;
    if (!writer.bind.every((use) => this.#canRepeat(use))) return buffer;
    // Operands first: they are dispatched before it.
    const operands = new Map(
      writer.bind.flatMap((use) => (use.access === "read" ? [[use.buffer, this.#recompute(use.buffer, region)] as const] : [])),
    );
    const bind = writer.bind.map((use) => ({ ...use, buffer: operands.get(use.buffer) ?? this.#twin(use.buffer) }));
    const recompute = this.#numbers.get(region) ?? this.#numbers.size + 1;
    this.#numbers.set(region, recompute);
    this.#dispatches.push({ ...writer, bind, recompute });
    return this.#again.get(buffer) ?? buffer;
  }

  #canRepeat({ buffer, access }: BindingUse): boolean {
    const role = this.#buffers.get(buffer)?.role.kind;
    return access === "read" ? !this.#replaced.has(buffer) : access === "write" && role === "temporary";
  }

  #twin(buffer: string): string {
    const original = this.#buffers.get(buffer);
    if (original === undefined) throw new Error(`${buffer} cannot be computed again`);
    let name = `${buffer}.again`;
    while (this.#buffers.has(name)) name += "_";
    this.#buffers.set(name, { ...original, name });
    this.#again.set(buffer, name);
    return name;
  }
}
