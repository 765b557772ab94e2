// Lowering: a resolved model becomes a surface module with its state and its entries.
import { calibrateEntry, packEntry } from "../../ir/artifact.ts";
import { type Diagnostic, error, hasErrors, type Report } from "../../ir/diagnostic.ts";
import type { Entry, EntryInput, Module, StateDeclaration, Value } from "../../ir/module.ts";
import { mul } from "../../ir/ops/arithmetic.ts";
import { sum } from "../../ir/ops/broadcast.ts";
import { cast } from "../../ir/ops/cast.ts";
import { equal } from "../../ir/ops/compare.ts";
import { countedLabels } from "../../ir/ops/loss.ts";
import { argmax } from "../../ir/ops/reductions.ts";
import { tensor } from "../../ir/type.ts";
import { type Instance, instancesBelow, type Recipe, type Resolved } from "../sema/resolved.ts";
import type { FunctionDeclaration } from "../syntax/ast.ts";
import { withinStack } from "../syntax/nesting.ts";
import { type InferenceOptions, lowerCached } from "./cached-entries.ts";
import { EntryContext, Problems } from "./entry-context.ts";
import { newFrame } from "./frame.ts";
import { lowerBody, runFunction } from "./function.ts";
import { describe, type Meaning, tensorMeaning } from "./meaning.ts";
import { inventType } from "./signature-match.ts";

/** Name of the host scalar that is the learning rate. */
const learningRate = "lr";

export interface LowerOptions {
  /** Whether and how there are entries that continue a text; none by default, since they bring state of their own. */
  readonly inference?: InferenceOptions;
  /** Whether there is `@probe`, which tells how the roundings of the recipe's model go on a batch. */
  readonly probe?: boolean;
}

/** Entries that the compiler makes, which no function may be called like. */
const madeEntries: ReadonlySet<string> = new Set([
  "train",
  "accumulate",
  "apply",
  calibrateEntry,
  "eval",
  "probe",
  "logits",
  "prefill",
  "decode",
  packEntry,
]);

/**
 * Lower a model to entries: `@train` and `@eval` from its recipe, `@logits` from the model's function without a name, one from each named
 * function, and where they are asked for `@prefill` and `@decode`. The value is there only where nothing is wrong.
 */
export function lower(resolved: Resolved, options: LowerOptions = {}): Report<Module> {
  return withinStack(
    () => lowerEntries(resolved, options),
    () => {
      const { name } = resolved.model.module;
      return { diagnostics: [error("too-deep", `the functions of \`${name.text}\` nest too deeply to be compiled`, name.span)] };
    },
  );
}

function lowerEntries(resolved: Resolved, { inference, probe }: LowerOptions): Report<Module> {
  const problems = new Problems();
  const entries: Entry[] = [];
  const push = (entry: Entry | undefined) => {
    if (entry !== undefined) entries.push(entry);
  };
  const { recipe, model } = resolved;
  const training = recipe === undefined ? undefined : lowerTrain(resolved, recipe, problems);
  push(training?.entry);
  if (recipe !== undefined) push(lowerEval(resolved, recipe, problems));
  if (recipe !== undefined && probe === true) push(lowerProbe(resolved, recipe, problems));
  for (const [name, declaration] of model.functions) {
    if (madeEntries.has(name)) problems.add(takenName(name, declaration));
    else push(lowerFunction(resolved, name === "" ? "logits" : name, declaration, problems));
  }
  const cached = inference === undefined ? undefined : lowerCached(resolved, inference, training?.sequence, problems);
  entries.push(...(cached?.entries ?? []));
  const { diagnostics } = problems;
  if (hasErrors(diagnostics)) return { diagnostics };
  return {
    value: {
      form: "surface",
      sources: resolved.sources.map((source) => source.path),
      host: recipe === undefined ? {} : { [learningRate]: recipe.learningRate },
      ...(recipe?.precision === "f16" ? { precision: "f16" as const } : {}),
      ...(recipe === undefined || recipe.headChunk === "auto" ? {} : { headChunk: recipe.headChunk }),
      ...(recipe === undefined
        ? {}
        : {
            training: {
              optimizer: recipe.optimizer,
              learningRate,
              ...(recipe.clipNorm === undefined ? {} : { clipNorm: recipe.clipNorm }),
              ...(recipe.accumulate === 1 ? {} : { accumulate: recipe.accumulate }),
            },
          }),
      states: [...statesOf(resolved), ...(cached?.states ?? [])],
      ties: [...resolved.ties].map(([path, state]) => ({ path, state })),
      entries,
    },
    diagnostics,
  };
}

