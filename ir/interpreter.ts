// The reference interpreter: runs an entry of any form on typed arrays, in f64 or rounded to f32 after every op.
import { type Attributes, isFromResult } from "./attribute.ts";
import { Builder } from "./builder.ts";
import { type Dim, dimsEqual, namesOfDim, symbol } from "./dim.ts";
import { evaluateOp, stored, type TypedTensor } from "./evaluate-op.ts";
import { hostValue } from "./host.ts";
import { type Entry, type EntryInput, entryNamed, type Instruction, type Module, type Value, valueNames } from "./module.ts";
import type { Op } from "./op.ts";
import { opNamed } from "./ops/table.ts";
import { denseTensor, type Precision, type Tensor } from "./tensor.ts";
import { bindType, type Type } from "./type.ts";

export interface EvaluationOptions {
  readonly precision: Precision;
  /** By the inputs' names. A host scalar may be left out where `step` is given. */
  readonly inputs?: Readonly<Record<string, Tensor>>;
  /** 0-based step for host scalars. */
  readonly step?: number;
  /** By the states' names: at least those that the entry reads. */
  readonly state?: Readonly<Record<string, Tensor>>;
  /** Keep every value for `values`; otherwise each is dropped after its last use. */
  readonly keepValues?: boolean;
}

export interface Evaluation {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** The given state with the entry's updates applied, all at once. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** Every value of the entry where `keepValues` is set, otherwise those that it returns. */
  readonly values: ReadonlyMap<Value, Tensor>;
}

/** Run an entry. Named dims are bound from the shapes of what is given. Missing or misfitting tensors are errors of the caller. */
export function evaluateEntry(module: Module, entryName: string, options: EvaluationOptions): Evaluation {
  const entry = entryNamed(module, entryName);
  if (entry === undefined) throw new Error(`no entry ${entryName}`);
  const { precision, state = {} } = options;
  const given = entry.inputs.map((input) => ({ value: input.value, tensor: givenTensor(module, entry, input, options) }));
  const bindings = new Map<string, Dim>();
  for (const { value, tensor } of given) bindDims(value.type, tensor.shape, bindings);
  for (const { name, type } of module.states) bindDims(type, state[name]?.shape ?? [], bindings);

  const run = new Run(precision, state, bindings);
  for (const { value, tensor } of given) run.define(value, tensor);
  const results = [...entry.outputs.map((o) => o.value), ...entry.updates.map((u) => u.value)];
  run.execute(entry.instructions, options.keepValues === true ? undefined : results);
  return {
    outputs: Object.fromEntries(entry.outputs.map(({ name, value }) => [name, run.tensorOf(value)])),
    state: { ...state, ...Object.fromEntries(entry.updates.map((u) => [u.state, run.tensorOf(u.value)])) },
    values: run.tensors(),
  };
}

/** The results of one op, composites expanded. `types` are the operands' types, dims bound. */
export function evaluateInstruction(op: Op, operands: readonly TypedTensor[], attrs: Attributes, precision: Precision): readonly Tensor[] {
  const results = op.infer(
    operands.map((o) => o.type),
    attrs,
  );
  if (op.evaluate !== "from lower" || op.lower.kind !== "expand") return evaluateOp(op, operands, attrs, results, precision);
  const builder = new Builder(opNamed);
  const values = operands.map((o, i): Value => ({ hint: op.signature.operands[i] ?? "x", type: o.type }));
  const expanded = op.lower.expand(builder, values, attrs);
  const run = new Run(precision, {}, new Map());
  for (const [i, value] of values.entries()) {
    const operand = operands[i];
    if (operand !== undefined) run.define(value, operand.tensor);
  }
  run.execute(builder.instructions, undefined);
  return expanded.map((value) => run.tensorOf(value));
}

class Run {
  readonly #precision: Precision;
  readonly #state: Readonly<Record<string, Tensor>>;
  readonly #bindings: ReadonlyMap<string, Dim>;
  readonly #values = new Map<Value, TypedTensor>();

