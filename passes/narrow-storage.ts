// Activations and weights in f16 where the module asks for it and the target has it: half the bytes, all arithmetic in f32 as before.
import { type Entry, type Instruction, type Module, mapEntries, type Value } from "../ir/module.ts";
import { cast } from "../ir/ops/cast.ts";
import { dot } from "../ir/ops/dot.ts";
import { rowConcat } from "../ir/ops/row-parts.ts";
import { stateRead } from "../ir/ops/source.ts";
import { newBuilder } from "../ir/ops/table.ts";
import type { Target } from "../ir/plan.ts";

/** What a target's kernels need for it. */
export const halfFeature = "shader-f16";

/**
 * A module with numbered kernels, whose activations become f16 between one kernel and another. Each is computed as before and converted by
 * its own kernel as it is stored, and back by each that loads it: members of one kernel still see f32, and no kernel more is needed.
 * f32 stay: what an entry answers or updates, statistics of rows (of norms, softmax, quantizers), all that only the backward pass makes, and what
 * follows from parameters alone: `@pack` rounds them from it to the codes that training has.
 * Gradients have magnitudes that f16 does not (docs/precision.md has the figures), so that there is no loss to scale.
 * A weight that several contractions of a training step read gets a copy in f16 in front of the first, where that pays; the weight itself
 * stays f32.
 */
export const narrowStorage = (module: Module, target: Target): Module =>
  module.precision === "f16" && target.features.includes(halfFeature)
    ? mapEntries(module, (entry) => new Narrowing(entry, learnedStates(module), trains(module, entry), copiesPay(target)).run())
    : module;

/**
 * On lavapipe a step with copies takes more time than one without (0.89 instead of 0.86 times the step in f32, Llama of dim 512; 0.94 both at
 * dim 128) and more memory: caches hold the weights, and the copies are traffic. Adapters with memory of their own are not so.
 */
const copiesPay = ({ adapterClass }: Target): boolean => adapterClass === "gpu";

/** An entry that changes what is trained: its first output is the loss, and what that does not depend on is the backward pass. */
const trains = ({ states }: Module, { updates }: Entry): boolean =>
  updates.some((update) => states.some(({ name, role }) => name === update.state && role !== "cache"));

/** State that is the same in every run of an entry: not caches. */
const learnedStates = ({ states }: Module): ReadonlySet<string> =>
  new Set(states.flatMap(({ name, role }) => (role === "cache" ? [] : [name])));

class Narrowing {
  readonly #entry: Entry;
  readonly #learned: ReadonlySet<string>;
  readonly #producers = new Map<Value, Instruction>();
  readonly #statistics = new Map<Value, boolean>();
  readonly #fromState = new Map<Value, boolean>();
  readonly #forward: ReadonlySet<Value>;
  readonly #copiesWeights: boolean;
  /** Kernels around a contraction of floats. */
  readonly #contractions: ReadonlySet<number | undefined>;

  constructor(entry: Entry, learned: ReadonlySet<string>, isTraining: boolean, copiesWeights: boolean) {
    this.#entry = entry;
    this.#learned = learned;
    this.#copiesWeights = isTraining && copiesWeights;
    this.#contractions = new Set(entry.instructions.filter((i) => i.op.signature.name === dot.name).map((i) => i.marks.kernel));
    for (const instruction of entry.instructions) for (const result of instruction.results) this.#producers.set(result, instruction);
    this.#forward = this.#ancestorsOf(isTraining ? entry.outputs.slice(0, 1) : [...entry.outputs, ...entry.updates]);
  }

