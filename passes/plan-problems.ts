// From a kernel's instructions to its problem (ir/plan.ts): one builder per anchor.
import type { Instruction, Value } from "../ir/module.ts";
import { attentionShape, ruleOf } from "../ir/ops/attention.ts";
import { cast as castOp } from "../ir/ops/cast.ts";
import { quantDot } from "../ir/ops/quant-dot.ts";
import type { AttentionProblem, Combine, Problem, Store } from "../ir/plan.ts";
import { quantizerNamed } from "../ir/quant/table.ts";
import { binary, cast, constant, input, plus, type ScalarExpr, scalarTypeOf, times, uint, variable } from "../ir/scalar.ts";
import { createSimplifier, simplify } from "../ir/simplify.ts";
import { keptByColumns } from "../ir/sparse.ts";
import { elementCount, shapeOf } from "../ir/type.ts";
import { axisVariables, type Coordinates, coordinatesOf, type KernelScope } from "./kernel-scope.ts";
import { dotProblem, quantDotProblem, scatterProblem } from "./plan-dot.ts";

/** One kernel as `fuse` numbered it. */
export interface Kernel {
  readonly number: number;
  readonly members: readonly Instruction[];
  /** Results that others need: each is stored. */
  readonly stored: readonly Value[];
}

const isNamed = (i: Instruction, name: string): boolean => i.op.signature.name === name;

export function anchorsOf(kernel: Kernel): readonly Instruction[] {
  return kernel.members.filter((m) => m.op.lower.kind === "kernel" && m.op.lower.family !== "gather");
}

function only<T>(list: readonly T[], what: string): T {
  const [first] = list;
  if (first === undefined) throw new Error(`a kernel without ${what}`);
  return first;
}

export function problemOf(kernel: Kernel, scope: KernelScope, flat: boolean): Problem {
  const [anchor] = anchorsOf(kernel);
  if (anchor === undefined) return pointwiseProblem(kernel, scope, flat);
  const { lower } = anchor.op;
  if (lower.kind !== "kernel") throw new Error("an anchor is a kernel");
  switch (lower.family) {
    case "dot":
      return isNamed(anchor, quantDot.name) ? quantDotProblem(kernel, anchor, scope) : dotProblem(kernel, anchor, scope);
    case "reduce":
      return reduceProblem(kernel, anchor, scope);
    case "rows":
      return rowsProblem(kernel, scope);
    case "scatter":
      return scatterProblem(kernel, anchor, scope);
    case "attention":
      return attentionProblem(kernel, anchor, scope);
    case "write":
      return writeProblem(anchor, scope);
    case "gather":
    case "norm":
    case "join":
      throw new Error(`${lower.family} is planned elsewhere`);
    default:
      return lower.family satisfies never;
  }
}

function pointwiseProblem(kernel: Kernel, scope: KernelScope, flat: boolean): Problem {
  const shape = shapeOf(only(kernel.stored, "results").type);
  const at = flat ? axisVariables("c", [elementCount(shape)]) : axisVariables("c", shape);
  const last = at.at(-1);
  const simplifier = createSimplifier();
  const stores = kernel.stored.map((v): Store => {
    const store = scope.store(v, at);
    return last?.kind === "variable" ? { ...store, value: keptByColumns(store.value, last, simplifier) } : store;
  });
  return { kind: "pointwise", shape: flat ? [elementCount(shape)] : shape, stores };
}

const combines: Readonly<Record<string, Combine>> = { sum: "sum", max: "max", min: "min", argmax: "argmax" };

function reduceProblem(kernel: Kernel, anchor: Instruction, scope: KernelScope): Problem {
  const operand = only(anchor.operands, "an operand");
  const result = only(anchor.results, "a result");
  const combine = combines[anchor.op.signature.name];
  if (combine === undefined) throw new Error(`no reduction ${anchor.op.signature.name}`);
  const from = shapeOf(operand.type);
  const { axis } = anchor.attrs;
  const axes = (anchor.attrs["axes"] as readonly number[] | undefined) ?? [axis as number];
  const shape = from.filter((_, i) => !axes.includes(i));
  const reduced = axes.map((i) => from[i] ?? 1);
  const outer = axisVariables("c", shape);
  const inner = axisVariables("r", reduced);
  let next = 0;
  const at = from.map((_, i) => (axes.includes(i) ? inner[axes.indexOf(i)] : outer[next++]) ?? uint(0));
  const element = scope.element(operand, at);
  scope.give(result, input(0, combine === "argmax" ? "i32" : scalarTypeOf(operand.type)));
  return { kind: "reduce", shape, reduced, accumulators: [{ combine, element }], stores: kernel.stored.map((v) => scope.store(v, outer)) };
}

/** Only what is fresh is computed and stored, at its place in the cache; whoever plans the kernel sees to it that the rest lies there. */
function writeProblem(anchor: Instruction, scope: KernelScope): Problem {
  const [, fresh, first] = anchor.operands;
  const result = only(anchor.results, "a result");
  if (fresh === undefined || first === undefined) throw new Error("cache_write takes a cache, what is fresh, and its place");
  const shape = shapeOf(fresh.type);
  const along = anchor.attrs["axis"] as number;
  const capacity = shapeOf(result.type)[along] ?? 1;
  const at = axisVariables("c", shape);
  const place = plus(scope.element(first, []), cast("i32", at[along] ?? uint(0)));
  const where = binary("and", binary("ge", place, constant("i32", 0)), binary("lt", place, constant("i32", capacity)));
  const clamped = binary("min", binary("max", place, constant("i32", 0)), constant("i32", capacity - 1));
  scope.give(result, scope.element(fresh, at));
  const store = scope.storeWithin(result, at.with(along, cast("u32", clamped)));
  return { kind: "pointwise", shape, where: simplify(where), stores: [store] };
}