  constructor(precision: Precision, state: Readonly<Record<string, Tensor>>, bindings: ReadonlyMap<string, Dim>) {
    this.#precision = precision;
    this.#state = state;
    this.#bindings = bindings;
  }

  define(value: Value, tensor: Tensor): void {
    const type = bindType(value.type, this.#bindings);
    this.#values.set(value, { tensor: stored(tensor, type, this.#precision), type });
  }

  tensorOf(value: Value): Tensor {
    return this.#typed(value).tensor;
  }

  tensors(): ReadonlyMap<Value, Tensor> {
    return new Map([...this.#values].map(([value, { tensor }]) => [value, tensor]));
  }

  /** Run instructions in order. Where `wanted` is given, every other value is dropped after its last use. */
  execute(instructions: readonly Instruction[], wanted: readonly Value[] | undefined): void {
    const dying = wanted === undefined ? new Map<Instruction, Value[]>() : lastUses(instructions, new Set(wanted));
    for (const instruction of instructions) {
      const { op, operands, results } = instruction;
      const attrs = this.#boundAttributes(op, instruction.attrs);
      const tensors =
        op.signature.name === "state.read"
          ? [this.#stateNamed(attrs["name"])]
          : evaluateInstruction(
              op,
              operands.map((v) => this.#typed(v)),
              attrs,
              this.#precision,
            );
      for (const [i, value] of results.entries()) {
        const tensor = tensors[i];
        if (tensor !== undefined) this.define(value, tensor);
      }
      for (const value of dying.get(instruction) ?? []) this.#values.delete(value);
    }
  }

  #typed(value: Value): TypedTensor {
    const known = this.#values.get(value);
    if (known === undefined) throw new Error(`%${value.hint} is used before it has a value`);
    return known;
  }

  #stateNamed(name: unknown): Tensor {
    const tensor = this.#state[String(name)];
    if (tensor === undefined) throw new Error(`no state ${String(name)} given`);
    return tensor;
  }

  #boundAttributes(op: Op, attrs: Attributes): Attributes {
    if (this.#bindings.size === 0) return attrs;
    return Object.fromEntries(
      Object.entries(attrs).map(([name, value]) => {
        const kind = op.signature.attrs[name];
        return [name, kind !== undefined && isFromResult(kind) ? bindType(value as Type, this.#bindings) : value];
      }),
    );
  }
}

/** For each instruction the values that nothing uses after it. */
function lastUses(instructions: readonly Instruction[], wanted: ReadonlySet<Value>): Map<Instruction, Value[]> {
  const dying = new Map<Instruction, Value[]>();
  const seen = new Set(wanted);
  for (let i = instructions.length - 1; i >= 0; i--) {
    const instruction = instructions[i];
    if (instruction === undefined) continue;
    for (const value of [...instruction.results, ...instruction.operands]) {
      if (seen.has(value)) continue;
      seen.add(value);
      dying.set(instruction, [...(dying.get(instruction) ?? []), value]);
    }
  }
  return dying;
}

function givenTensor(module: Module, entry: Entry, { value, origin }: EntryInput, { inputs, step }: EvaluationOptions): Tensor {
  const name = valueNames(entry).get(value) ?? value.hint;
  const given = inputs?.[name];
  if (given !== undefined) return given;
  const rule = typeof origin === "object" && "host" in origin ? module.host[origin.host] : undefined;
  if (rule === undefined || step === undefined) throw new Error(`no input ${name} given`);
  return denseTensor([], Float64Array.of(hostValue(rule, step)));
}

/** Bind the names that stand alone as a dim of a type. */
function bindDims(type: Type, shape: readonly number[], bindings: Map<string, Dim>): void {
  for (const [axis, dim] of type.dims.entries()) {
    const size = shape[axis];
    const [name] = namesOfDim(dim);
    if (size === undefined || name === undefined || bindings.has(name)) continue;
    if (dimsEqual(dim, symbol(name))) bindings.set(name, size);
  }
}
