// From a sweep file to its runs: every one compiled as far as mistakes show, counted, and on request with what it will cost.
import { createHash } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { compileModule, type Lowered, lowerSource, summarizePlan } from "../../compiler/index.ts";
import type { EntryRecord } from "../../ir/artifact.ts";
import { type Diagnostic, DiagnosticError, error, hasErrors, printDiagnostic, Rejection, type Report } from "../../ir/diagnostic.ts";
import { entryNamed } from "../../ir/module.ts";
import type { Source } from "../../ir/source.ts";
import { printType, shapeOf } from "../../ir/type.ts";
import { type Dataset, openData } from "../../runtime/index.ts";
import type { ResultRow } from "../scaling-law.ts";
import { type GridPoint, gridOf } from "./grid.ts";
import { inSweepFile } from "./in-sweep-file.ts";
import { placeIn } from "./json-place.ts";
import { type ModelSize, sizeOf } from "./model-size.ts";
import { badSweep, parseSweep, type SweepFile } from "./sweep-file.ts";

/** One run of a sweep: all that a process needs to know, as plain data. */
export interface SweepRun {
  /** Of its folder and its row. */
  readonly name: string;
  /** Path of the model's file. */
  readonly file: string;
  readonly recipe: string;
  readonly policy: string;
  /** All overrides, that of the length included. */
  readonly set: readonly string[];
  readonly seed: number;
  readonly steps: number;
  /** Hash of the model's text and of those that it uses. */
  readonly sources: string;
  /** Batches of the final evaluation, or all; absent: what the recipe's `eval` says. */
  readonly heldOut?: number | "all";
  /** Steps between probes of its roundings, if it has any. */
  readonly probeEvery?: number;
  /** Its row of the results, which lacks nothing but the loss. */
  readonly row: Omit<ResultRow, "loss">;
}

/** What a run takes, from its plan for an adapter of which nothing is known. */
export interface SweepCost {
  /** Floating-point operations of training and evaluation. */
  readonly flops: number;
  readonly peakBytes: number;
}

export interface PlannedRun {
  readonly run: SweepRun;
  readonly cost?: SweepCost;
}

export interface SweepPlanOptions {
  /** Whether to plan every run's kernels for its cost: about a second for each that differs in more than its seed. */
  readonly costs?: boolean;
  /** Reads the model's file. */
  read(path: string): Promise<Source>;
}

/** All runs in the grid's order. `bad-sweep`, or what the compiler says of the first run of each kind that does not compile. */
export async function planSweep(source: Source, options: SweepPlanOptions): Promise<Report<readonly PlannedRun[]>> {
  const parsed = parseSweep(source);
  const grid = parsed.value && gridOf(parsed.value, source);
  if (parsed.value === undefined || grid?.value === undefined || hasErrors(grid.diagnostics))
    return { diagnostics: [...parsed.diagnostics, ...(grid?.diagnostics ?? [])] };
  const { model } = parsed.value;
  const path = isAbsolute(model) ? model : join(dirname(source.path), model);
  const planner = new Planner(parsed.value, source, await readModel(path, source, options), options);
  const runs: PlannedRun[] = [];
  for (const point of grid.value) {
    const planned = await planner.plan(point);
    if (planned !== undefined) runs.push(planned);
  }
  const diagnostics = [...parsed.diagnostics, ...planner.problems(runs)];
  return hasErrors(diagnostics) ? { diagnostics } : { value: runs, diagnostics };
}

/** A file that is not there is marked where the sweep names it. */
async function readModel(path: string, source: Source, { read }: SweepPlanOptions): Promise<Source> {
  try {
    return await read(path);
  } catch (problem) {
    if (!(problem instanceof DiagnosticError)) throw problem;
    const primary = { span: placeIn(source, ["model"]), message: "" };
    throw new DiagnosticError(problem.diagnostics.map((one) => ({ primary, ...one })));
  }
}

/** What is the same for all seeds. */
interface Kind {
  readonly sources: string;
  readonly set: readonly string[];
  readonly size: ModelSize;
  readonly steps: number;
  readonly tokens: number;
  /** Examples of the final evaluation. */
  readonly heldOutExamples: number | "all";
  readonly heldOut?: number | "all";
  readonly cost?: SweepCost;
}

class Planner {
  readonly #file: SweepFile;
  readonly #source: Source;
  readonly #model: Source;
  readonly #options: SweepPlanOptions;
  readonly #kinds = new Map<string, Kind | undefined>();
  readonly #datasets = new Map<string, Promise<Dataset>>();
  readonly #diagnostics: Diagnostic[] = [];
  readonly #told = new Set<string>();

  constructor(file: SweepFile, source: Source, model: Source, options: SweepPlanOptions) {
    this.#file = file;
    this.#source = source;
    this.#model = model;
    this.#options = options;
  }