  run(): Entry {
    const narrow = this.#narrow();
    const weights = this.#weights();
    if (narrow.size === 0 && weights.size === 0) return this.#entry;
    const halves = new Map<Value, Value>();
    /** Kernel -> what it has loaded, as f32 again. */
    const loaded = new Map<number, Map<Value, Value>>();
    const instructions: Instruction[] = [];
    for (const instruction of this.#entry.instructions) {
      const kernel = instruction.marks.kernel ?? -1;
      const own = loaded.get(kernel) ?? new Map<Value, Value>();
      loaded.set(kernel, own);
      const operands = instruction.operands.map((operand) => {
        if (weights.has(operand) && !halves.has(operand) && this.#contractions.has(kernel)) {
          const [made, copy] = conversion(operand, "f16", `${operand.hint}_half`, {
            ...instruction,
            marks: { kernel: copyBefore(kernel) },
          });
          instructions.push(made);
          halves.set(operand, copy);
        }
        const half = halves.get(operand);
        const isOwn = this.#producers.get(operand)?.marks.kernel === kernel;
        if (half === undefined || isOwn || (weights.has(operand) && !this.#contractions.has(kernel))) return operand;
        const known = own.get(operand);
        if (known !== undefined) return known;
        const [back, value] = conversion(half, "f32", operand.hint, { ...instruction, marks: { kernel } });
        instructions.push(back);
        own.set(operand, value);
        return value;
      });
      instructions.push(operands.every((o, i) => o === instruction.operands[i]) ? instruction : { ...instruction, operands });
      for (const result of instruction.results) {
        if (!narrow.has(result)) continue;
        const { site: _site, quantize: _quantize, ...marks } = instruction.marks;
        const [made, half] = conversion(result, "f16", `${result.hint}_half`, { ...instruction, marks });
        instructions.push(made);
        halves.set(result, half);
      }
    }
    return { ...this.#entry, instructions: weights.size === 0 ? instructions : renumbered(instructions) };
  }

  /** State that at least two contractions of a training step read. */
  #weights(): ReadonlySet<Value> {
    const readers = new Map<Value, Set<number | undefined>>();
    for (const { operands, marks } of this.#copiesWeights ? this.#entry.instructions : []) {
      if (!this.#contractions.has(marks.kernel)) continue;
      for (const operand of operands) {
        const { type } = operand;
        if (this.#producers.get(operand)?.op.signature.name !== stateRead.name || type.kind !== "tensor" || type.scalar !== "f32") continue;
        readers.set(operand, (readers.get(operand) ?? new Set()).add(marks.kernel));
      }
    }
    return new Set([...readers].flatMap(([value, kernels]) => (kernels.size > 1 ? [value] : [])));
  }

  #ancestorsOf(results: readonly { readonly value: Value }[]): ReadonlySet<Value> {
    const found = new Set<Value>();
    const stack = results.map(({ value }) => value);
    for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
      if (found.has(value)) continue;
      found.add(value);
      stack.push(...(this.#producers.get(value)?.operands ?? []));
    }
    return found;
  }

  /** What one kernel stores and another loads, but for what must stay. */
  #narrow(): ReadonlySet<Value> {
    const escaping = new Set([...this.#entry.outputs, ...this.#entry.updates].map(({ value }) => value));
    const found = new Set<Value>();
    for (const { op, operands, results } of this.#entry.instructions) {
      // Parts lie in their whole as they are, and no kernel stands behind that to convert it.
      if (op.signature.name === rowConcat.name) for (const value of [...operands, ...results]) escaping.add(value);
    }
    for (const { operands, marks } of this.#entry.instructions) {
      for (const operand of operands) {
        const from = this.#producers.get(operand)?.marks.kernel;
        const isActivation = from !== undefined && from !== marks.kernel && operand.type.kind === "tensor" && operand.type.scalar === "f32";
        if (
          isActivation &&
          this.#forward.has(operand) &&
          !escaping.has(operand) &&
          !this.#isStatistic(operand) &&
          !this.#isFromState(operand)
        )
          found.add(operand);
      }
    }
    return found;
  }

  /** One number for many: a scalar, the result of a reduction, a quantizer's scale, a softmax's sum, and what is computed from those alone. */
  #isStatistic(value: Value): boolean {
    const known = this.#statistics.get(value);
    if (known !== undefined) return known;
    const producer = this.#producers.get(value);
    const found = value.type.dims.length === 0 || (producer !== undefined && this.#makesStatistic(producer, value));
    this.#statistics.set(value, found);
    return found;
  }

  /** Computed from learned state alone. */
  #isFromState(value: Value): boolean {
    const known = this.#fromState.get(value);
    if (known !== undefined) return known;
    const producer = this.#producers.get(value);
    const found =
      producer !== undefined &&
      (producer.op.signature.name === stateRead.name
        ? this.#learned.has(String(producer.attrs["name"]))
        : producer.operands.every((operand) => this.#isFromState(operand) || this.#isConstant(operand)));
    this.#fromState.set(value, found);
    return found;
  }

  #makesStatistic({ op, operands, results }: Instruction, value: Value): boolean {
    const { lower, signature } = op;
    switch (lower.kind) {
      case "source":
        return false;
      case "pointwise":
      case "view":
        return operands.length > 0 && operands.every((o) => this.#isStatistic(o) || this.#isConstant(o));
      case "kernel":
        if (lower.family === "reduce" || lower.family === "norm" || signature.name === "quant.scale") return true;
        return lower.family === "attention" && results[0] !== value && signature.name === "attention";
      case "expand":
        throw new Error(`composite ${signature.name} in a kernel`);
      default:
        return lower satisfies never;
    }
  }

  #isConstant(value: Value): boolean {
    const producer = this.#producers.get(value);
    return producer?.op.lower.kind === "source" && producer.op.signature.name !== "state.read";
  }
}

/** A number for the kernels that copy what another one reads, until all are numbered anew. */
const copyBefore = (kernel: number): number => kernel - 0.5;

/** Kernels numbered by whole numbers again, in their order; copies for one kernel have a number each. */
function renumbered(instructions: readonly Instruction[]): readonly Instruction[] {
  const isCopy = ({ marks }: Instruction): boolean => !Number.isInteger(marks.kernel ?? 0);
  const copies = Map.groupBy(instructions.filter(isCopy), ({ marks }) => marks.kernel);
  const numbers = [...new Set(instructions.flatMap(({ marks }) => (marks.kernel === undefined ? [] : [marks.kernel])))].sort(
    (a, b) => a - b,
  );
  const next = new Map<number, number>();
  let count = 0;
  for (const number of numbers) {
    next.set(number, count);
    count += copies.get(number)?.length ?? 1;
  }
  return instructions.map((instruction) => {
    const { kernel } = instruction.marks;
    if (kernel === undefined) return instruction;
    const among = copies.get(kernel)?.indexOf(instruction) ?? 0;
    return { ...instruction, marks: { ...instruction.marks, kernel: (next.get(kernel) ?? 0) + among } };
  });
}

/** A conversion at another instruction's place in the text and in the source. */
function conversion(
  of: Value,
  to: "f16" | "f32",
  hint: string,
  { marks, at }: Pick<Instruction, "marks" | "at">,
): readonly [Instruction, Value] {
  const builder = newBuilder();
  const value = builder.emit(cast, [of], { to }, { hint, marks, ...(at === undefined ? {} : { at }) });
  const [made] = builder.instructions;
  if (made === undefined) throw new Error("nothing was emitted");
  return [made, value];
}
