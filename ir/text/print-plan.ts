// Prints kernel plans: slabs, buffers with their places, dispatches with their problems and schedules. `print(parse(text)) === text`.
import { printFloat } from "../literal.ts";
import type { BufferRole, Dispatch, EntryPort, KernelPlan, Placement, PlanEntry, Problem, Store } from "../plan.ts";
import { expressionsOf } from "../problem.ts";
import type { ScalarExpr } from "../scalar.ts";
import { printType } from "../type.ts";
import { valueName } from "./lexer.ts";
import { attentionElements, type ProblemScopes, printSchedule, printTarget, scopesOf, sizesOf } from "./plan-records.ts";
import { printInstance } from "./print.ts";
import { ScalarPrinter } from "./print-scalar.ts";

export interface PrintPlanOptions {
  /** A comment behind a dispatch's first line, such as its workgroup counts, which only code generation knows. */
  readonly note?: (dispatch: Dispatch, entry: PlanEntry) => string | undefined;
}

export function printPlan(plan: KernelPlan, options: PrintPlanOptions = {}): string {
  const { target, entries, memory } = plan;
  const lines = [`plan 1 target ${target.name} {${printTarget(target).join(", ")}}`];
  for (const { name, bytes } of memory?.slabs ?? []) lines.push(`slab ${name} ${bytes}`);
  for (const entry of entries) lines.push("", ...printPlanEntry(entry, memory?.places[entry.name] ?? {}, options));
  if (memory !== undefined) lines.push("", `peak ${memory.peakBytes} lower-bound ${memory.lowerBoundBytes}`);
  return `${lines.join("\n")}\n`;
}

const quote = (text: string): string => JSON.stringify(text);

/** Buffers of IR values stand as values, all others in quotes. */
const bufferName = (name: string): string => (name.startsWith("%") && valueName.test(name.slice(1)) ? name : quote(name));