  async plan(point: GridPoint): Promise<PlannedRun | undefined> {
    const { policy, size, seed } = point;
    const key = JSON.stringify([policy.policy, size.recipe, point.set, point.length]);
    if (!this.#kinds.has(key)) this.#kinds.set(key, await this.#kindOf(point));
    const kind = this.#kinds.get(key);
    if (kind === undefined) return undefined;
    const n = size.n ?? kind.size.n;
    if (n === 0) {
      const help = ["what counts are weights of contractions, but for looked-up tables and the head"];
      this.#complain(point, "size", "no parameter of this size counts", "give it the number `n`", help);
      return undefined;
    }
    const { policy: written, p = written, bits = kind.size.bits, series } = policy;
    const row = { ...(series === undefined ? {} : { series }), p, bits, n, d: kind.tokens, seed };
    const run: SweepRun = {
      name: point.name,
      file: this.#model.path,
      recipe: size.recipe,
      policy: written,
      set: kind.set,
      seed,
      steps: kind.steps,
      sources: kind.sources,
      ...(kind.heldOut === undefined ? {} : { heldOut: kind.heldOut }),
      ...(this.#file.probeEvery === undefined ? {} : { probeEvery: this.#file.probeEvery }),
      row,
    };
    return { run, ...(kind.cost === undefined ? {} : { cost: kind.cost }) };
  }

  /** What the runs together have wrong, behind what was wrong with any. */
  problems(runs: readonly PlannedRun[]): readonly Diagnostic[] {
    const rows = new Map<string, ResultRow["bits"]>();
    for (const { row } of runs.map(({ run }) => run)) {
      const before = rows.get(row.p);
      if (before === undefined) rows.set(row.p, row.bits);
      else if (before !== row.bits) {
        const at = this.#file.policies.findIndex((one) => (typeof one === "string" ? one : (one.p ?? one.policy)) === row.p);
        const message = `\`${row.p}\` has ${before} bits in one size and ${row.bits} in another`;
        this.#add(badSweep(message, placeIn(this.#source, ["policies", at]), "say which `bits` its rows have"));
        break;
      }
    }
    const counts = new Set([...this.#kinds.values()].flatMap((kind) => kind?.heldOutExamples ?? []));
    if (counts.size > 1) {
      const help = [
        `final losses are means of ${[...counts].join(", ")} held-out examples; \`"heldOut": NUMBER\` or \`"heldOut": "all"\` makes them alike`,
      ];
      this.#add({
        ...error("uneven-evaluation", "runs are evaluated on different parts of what is held out", undefined, "", help),
        severity: "warning",
      });
    }
    return this.#diagnostics;
  }

  async #kindOf(point: GridPoint): Promise<Kind | undefined> {
    const base = this.#lower(point, point.length !== undefined && "steps" in point.length ? point.length.steps : undefined);
    if (base === undefined) return undefined;
    const perStep = await this.#tokensPerStep(base.lowered);
    const steps =
      point.length !== undefined && "tokens" in point.length ? Math.max(1, Math.round(point.length.tokens / perStep)) : undefined;
    const sized = steps === undefined ? base : this.#lower(point, steps);
    const recipe = sized?.lowered.resolved.recipe;
    if (sized === undefined || recipe === undefined) return undefined;
    const heldOut = this.#heldOut(point, sized.lowered);
    if (heldOut === undefined) return undefined;
    let size: ModelSize;
    try {
      size = sizeOf(sized.lowered.module);
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem;
      this.#complain(point, "policy", `\`${point.policy.policy}\` does not fit \`${point.size.recipe}\``, problem.message, problem.help);
      return undefined;
    }
    const cost = this.#options.costs === true ? this.#costOf(sized.lowered, heldOut.batches) : undefined;
    return {
      set: sized.set,
      sources: hashOf(sized.lowered.resolved.sources),
      size,
      steps: recipe.run.steps,
      tokens: recipe.run.steps * perStep,
      heldOutExamples: heldOut.examples,
      ...(this.#file.heldOut === undefined ? {} : { heldOut: heldOut.batches }),
      ...(cost === undefined ? {} : { cost }),
    };
  }

  /** With a length, which is the recipe's parameter `steps` where it has one, since others may follow from it, and else its schedule's. */
  #lower(point: GridPoint, steps: number | undefined): { readonly lowered: Lowered; readonly set: readonly string[] } | undefined {
    const { recipe } = point.size;
    const under = (more: readonly string[]) => {
      const set = [...point.set, ...more];
      return { set, report: lowerSource(this.#model, { recipe, policy: point.policy.policy, set }) };
    };
    let found = under(steps === undefined ? [] : [`recipe.steps=${steps}`]);
    const hasNoParameter = found.report.diagnostics.some(
      ({ code, primary }) => code === "wrong-argument" && primary?.span.source.text === `recipe.steps=${steps}`,
    );
    if (hasNoParameter) found = under([`schedule.steps=${steps}`]);
    const { value: lowered, diagnostics } = found.report;
    for (const problem of diagnostics) this.#add(problem, point);
    return lowered === undefined || hasErrors(diagnostics) ? undefined : { lowered, set: found.set };
  }

  async #tokensPerStep({ module, resolved }: Lowered): Promise<number> {
    const { recipe } = resolved;
    const entry = entryNamed(module, "train");
    if (recipe === undefined || entry === undefined) throw new Error("a recipe without a training step");
    const inputs = entry.inputs.flatMap(({ value, origin }): EntryRecord["inputs"] =>
      origin !== "caller" && "data" in origin ? [{ name: origin.data, type: printType(value.type), source: "data" }] : [],
    );
    const key = JSON.stringify([recipe.run.data, inputs]);
    const dataset = this.#datasets.get(key) ?? openData(recipe.run.data, { inputs });
    this.#datasets.set(key, dataset);
    return batchOf({ module, resolved }) * recipe.accumulate * (await dataset).unitsPerExample;
  }

  /** Of the final evaluation: batches, and the examples that they hold. */
  #heldOut(point: GridPoint, lowered: Lowered): { readonly batches: number | "all"; readonly examples: number | "all" } | undefined {
    const batch = batchOf(lowered);
    const { heldOut } = this.#file;
    if (heldOut === "all") return { batches: "all", examples: "all" };
    if (heldOut !== undefined) {
      if (heldOut % batch === 0) return { batches: heldOut / batch, examples: heldOut };
      const label = `\`${point.size.recipe}\` has batches of ${batch}`;
      this.#add(badSweep("held-out examples must fill whole batches", placeIn(this.#source, ["heldOut"]), label));
      return undefined;
    }
    const metric = lowered.resolved.recipe?.run.evaluate?.metrics.find((one) => one.metric === "loss");
    if (metric !== undefined) return { batches: metric.batches ?? "all", examples: (metric.batches ?? 0) * batch || "all" };
    const help = ['`"heldOut": "all"` in the sweep, or `eval every 100 { loss }` in the recipe'];
    this.#complain(point, "size", `the recipe \`${point.size.recipe}\` evaluates no loss`, "there is nothing for its rows", help);
    return undefined;
  }

  #costOf({ module, resolved }: Lowered, batches: number | "all"): SweepCost | undefined {
    const { recipe } = resolved;
    let cost: SweepCost | undefined;
    const { diagnostics } = compileModule(module, {
      entries: (name) => name === "train" || name === "eval",
      sources: resolved.sources,
      planned(plan) {
        const { entries, peakBytes } = summarizePlan(plan);
        const of = (name: string) => entries.find((entry) => entry.name === name)?.flops ?? 0;
        const step = of("train") + (recipe?.accumulate ?? 1) * of("accumulate") + of("apply");
        const { steps = 0, evaluate } = recipe?.run ?? {};
        const within = evaluate?.metrics.find(({ metric }) => metric === "loss")?.batches ?? 0;
        const evaluations = evaluate === undefined ? 0 : Math.ceil(steps / evaluate.everySteps) * within;
        cost = { flops: steps * step + (evaluations + (batches === "all" ? 0 : batches)) * of("eval"), peakBytes };
      },
    });
    for (const problem of diagnostics) this.#add(problem);
    return cost;
  }

  #complain(point: GridPoint, list: "policy" | "size", message: string, label: string, help: readonly string[]): void {
    const place = list === "policy" ? ["policies", point.at.policy] : ["sizes", point.at.size];
    this.#add(badSweep(message, placeIn(this.#source, place), label, help));
  }

  /** A mistake that many runs share is told once, in the sweep file's words where the compiler found it in a run. */
  #add(problem: Diagnostic, point?: GridPoint): void {
    const text = printDiagnostic(problem);
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#diagnostics.push(point === undefined ? problem : inSweepFile(problem, point, this.#file, this.#source));
  }
}

const hashOf = (sources: readonly Source[]): string =>
  createHash("sha256")
    .update(JSON.stringify(sources.map(({ text }) => text)))
    .digest("hex");

/** Examples in a batch. */
function batchOf({ resolved: { recipe } }: Lowered): number {
  const [first] = recipe?.arrays ?? [];
  const batch = first === undefined ? undefined : shapeOf(first.type)[0];
  if (batch === undefined) throw new DiagnosticError([error("data-shape", "a recipe's data has no batch")]);
  return batch;
}