function takenName(name: string, declaration: FunctionDeclaration): Diagnostic {
  const help = [`entries that the compiler makes: ${[...madeEntries].map((made) => `\`@${made}\``).join(", ")}`];
  return error(
    "duplicate-name",
    `\`@${name}\` is an entry that the compiler makes`,
    declaration.name?.span,
    "call the function otherwise",
    help,
  );
}

function statesOf({ model, ties, recipe }: Resolved): readonly StateDeclaration[] {
  const weights = instancesBelow(model).flatMap((instance) => [...instance.weights.values()]);
  return weights.flatMap((weight) => {
    if (ties.has(weight.path)) return [];
    // Without a recipe nothing is trained, but the rule is the same: matrices decay.
    const decay = recipe === undefined ? weight.type.dims.length >= 2 : recipe.decays.has(weight.path);
    return [{ name: weight.path, type: weight.type, role: "parameter" as const, init: weight.init, decay }];
  });
}

/** The loss on a batch: its inputs, and what the recipe's `loss` gives back. */
function lowerLoss(cx: EntryContext, recipe: Recipe): { readonly inputs: readonly EntryInput[]; readonly loss: Value } | undefined {
  const frame = newFrame(undefined, recipe.constants, 0);
  const inputs = recipe.arrays.map(({ name, type, declaredAt }): EntryInput => {
    const value: Value = { hint: name, type };
    frame.locals.declare(name, { meaning: tensorMeaning(value), mutable: false, at: declaredAt });
    return { value, origin: { data: name } };
  });
  frame.locals.declare("model", { meaning: cx.resolved.model, mutable: false, at: recipe.at });
  const result = lowerBody(cx, frame, recipe.loss.body, "loss");
  if (result === undefined || result.meaning.kind === "failed") return undefined;
  const { meaning, at } = result;
  if (
    meaning.kind === "tensor" &&
    meaning.value.type.kind === "tensor" &&
    meaning.value.type.scalar === "f32" &&
    meaning.value.type.dims.length === 0
  ) {
    return { inputs, loss: meaning.value };
  }
  cx.report("shape-mismatch", "a loss is one number, f32[]", at, `this is ${describe(meaning)}`, [
    "average it with `mean(x)`, or use `cross_entropy` or `mse`",
  ]);
  return undefined;
}

/** The entry, and the length of the sequences that it trains on, where the model takes such. */
function lowerTrain(
  resolved: Resolved,
  recipe: Recipe,
  problems: Problems,
): { readonly entry: Entry; readonly sequence?: number } | undefined {
  const cx = new EntryContext(resolved, problems, undefined, recipe.rematerialize === "auto" ? [] : recipe.rematerialize);
  const found = lowerLoss(cx, recipe);
  if (found === undefined) return undefined;
  const entry: Entry = {
    name: "train",
    inputs: found.inputs,
    instructions: cx.builder.instructions,
    outputs: [{ name: "loss", value: found.loss }],
    updates: [],
  };
  const sequence = cx.modelInputs[0]?.dims[1];
  return { entry, ...(typeof sequence === "number" ? { sequence } : {}) };
}