function printPlanEntry(entry: PlanEntry, places: Readonly<Record<string, Placement>>, options: PrintPlanOptions): readonly string[] {
  const lines = [`entry @${entry.name} {`];
  const port = (keyword: string, { name, type, buffer, byteOffset }: EntryPort) =>
    `  ${keyword} ${quote(name)}: ${printType(type)} = ${bufferName(buffer)}${byteOffset === 0 ? "" : ` + ${byteOffset}`}`;
  for (const input of entry.inputs) lines.push(port("input", input));
  for (const output of entry.outputs) lines.push(port("output", output));
  for (const { name, type, bytes, role } of entry.buffers) {
    const place = places[name];
    const at = place === undefined ? "" : ` at ${place.slab} + ${place.offset}`;
    lines.push(`  buffer ${bufferName(name)}: ${printType(type)} ${bytes} ${printRole(role)}${at}`);
  }
  for (const { buffer, values } of entry.constants) lines.push(`  constant ${bufferName(buffer)} = [${values.map(printFloat).join(", ")}]`);
  for (const [i, dispatch] of entry.dispatches.entries()) {
    const note = options.note?.(dispatch, entry);
    const [first = "", ...body] = printDispatch(dispatch, i);
    lines.push(`  ${first}${note === undefined ? "" : `   // ${note}`}`, ...body.map((line) => `    ${line}`));
  }
  return [...lines, "}"];
}

function printRole(role: BufferRole): string {
  switch (role.kind) {
    case "state":
      return `state ${quote(role.name)}`;
    case "gradient":
      return `gradient ${quote(role.state)}`;
    case "constant":
    case "host":
    case "temporary":
      return role.kind;
    default:
      return role satisfies never;
  }
}

function printDispatch({ problem, schedule, bind, serves, remat, recompute, at }: Dispatch, number: number): readonly string[] {
  const bound = bind.map(
    ({ buffer, through, part, over, access }) =>
      `${access} ${bufferName(buffer)}${part === undefined ? "" : ` part ${part.offset} ${part.bytes}`}${through === undefined ? "" : ` to ${bufferName(through)}`}${over === undefined ? "" : ` over ${bufferName(over)}`}`,
  );
  const first = [
    `dispatch ${number} ${problem.kind} ${printSizes(problem)} {${printSchedule(schedule).join(", ")}}`,
    ...(bound.length === 0 ? [] : [`bind ${bound.join(", ")}`]),
    ...(serves.length === 0 ? [] : [`serves ${serves.map(bufferName).join(", ")}`]),
    ...(remat === undefined ? [] : [`remat ${quote(remat)}`]),
    ...(recompute === undefined ? [] : [`recompute ${recompute}`]),
    ...(at === undefined ? [] : [`loc ${quote(at.path)}:${at.line}:${at.column}${printInstance(at)}`]),
  ];
  return [first.join(" "), ...printProblem(problem)];
}

const list = (sizes: readonly number[]): string => `[${sizes.join(", ")}]`;

/**
 * `[8, 32]`, `[8] over [32]`, `[2] of [64, 256, 784]` (batch, then m, n, k), `[64, 784]` (rows, columns), `[8, 128, 128] of [4, 4, 32]`
 * (batch, queries, keys, then heads, groups, channels).
 */
function printSizes(problem: Problem): string {
  const { outer, inner } = sizesOf(problem);
  switch (problem.kind) {
    case "pointwise":
      return list(outer);
    case "reduce":
      return `${list(outer)} over ${list(inner)}`;
    case "dot":
    case "attention":
      return `${list(outer)} of ${list(inner)}`;
    case "rows":
      return list(inner);
    default:
      return problem satisfies never;
  }
}

function printProblem(problem: Problem): readonly string[] {
  const scopes = scopesOf(problem.kind, sizesOf(problem));
  const w = new BodyWriter(scopes, expressionsOf(problem));
  switch (problem.kind) {
    case "pointwise":
      if (problem.where !== undefined) w.line("where = ", problem.where, "element");
      break;
    case "reduce":
      for (const { combine, element } of problem.accumulators) w.line(`${combine} = `, element, "element");
      break;
    case "dot":
      w.line(`a by ${problem.a.contracted} = `, problem.a.element, "element");
      w.line(`b by ${problem.b.contracted} = `, problem.b.element, "b");
      break;
    case "rows":
      if (problem.block !== 1) w.lines.push(`transform ${problem.block}`);
      w.line("element = ", problem.element, "element");
      if (problem.statistic !== undefined) w.lines.push(`statistic ${problem.statistic}`);
      if (problem.perRow !== undefined) w.line("per_row = ", problem.perRow, "store");
      break;
    case "attention": {
      const { causal, scale } = problem.rule;
      w.lines.push(`pass ${problem.pass}`, ...(causal ? ["causal"] : []), `scale ${printFloat(scale)}`);
      for (const name of attentionElements) {
        const element = problem.elements[name];
        if (element !== undefined) w.line(`${name} = `, element, "element");
      }
      break;
    }
    default:
      problem satisfies never;
  }
  for (const store of problem.stores) w.store("store", store);
  if (problem.kind === "rows" || problem.kind === "attention") for (const store of problem.rowStores) w.store("store_row", store);
  return w.lines;
}

/** Lines of a dispatch's body, each behind the `let` lines that it needs. */
class BodyWriter {
  readonly lines: string[] = [];
  readonly #scopes: ProblemScopes;
  readonly #printer: ScalarPrinter;

  constructor(scopes: ProblemScopes, roots: readonly ScalarExpr[]) {
    this.#scopes = scopes;
    this.#printer = new ScalarPrinter(roots, scopes.shared);
  }

  line(start: string, value: ScalarExpr, scope: keyof ProblemScopes): void {
    this.lines.push(...this.#printer.lets(value));
    this.lines.push(start + this.#printer.print(value, this.#scopes[scope]));
  }

  store(keyword: string, store: Store): void {
    const { row, column, value } = store;
    this.lines.push(...this.#printer.lets(row, column, value));
    const place = this.#printer.place(store, this.#scopes.store);
    this.lines.push(`${keyword} ${store.binding}${place} = ${this.#printer.print(value, this.#scopes.store)}`);
  }
}
