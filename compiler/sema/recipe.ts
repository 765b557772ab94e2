// Recipes: a `train` block as plain data, checked.
import type { RunRecord } from "../../ir/artifact.ts";
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import type { HostRule } from "../../ir/host.ts";
import type { OptimizerSpec } from "../../ir/module.ts";
import { suggest } from "../../ir/nearest.ts";
import { tensor } from "../../ir/type.ts";
import type { Expression } from "../syntax/ast-expression.ts";
import type {
  CheckpointStatement,
  DataStatement,
  EvalStatement,
  OptimizerStatement,
  RecipeDeclaration,
  RecipeStatement,
  ScheduleStatement,
  Selector,
} from "../syntax/ast-recipe.ts";
import { asParameter, describeConstant } from "./constant.ts";
import { evaluate, evaluateAs, type Scope } from "./evaluate.ts";
import type { FileScope } from "./files.ts";
import { scalarOf } from "./instantiate.ts";
import { withConstants } from "./recipe-parameters.ts";
import { type DataArray, type Instance, instancesBelow, type Recipe, type Weight } from "./resolved.ts";
import { matches, printSelector } from "./selector.ts";
import { readSettings, type SettingsSpec } from "./settings.ts";

const optimizers = {
  adamw: {
    betas: { kind: "float", describe: "two floats from 0 to below 1", from: 0, below: 1, count: 2, fallback: [0.9, 0.999] },
    eps: { kind: "float", describe: "a float above 0", from: Number.MIN_VALUE, fallback: [1e-8] },
    decay: { kind: "float", describe: "a float from 0", from: 0, fallback: [0.01] },
  },
  sgd: {
    momentum: { kind: "float", describe: "a float from 0 to below 1", from: 0, below: 1, fallback: [0] },
    decay: { kind: "float", describe: "a float from 0", from: 0, fallback: [0] },
  },
} as const satisfies Record<string, SettingsSpec>;

const steps = { kind: "int", describe: "an int above 0", from: 1 } as const;
const peak = { kind: "float", describe: "a float above 0", from: Number.MIN_VALUE } as const;
const warmup = { kind: "int", describe: "an int from 0", from: 0, fallback: [0] } as const;
const share = (what: string, fallback: number) =>
  ({
    kind: "float",
    describe: `a float from 0 to 1, the share of the peak ${what}`,
    from: 0,
    below: 1 + Number.EPSILON,
    fallback: [fallback],
  }) as const;
const schedules = {
  warmup_cosine: { peak, warmup, steps, floor: share("that is left at the end", 0) },
  one_cycle: { peak, warmup, steps, start: share("at the first step", 0), floor: share("that is left at the end", 0) },
  constant: { rate: { kind: "float", describe: "a float above 0", from: Number.MIN_VALUE }, steps },
} as const satisfies Record<string, SettingsSpec>;

const metricNames = ["loss", "accuracy"] as const;

