// The verifier. What it checks is what every pass may rely on:
//
// - State: names are unique and stand for one tensor each; only parameters decay; sizes are at least 1. A tie names a state, and its
//   path is neither a state nor tied twice.
// - Training stands until `differentiate` only, with an entry @train whose first output, the loss, is f32[], and a declared rate.
// - Entries: names are unique and can be written as text. A host input names a host scalar and is f32[].
// - SSA: a value is defined once, by one input or instruction of its entry, before every use.
// - Instructions: as many operands and results as the signature says; attributes complete, each of its kind; result types equal to
//   what `infer` says of the operand types; the op legal in the module's form (its `forms`; no composite in `primitive`); a `quantize`
//   stamp only in `surface`, with settings that its scheme knows; the place in a source that the module lists.
// - State in entries: `state.read` and `update` name a state of the same type; each state is updated at most once.
// - Outputs have unique names.
//
// What it does not check: that dims are concrete (to-plan says how to bind one), that values are finite, that no definition is dead,
// that marks tell the truth (whether a `remat` region is one), anything about kernels (the plan has a verifier).
import { type Diagnostic, error, type Label } from "./diagnostic.ts";
import type { Entry, Module, StateDeclaration, Value } from "./module.ts";
import { didYouMean } from "./nearest.ts";
import { forms } from "./op.ts";
import { type Location, type Source, spanOf } from "./source.ts";
import { plainName, valueName } from "./text/lexer.ts";
import { printWithSpans } from "./text/print.ts";
import type { ModuleSpans } from "./text/spans.ts";
import { f32, printType, type Type, typesEqual } from "./type.ts";
import { checkDims, type InstructionScope, instructionProblems, type Problem, problem, stateOf } from "./verify-instruction.ts";

/** What the verifier takes as given where a faulty text leaves gaps; each has an error of its own already. */
export interface Gaps {
  readonly assumed: ReadonlySet<Value>;
  readonly untyped: ReadonlySet<Value>;
  /** Types that a text declares for outputs. */
  readonly outputTypes: ReadonlyMap<Entry["outputs"][number], Type>;
}

export interface VerifyOptions {
  /** Where the module stands in the text that it was read from. By default it is printed, and the printed text is pointed at. */
  readonly spans?: ModuleSpans;
  readonly gaps?: ReadonlyMap<Entry, Gaps>;
  readonly untypedStates?: ReadonlySet<StateDeclaration>;
  /** Model texts: an error shows the model's line too where the instruction knows it. */
  readonly sources?: readonly Source[];
}

/** Every problem of a module, in order of its text; none for a module that passes may work on. */
export function verifyModule(module: Module, options: VerifyOptions = {}): readonly Diagnostic[] {
  const problems = [...moduleProblems(module), ...module.entries.flatMap((entry) => entryProblems(module, entry, options))];
  if (problems.length === 0) return [];
  const spans = options.spans ?? printWithSpans(module, "<module>").spans;
  return problems.map((p) => locate(p, spans, options.sources ?? []));
}

function locate(
  { entry, subject, part, code, message, label, help, at }: Problem,
  spans: ModuleSpans,
  sources: readonly Source[],
): Diagnostic {
  const table = entry === undefined ? spans.module : spans.entries.get(entry);
  const primary = table?.of(subject, part) ?? (entry === undefined ? undefined : table?.of(entry));
  const found = error(code, message, primary, label, help);
  const origin = at === undefined ? undefined : originLabel(at, sources);
  return origin === undefined || primary === undefined ? found : { ...found, secondary: [origin] };
}

function originLabel(at: Location, sources: readonly Source[]): Label | undefined {
  const span = spanOf(at, sources);
  return span === undefined ? undefined : { span, message: "this comes from here" };
}

function moduleProblems(module: Module): readonly Problem[] {
  const found: Problem[] = [];
  const { states, ties, training, entries } = module;
  const seen = new Set<string>();
  for (const state of states) {
    if (seen.has(state.name)) found.push(problem(state, "name", "redefined-state", `state "${state.name}" is declared twice`));
    seen.add(state.name);
    if (state.decay && state.role !== "parameter")
      found.push(
        problem(state, "", "bad-state", `state "${state.name}" decays, but its role is ${state.role}`, { help: ["only parameters decay"] }),
      );
    if (state.rate !== undefined && (state.role !== "parameter" || state.rate <= 0))
      found.push(
        problem(state, "", "bad-state", `state "${state.name}" has the rate ${state.rate}, and its role is ${state.role}`, {
          help: ["a rate is above 0, and only parameters learn"],
        }),
      );
    found.push(...checkDims(state.type, state, "type"));
  }
  for (const tie of ties) {
    if (stateOf(module, tie.state) === undefined) found.push(unknownState(module, tie, "value", tie.state));
    if (seen.has(tie.path))
      found.push(
        problem(tie, "name", "redefined-state", `"${tie.path}" is named twice`, { help: ["a tie gives a second path to a state"] }),
      );
    seen.add(tie.path);
  }
  if (training !== undefined) {
    const train = entries.find((e) => e.name === "train");
    const loss = train?.outputs[0];
    if (forms.indexOf(module.form) >= forms.indexOf("differentiated")) {
      found.push(
        problem(training, "", "bad-form", `\`training\` has no place in form ${module.form}`, {
          help: ["`differentiate` turns it into instructions"],
        }),
      );
    }
    if (train === undefined) found.push(problem(training, "", "bad-training", "`training` without an entry `@train`"));
    else if (loss === undefined || !typesEqual(loss.value.type, f32())) {
      const got = loss === undefined ? "no output" : printType(loss.value.type);
      found.push(problem(training, "", "bad-training", `the first output of \`@train\` is the loss, f32[]; it has ${got}`));
    }
    if ((training.accumulate ?? 1) < 1)
      found.push(problem(training, "", "bad-training", `a step has at least 1 micro-batch, \`accumulate\` is ${training.accumulate}`));
    if (!Object.hasOwn(module.host, training.learningRate)) found.push(unknownHost(module, training, "", training.learningRate));
  }
  const entryNames = new Set<string>();
  for (const entry of entries) {
    if (entryNames.has(entry.name))
      found.push({ ...problem(entry, "", "redefined-entry", `entry \`@${entry.name}\` stands twice`), entry });
    if (!plainName.test(entry.name)) found.push({ ...problem(entry, "", "bad-name", `\`@${entry.name}\` is no name for an entry`), entry });
    entryNames.add(entry.name);
  }
  return found;
}