/** Sums instead of means, so that batches of any number add up: loss, right answers (of a loss that is one `cross_entropy`), how many answers count. */
function lowerEval(resolved: Resolved, recipe: Recipe, problems: Problems): Entry | undefined {
  const cx = new EntryContext(resolved, problems);
  const found = lowerLoss(cx, recipe);
  if (found === undefined) return undefined;
  let correct: Value | undefined;
  let targets: Value;
  const [only, ...others] = cx.classifications;
  if (only !== undefined && others.length === 0) {
    const { logits, labels } = only;
    const axes = labels.type.dims.map((_, axis) => axis);
    const count = (hit: Value, hint: string) => cx.emit(sum, [cx.emit(cast, [hit], { to: "i32" })], { axes }, hint);
    const guess = cx.emit(argmax, [logits], { axis: logits.type.dims.length - 1 }, "guess");
    correct = count(cx.emit(equal, [guess, labels], {}, "hit"), "correct");
    // As in `cross_entropy`: a label that is no class does not count.
    targets = count(countedLabels(cx.builder, logits, labels), "targets");
  } else {
    const accuracy = recipe.run.evaluate?.metrics.some(({ metric }) => metric === "accuracy");
    if (accuracy)
      cx.report(
        "no-accuracy",
        "accuracy needs a loss with exactly one `cross_entropy`",
        recipe.loss.span,
        `this one has ${cx.classifications.length}`,
      );
    targets = cx.splat(tensor("i32", []), rowsOf(recipe));
  }
  const lossSum = cx.emit(mul, [found.loss, cx.emit(cast, [targets], { to: "f32" })], {}, "loss_sum");
  const outputs = [
    { name: "loss_sum", value: lossSum },
    ...(correct === undefined ? [] : [{ name: "correct", value: correct }]),
    { name: "targets", value: targets },
  ];
  return { name: "eval", inputs: found.inputs, instructions: cx.builder.instructions, outputs, updates: [] };
}

/** The loss once more, as it is in training: `insert-probes` replaces it by what it finds on the way there. */
function lowerProbe(resolved: Resolved, recipe: Recipe, problems: Problems): Entry | undefined {
  const cx = new EntryContext(resolved, problems);
  const found = lowerLoss(cx, recipe);
  if (found === undefined) return undefined;
  const outputs = [{ name: "loss", value: found.loss }];
  return { name: "probe", inputs: found.inputs, instructions: cx.builder.instructions, outputs, updates: [] };
}

/** Rows of a batch: the first axis of its first array. */
function rowsOf(recipe: Recipe): number {
  const rows = recipe.arrays[0]?.type.dims[0];
  return typeof rows === "number" ? rows : 1;
}

/** An entry of its own for a function of the model. Sizes that nobody fixed stay names. */
function lowerFunction(resolved: Resolved, name: string, declaration: FunctionDeclaration, problems: Problems): Entry | undefined {
  const cx = new EntryContext(resolved, problems);
  const model: Instance = resolved.model;
  const frame = newFrame(model, model.constants, 0);
  for (const [dim, size] of resolved.dims) frame.sizes.dims.set(dim, size);
  const inputs: EntryInput[] = [];
  for (const input of declaration.inputs) {
    const type = inventType(input.type, frame.sizes);
    if (type === undefined) {
      problems.add({
        severity: "warning",
        code: "no-entry",
        message: `\`@${name}\` is left out: the number of axes of its input \`${input.name.text}\` is open`,
        primary: { span: input.type.span, message: "" },
        help: ["an entry's inputs have all their axes: write `f32[B, n]`"],
      });
      return undefined;
    }
    if (type.kind !== "tensor") {
      if (type.kind === "unknown") cx.report("unknown-size", type.message, type.at.span);
      return undefined;
    }
    const value: Value = { hint: input.name.text, type };
    inputs.push({ value, origin: "caller" });
    frame.locals.declare(input.name.text, { meaning: tensorMeaning(value), mutable: false, at: input.name.span });
  }
  const result: Meaning = runFunction(cx, frame, name === "logits" ? model.module.name.text : name, declaration, name);
  if (result.kind !== "tensor") return undefined;
  const { builder } = cx;
  return { name, inputs, instructions: builder.instructions, outputs: [{ name, value: result.value }], updates: [] };
}