function rowsProblem(kernel: Kernel, scope: KernelScope): Problem {
  const transform = kernel.members.find((m) => isNamed(m, "hadamard"));
  const scale = kernel.members.find((m) => isNamed(m, "quant.scale"));
  const source = only((transform ?? scale)?.operands ?? [], "an operand");
  const shape = shapeOf(source.type);
  const width = shape.at(-1) ?? 1;
  if (transform !== undefined && transform.attrs["axis"] !== shape.length - 1)
    throw new Error("hadamard along an axis that is not the last");
  const groupSetting = scale?.attrs["group"] ?? "row";
  const columns = groupSetting === "row" ? width : Number(groupSetting);
  const groups = width / columns;
  const rows = elementCount(shape) / columns;
  const row = variable("row", rows);
  const column = variable("column", columns);
  const leading = coordinatesOf(simplify(binary("div", row, uint(groups))), shape.slice(0, -1));
  const last = groups === 1 ? column : simplify(plus(times(binary("rem", row, uint(groups)), uint(columns)), column));
  const at: Coordinates = [...leading, last];
  const element = scope.element(source, at);

  const transformed = input(0, "f32");
  scope.give(only(transform?.results ?? scale?.operands ?? [], "a transformed row"), transformed);
  const base = { kind: "rows" as const, rows, columns, block: (transform?.attrs["block"] as number | undefined) ?? 1, element };
  if (scale === undefined) return { ...base, stores: kernel.stored.map((v) => scope.store(v, at)), rowStores: [] };

  const step = only(scale.results, "a scale");
  const quantizer = quantizerNamed(scale.attrs["scheme"] as string);
  const perRow: ScalarExpr = quantizer.step(input(0, "f32"), scale.attrs["bits"] as number);
  scope.give(step, input(1, "f32"));
  const elementwise = kernel.stored.filter((v) => v !== step);
  const stores = elementwise.map((v) => scope.store(v, at));
  scope.give(step, input(0, "f32"));
  const rowStores: Store[] = kernel.stored.includes(step)
    ? [{ ...scope.store(step, [...leading, simplify(binary("rem", row, uint(groups)))]), row: uint(0), column: row }]
    : [];
  return { ...base, statistic: quantizer.statistic, perRow, stores, rowStores };
}

const isNarrowed = (kernel: Kernel, value: Value, of: Value): boolean =>
  kernel.members.some((m) => isNamed(m, castOp.name) && m.results[0] === value && m.operands[0] === of);

/** Which pass of the family an op is, and what its operands are beside q, k and v. */
const attentionPasses: Readonly<Record<string, { readonly pass: AttentionProblem["pass"]; readonly others: readonly string[] }>> = {
  attention: { pass: "forward", others: [] },
  cached_attention: { pass: "forward", others: ["first"] },
  attention_grad_query: { pass: "grad_query", others: ["ct", "lse", "delta"] },
  attention_grad_key: { pass: "grad_key", others: ["ct", "lse", "delta"] },
};

function attentionProblem(kernel: Kernel, anchor: Instruction, scope: KernelScope): Problem {
  const [q, k, v, ...others] = anchor.operands;
  const form = attentionPasses[anchor.op.signature.name];
  if (q === undefined || k === undefined || v === undefined || form === undefined) throw new Error("attention takes q, k and v");
  const shape = attentionShape(shapeOf(q.type), shapeOf(k.type));
  const rule = ruleOf({ causal: anchor.attrs["causal"] !== false, scale: anchor.attrs["scale"] as number | "auto" }, shape);
  const leading = coordinatesOf(variable("z", shape.batch), shapeOf(q.type).slice(0, -3));
  const row: Coordinates = [...leading, variable("t", shape.queries), variable("h", shape.heads)];
  const query: Coordinates = [...row, variable("c", shape.channels)];
  const key: Coordinates = [...leading, variable("s", shape.keys), variable("g", shape.groups), variable("c", shape.channels)];
  const coordinatesFor: Readonly<Record<string, Coordinates>> = { ct: query, lse: row, delta: row, first: [] };
  const further = form.others.map((name, i) => {
    const operand = others[i];
    if (operand === undefined) throw new Error(`attention without ${name}`);
    return [name, scope.element(operand, coordinatesFor[name] ?? [])] as const;
  });
  const elements = { q: scope.element(q, query), k: scope.element(k, key), v: scope.element(v, key), ...Object.fromEntries(further) };
  // As they are, or narrowed.
  const storedAs = (result: Value) => kernel.stored.find((value) => value === result || isNarrowed(kernel, value, result));
  if (anchor.results.filter(storedAs).length !== kernel.stored.length) throw new Error("attention stores its own results alone");
  const [main, second] = anchor.results;
  const stored = (value: Value | undefined, at: Coordinates, index: number): readonly Store[] => {
    if (value === undefined) return [];
    scope.give(value, input(index, "f32"));
    const result = storedAs(value);
    return result === undefined ? [] : [scope.store(result, at)];
  };
  const common = { kind: "attention" as const, pass: form.pass, shape, rule, elements };
  if (form.pass === "grad_key") return { ...common, stores: [...stored(main, key, 0), ...stored(second, key, 1)], rowStores: [] };
  return { ...common, stores: stored(main, query, 0), rowStores: stored(second, row, 0) };
}