function entryProblems(module: Module, entry: Entry, options: VerifyOptions): readonly Problem[] {
  const found: Problem[] = [];
  const gaps = options.gaps?.get(entry);
  const isTyped = (state: StateDeclaration) => options.untypedStates?.has(state) !== true;
  const untyped = gaps?.untyped ?? new Set();
  const defined = new Set<Value>(gaps?.assumed);
  const define = (value: Value, subject: object, part: string) => {
    if (defined.has(value)) found.push(problem(subject, part, "redefined-value", `\`%${value.hint}\` is defined twice`));
    if (!valueName.test(value.hint))
      found.push(
        problem(subject, part, "bad-name", `\`${value.hint}\` is no name for a value`, {
          help: ["names are letters, digits, `_` and `.`"],
        }),
      );
    defined.add(value);
    if (!untyped.has(value)) found.push(...checkDims(value.type, subject, part.replace("result", "type").replace("value", "type")));
  };
  const isDefined = (value: Value, subject: object, part: string) => {
    if (!defined.has(value)) found.push(problem(subject, part, "unknown-value", `\`%${value.hint}\` is not defined before this use`));
  };

  for (const input of entry.inputs) {
    define(input.value, input, "value");
    if (input.origin === "caller" || "data" in input.origin) continue;
    const { host } = input.origin;
    if (!Object.hasOwn(module.host, host)) found.push(unknownHost(module, input, "", host));
    if (!untyped.has(input.value) && !typesEqual(input.value.type, f32())) {
      found.push(
        problem(input, "type", "type-mismatch", `a host scalar is f32[], \`%${input.value.hint}\` is ${printType(input.value.type)}`),
      );
    }
  }
  const scope: InstructionScope = { module, isUntyped: (v) => untyped.has(v), isTyped };
  for (const instruction of entry.instructions) {
    for (const [i, operand] of instruction.operands.entries()) isDefined(operand, instruction, `operand ${i}`);
    for (const [i, result] of instruction.results.entries()) define(result, instruction, `result ${i}`);
    found.push(...instructionProblems(instruction, scope));
  }
  const outputNames = new Set<string>();
  for (const output of entry.outputs) {
    const { name, value } = output;
    if (outputNames.has(name)) found.push(problem(output, "", "redefined-output", `output \`${name}\` stands twice`));
    if (!plainName.test(name)) found.push(problem(output, "", "bad-name", `\`${name}\` is no name for an output`));
    outputNames.add(name);
    isDefined(value, output, "value");
    const declared = gaps?.outputTypes.get(output);
    if (declared !== undefined && !untyped.has(value) && !typesEqual(declared, value.type)) {
      found.push(
        problem(
          output,
          "type",
          "type-mismatch",
          `output \`${name}\` is declared ${printType(declared)}, but \`%${value.hint}\` is ${printType(value.type)}`,
        ),
      );
    }
  }
  const updated = new Set<string>();
  for (const update of entry.updates) {
    isDefined(update.value, update, "value");
    const state = stateOf(module, update.state);
    if (state === undefined) found.push(unknownState(module, update, "name", update.state));
    else if (isTyped(state) && !untyped.has(update.value) && !typesEqual(state.type, update.value.type)) {
      found.push(
        problem(
          update,
          "value",
          "type-mismatch",
          `state "${state.name}" is ${printType(state.type)}, but \`%${update.value.hint}\` is ${printType(update.value.type)}`,
        ),
      );
    }
    if (updated.has(update.state))
      found.push(
        problem(update, "name", "bad-update", `state "${update.state}" is updated twice`, {
          help: ["updates take effect at once, so there can be one for each state"],
        }),
      );
    updated.add(update.state);
  }
  return found.map((p) => ({ ...p, entry }));
}

function unknownState(module: Module, subject: object, part: string, name: string): Problem {
  const tie = module.ties.find((t) => t.path === name);
  const help =
    tie === undefined
      ? didYouMean(
          name,
          module.states.map((s) => s.name),
          JSON.stringify,
        )
      : [`"${name}" is tied to "${tie.state}": say that`];
  return problem(subject, part, "unknown-state", `no state "${name}"`, { help });
}

function unknownHost(module: Module, subject: object, part: string, name: string): Problem {
  return problem(subject, part, "unknown-host", `no host scalar "${name}"`, {
    help: didYouMean(name, Object.keys(module.host), JSON.stringify),
  });
}