/** Check a recipe and turn it into data; undefined after an error. */
export function resolveRecipe(recipe: RecipeDeclaration, outer: FileScope, model: Instance, diagnostics: Diagnostic[]): Recipe | undefined {
  const before = diagnostics.length;
  const file = withConstants(outer, recipe, diagnostics);
  const scope: Scope = { constants: file.constants, broken: file.broken, words: true };
  const found = onePerKind(recipe, diagnostics);
  const cx = { scope, model, diagnostics };

  const data = found.data === undefined ? undefined : resolveData(found.data, scope, diagnostics);
  const optimizer = found.optimizer === undefined ? undefined : resolveOptimizer(cx, found.optimizer);
  const schedule = found.schedule === undefined ? undefined : resolveSchedule(found.schedule, scope, diagnostics);
  const clipNorm = found.clip === undefined ? undefined : positive("float", found.clip.value, scope, diagnostics);
  if (found.clip !== undefined && found.clip.name.text !== "grad_norm") {
    diagnostics.push(
      error("unknown-setting", `\`clip\` has no \`${found.clip.name.text}\``, found.clip.name.span, "", ["write `clip grad_norm = 1.0`"]),
    );
  }
  const rematerialize = resolveRemat(model, found.remat?.selectors ?? [], diagnostics);
  const evaluation = found.eval === undefined ? undefined : resolveEvaluation(found.eval, scope, diagnostics);
  const checkpoint = found.checkpoint === undefined ? undefined : resolveCheckpoint(found.checkpoint, scope, diagnostics);
  const accumulate = found.accumulate === undefined ? 1 : positive("int", found.accumulate.value, scope, diagnostics);
  const precision = found.precision === undefined ? "f32" : precisionOf(found.precision.value, scope, diagnostics);
  const headChunk = found.head_chunk === undefined ? "auto" : headChunkOf(found.head_chunk.value, scope, diagnostics);
  if (diagnostics.slice(before).some((d) => d.severity === "error")) return undefined;
  if (data === undefined || optimizer === undefined || schedule === undefined || found.loss === undefined) return undefined;
  if (accumulate === undefined || precision === undefined || headChunk === undefined) return undefined;
  return {
    name: recipe.name.text,
    at: recipe.name.span,
    constants: file.constants,
    arrays: data.arrays,
    loss: found.loss,
    optimizer: optimizer.spec,
    learningRate: schedule.rule,
    ...(clipNorm === undefined ? {} : { clipNorm }),
    decays: optimizer.decays,
    rematerialize,
    accumulate,
    precision,
    headChunk,
    run: {
      steps: schedule.steps,
      ...(accumulate === 1 ? {} : { accumulate }),
      data: data.record,
      ...(evaluation === undefined ? {} : { evaluate: evaluation }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    },
  };
}

type ByKind = { readonly [K in Exclude<RecipeStatement["kind"], "const">]?: Extract<RecipeStatement, { readonly kind: K }> };
const needed = {
  data: "`data x: f32[64, 784] = mnist()`",
  loss: "`loss { return ... }`",
  optimizer: "`optimizer adamw { decay = 0.1 }`",
  schedule: "`schedule warmup_cosine { peak = 1e-3, warmup = 100, steps = 1_000 }`",
} as const;

function onePerKind(recipe: RecipeDeclaration, diagnostics: Diagnostic[]): ByKind {
  const found = new Map<string, RecipeStatement>();
  for (const statement of recipe.statements) {
    if (statement.kind === "const") continue;
    const first = found.get(statement.kind);
    if (first === undefined) found.set(statement.kind, statement);
    else {
      diagnostics.push({
        ...error("duplicate-statement", `a recipe has one \`${statement.kind}\``, statement.span, "here again"),
        secondary: [{ span: first.span, message: "here first" }],
      });
    }
  }
  for (const [kind, example] of Object.entries(needed)) {
    if (!found.has(kind))
      diagnostics.push(
        error("missing-statement", `the recipe \`${recipe.name.text}\` needs \`${kind}\``, recipe.name.span, "", [`write ${example}`]),
      );
  }
  return Object.fromEntries(found) as ByKind;
}

function positive(kind: "int" | "float", expression: Expression, scope: Scope, diagnostics: Diagnostic[]): number | undefined {
  const value = evaluate(expression, scope, diagnostics);
  if (value === undefined) return undefined;
  const fitting = asParameter(value, kind);
  if ((fitting?.kind === "int" || fitting?.kind === "float") && fitting.value > 0) return fitting.value;
  diagnostics.push(
    error(
      "type-mismatch",
      `${kind === "int" ? "an" : "a"} ${kind} above 0 is needed here`,
      expression.span,
      `this is ${describeConstant(value)}`,
    ),
  );
  return undefined;
}

const precisions = ["f32", "f16"] as const;

function precisionOf(expression: Expression, scope: Scope, diagnostics: Diagnostic[]): Recipe["precision"] | undefined {
  const value = evaluate(expression, scope, diagnostics);
  if (value === undefined) return undefined;
  const found = precisions.find((name) => value.kind === "word" && value.value === name);
  if (found === undefined)
    diagnostics.push(error("type-mismatch", "`precision` is `f32` or `f16`", expression.span, `this is ${describeConstant(value)}`));
  return found;
}

function headChunkOf(expression: Expression, scope: Scope, diagnostics: Diagnostic[]): Recipe["headChunk"] | undefined {
  const value = evaluate(expression, scope, diagnostics);
  if (value === undefined) return undefined;
  if (value.kind === "word" && (value.value === "auto" || value.value === "none")) return value.value;
  if (value.kind === "int" && value.value > 0) return value.value;
  const message = "`head_chunk` is `auto`, `none` or a number of rows above 0";
  diagnostics.push(error("type-mismatch", message, expression.span, `this is ${describeConstant(value)}`));
  return undefined;
}

function resolveData(
  statement: DataStatement,
  scope: Scope,
  diagnostics: Diagnostic[],
): { readonly arrays: readonly DataArray[]; readonly record: RunRecord["data"] } {
  const arrays: DataArray[] = [];
  for (const { name, type } of statement.arrays) {
    if (arrays.some((array) => array.name === name.text))
      diagnostics.push(error("duplicate-name", `\`${name.text}\` is declared twice`, name.span));
    if (type.leading) diagnostics.push(error("unknown-size", "the data's axes must be known: `..` cannot stand here", type.span));
    const dims = type.dims.map((dim) => {
      const size = evaluateAs("int", dim, { ...scope, words: false }, diagnostics)?.value;
      if (size !== undefined && size < 1) diagnostics.push(error("unknown-size", `an axis cannot have size ${size}`, dim.span));
      return size ?? 1;
    });
    const scalar = scalarOf(type.scalar, diagnostics);
    if (scalar !== undefined && scalar !== "f32" && scalar !== "i32")
      diagnostics.push(error("unknown-type", "data is f32 or i32", type.scalar.span));
    arrays.push({ name: name.text, type: tensor(scalar ?? "f32", dims), declaredAt: name.span });
  }
  const { origin } = statement;
  const callee = origin.kind === "call" ? origin.callee : origin;
  const args: (string | number | boolean)[] = [];
  const named: Record<string, string | number | boolean> = {};
  if (callee.kind !== "use-name") diagnostics.push(error("unknown-source", "data comes from a source such as `mnist()`", origin.span));
  for (const argument of origin.kind === "call" ? origin.args : []) {
    const value = evaluate(argument.value, scope, diagnostics);
    if (value === undefined) continue;
    if (value.kind === "list")
      diagnostics.push(error("wrong-argument", "a data source takes numbers, texts, words, true and false", argument.value.span));
    else if (argument.name === undefined) args.push(value.value);
    else named[argument.name.text] = value.value;
  }
  return {
    arrays,
    record: { source: callee.kind === "use-name" ? callee.text : "", args, named, arrays: arrays.map((array) => array.name) },
  };
}

interface RecipeContext {
  readonly scope: Scope;
  readonly model: Instance;
  readonly diagnostics: Diagnostic[];
}

function resolveOptimizer(
  cx: RecipeContext,
  statement: OptimizerStatement,
): { readonly spec: OptimizerSpec; readonly decays: ReadonlySet<string> } | undefined {
  const { name, settings } = statement;
  const kind = name.text;
  if (kind !== "adamw" && kind !== "sgd") {
    cx.diagnostics.push(
      error("unknown-optimizer", `there is no optimizer \`${kind}\``, name.span, "", suggest(kind, Object.keys(optimizers))),
    );
    return undefined;
  }
  const values = readSettings(name, settings, optimizers[kind], ["decay_only"], cx.scope, cx.diagnostics);
  if (values === undefined) return undefined;
  const only = values.selectors.get("decay_only");
  const decays = decayingStates(cx, only);
  const one = (setting: string) => values.numbers(setting)[0] ?? 0;
  if (kind === "sgd") return { spec: { kind, momentum: one("momentum"), decay: one("decay") }, decays };
  const [beta1 = 0, beta2 = 0] = values.numbers("betas");
  return { spec: { kind, beta1, beta2, eps: one("eps"), decay: one("decay") }, decays };
}

/** Parameters of rank 2 and more, of those that the selectors name: so float and quantized runs decay the same weights. */
function decayingStates(cx: RecipeContext, only: readonly Selector[] | undefined): ReadonlySet<string> {
  const weights = instancesBelow(cx.model).flatMap((instance) => [...instance.weights.values()].map((weight) => ({ instance, weight })));
  const named = (selector: Selector, { instance, weight }: { instance: Instance; weight: Weight }) =>
    matches(selector, weight.path) || matches(selector, instance.path);
  for (const selector of only ?? []) {
    if (!selector.optional && !weights.some((w) => named(selector, w))) cx.diagnostics.push(noMatch(cx.model, selector));
  }
  const kept = weights.filter((w) => w.weight.type.dims.length >= 2 && (only === undefined || only.some((selector) => named(selector, w))));
  return new Set(kept.map(({ weight }) => weight.path));
}

function noMatch(model: Instance, selector: Selector): Diagnostic {
  const written = printSelector(selector);
  return error(
    "matches-nothing",
    `\`${written}\` matches nothing in \`${model.module.name.text}\``,
    selector.span,
    "",
    suggest(
      written,
      instancesBelow(model).map((i) => i.path),
    ),
  );
}

/** `remat auto` leaves the choice to the planner; an instance of that name is selected by a longer path or by `{auto}`. */
function resolveRemat(model: Instance, selectors: readonly Selector[], diagnostics: Diagnostic[]): Recipe["rematerialize"] {
  const [only] = selectors;
  const [segment, ...more] = only?.segments ?? [];
  if (selectors.length === 1 && segment?.kind === "word" && segment.text === "auto" && more.length === 0) return "auto";
  return selectors.flatMap((selector) => pathsOf(model, selector, diagnostics));
}

function pathsOf(model: Instance, selector: Selector, diagnostics: Diagnostic[]): readonly string[] {
  const paths = instancesBelow(model).flatMap((instance) => (matches(selector, instance.path) ? [instance.path] : []));
  if (paths.length === 0 && !selector.optional) diagnostics.push(noMatch(model, selector));
  return paths;
}

function resolveSchedule(
  statement: ScheduleStatement,
  scope: Scope,
  diagnostics: Diagnostic[],
): { readonly rule: HostRule; readonly steps: number } | undefined {
  const { name, settings } = statement;
  const kind = name.text;
  if (kind !== "warmup_cosine" && kind !== "one_cycle" && kind !== "constant") {
    diagnostics.push(error("unknown-schedule", `there is no schedule \`${kind}\``, name.span, "", suggest(kind, Object.keys(schedules))));
    return undefined;
  }
  const values = readSettings(name, settings, schedules[kind], [], scope, diagnostics);
  if (values === undefined) return undefined;
  const one = (setting: string) => values.numbers(setting)[0] ?? 0;
  if (kind === "constant") return { rule: { constant: { value: one("rate") } }, steps: one("steps") };
  const rule = { peak: one("peak"), warmup: one("warmup"), steps: one("steps"), floor: one("floor") };
  if (rule.warmup > rule.steps) {
    const at = settings.find((setting) => setting.name.text === "warmup")?.span ?? statement.span;
    diagnostics.push(
      error("wrong-setting", `the warm-up of ${rule.warmup} steps is longer than the ${rule.steps} steps of the schedule`, at),
    );
  }
  const cosine: HostRule = kind === "one_cycle" ? { one_cycle: { ...rule, start: one("start") } } : { warmup_cosine: rule };
  return { rule: cosine, steps: rule.steps };
}

function resolveCheckpoint({ every, unit }: CheckpointStatement, scope: Scope, diagnostics: Diagnostic[]): RunRecord["checkpoint"] {
  const value = positive(unit === "steps" ? "int" : "float", every, scope, diagnostics);
  if (value === undefined) return undefined;
  return unit === "steps" ? { everySteps: value } : { everySeconds: value };
}

function resolveEvaluation(statement: EvalStatement, scope: Scope, diagnostics: Diagnostic[]): NonNullable<RunRecord["evaluate"]> {
  const metrics = statement.metrics.flatMap(({ name, over }) => {
    const metric = metricNames.find((known) => known === name.text);
    const batches = over === undefined ? undefined : positive("int", over, scope, diagnostics);
    if (metric === undefined) {
      diagnostics.push(error("unknown-metric", `there is no metric \`${name.text}\``, name.span, "", suggest(name.text, metricNames)));
      return [];
    }
    return [{ metric, ...(batches === undefined ? {} : { batches }) }];
  });
  return { everySteps: positive("int", statement.every, scope, diagnostics) ?? 1, metrics };
}
