// Sweep files: a grid of training runs as JSON, checked field by field.
import { type Check, finite, flag, listOf, objectOf, oneOf, optional, recordOf, text, whole } from "../../ir/check.ts";
import { type Diagnostic, error, Rejection, type Report, reject } from "../../ir/diagnostic.ts";
import type { Source, Span } from "../../ir/source.ts";
import { placeIn, repeatedField, stepsOf, syntaxProblem } from "./json-place.ts";

/** One precision of a sweep. */
export interface SweepPolicy {
  /** A policy of the model's file, or one with its settings: `quest(w = 4, a = 4)`. */
  readonly policy: string;
  /** Name of the precision in the table. Default: the policy's own. */
  readonly p?: string;
  /** Bits of a weight. Default: of the weights that `n` counts, the mean of what the policy gives them, 32 for float. */
  readonly bits?: number;
  /** Precisions among which `bitloom fit` names the best. */
  readonly series?: string;
}

/** One size of the model: a recipe, or settings of one. */
export interface SweepSize {
  /** In the names of runs. Default: the recipe's. */
  readonly name?: string;
  /** A `train` block of the model's file. */
  readonly recipe: string;
  readonly set?: readonly string[];
  /** Parameters that count. Default: the weights of contractions, without looked-up tables and the head. */
  readonly n?: number;
}

/** A value as `--set` takes it. */
export type SweepValue = string | number | boolean;

export interface SweepFile {
  /** Path of the model's file, from the sweep's own folder. */
  readonly model: string;
  readonly policies: readonly (string | SweepPolicy)[];
  readonly sizes: readonly (string | SweepSize)[];
  /** Lengths of runs in steps or in tokens, not both. Default: the recipe's own. */
  readonly steps?: readonly number[];
  readonly tokens?: readonly number[];
  /** Default: 0 alone. */
  readonly seeds?: readonly number[];
  /** Overrides of all runs, as `--set` takes them. */
  readonly set?: readonly string[];
  /** Further axes of the grid: a setting, and its values. */
  readonly vary?: Readonly<Record<string, readonly SweepValue[]>>;
  /** Held-out examples that the final loss is the mean of, or all. Default: as many as the recipe's `eval` says. */
  readonly heldOut?: number | "all";
  /** Steps between probes of the roundings in each run's metrics. Default: none. */
  readonly probeEvery?: number;
}

/** Lists of a grid have an item and none twice. */
const axis =
  <T>(item: Check<T>): Check<readonly T[]> =>
  (value, at) => {
    const items = listOf(item)(value, at);
    if (items.length === 0) return reject(`\`${at}\` must not be empty`);
    const seen = new Set<string>();
    for (const [i, one] of items.entries()) {
      const key = JSON.stringify(one);
      if (seen.has(key)) return reject(`\`${at}[${i}]\` stands there twice`);
      seen.add(key);
    }
    return items;
  };

const filled: Check<string> = (value, at) => (text(value, at) === "" ? reject(`\`${at}\` must not be empty`) : text(value, at));
const positive: Check<number> = (value, at) => {
  const number = finite(value, at);
  return number > 0 ? number : reject(`\`${at}\` must be above 0, not ${number}`);
};
/** A text stands for an object that says nothing but its main field. */
const shortOr =
  <T extends object>(long: Check<T>): Check<string | T> =>
  (value, at) =>
    typeof value === "string" ? filled(value, at) : long(value, at);
const setting: Check<SweepValue> = (value, at) => {
  if (typeof value === "string") return filled(value, at);
  return typeof value === "boolean" ? flag(value, at) : finite(value, at);
};
const seed = whole(0);

const checkSweep: Check<SweepFile> = objectOf<SweepFile>({
  model: filled,
  policies: axis(
    shortOr(objectOf<SweepPolicy>({ policy: filled, p: optional(filled), bits: optional(positive), series: optional(filled) })),
  ),
  sizes: axis(
    shortOr(objectOf<SweepSize>({ recipe: filled, name: optional(filled), set: optional(listOf(filled)), n: optional(whole(1)) })),
  ),
  steps: optional(axis(whole(1))),
  tokens: optional(axis(whole(1))),
  seeds: optional(axis(seed)),
  set: optional(listOf(filled)),
  vary: optional(recordOf(axis(setting))),
  probeEvery: optional(whole(1)),
  heldOut: optional((value, at) => (typeof value === "number" ? whole(1)(value, at) : oneOf("all")(value, at))),
});

/** The sweep that a text describes. `bad-sweep` points at what is wrong. */
export function parseSweep(source: Source): Report<SweepFile> {
  let value: unknown;
  try {
    value = JSON.parse(source.text);
  } catch (problem) {
    return { diagnostics: [badSweep("a sweep file is not JSON", ...syntaxProblem(source, problem))] };
  }
  const again = repeatedField(source);
  if (again !== undefined) return { diagnostics: [badSweep("a sweep file has a field twice", again, "it stands above already")] };
  try {
    const sweep = checkSweep(value, "");
    if (sweep.steps !== undefined && sweep.tokens !== undefined)
      return {
        diagnostics: [badSweep("a sweep has `steps` or `tokens`, not both", placeIn(source, ["tokens"]), "lengths of runs once more")],
      };
    return { value: sweep, diagnostics: [] };
  } catch (problem) {
    if (!(problem instanceof Rejection)) throw problem;
    const [, place = ""] = /^`([^`]*)`/.exec(problem.message) ?? [];
    const at = place === "" ? undefined : placeIn(source, stepsOf(place));
    return { diagnostics: [badSweep("a sweep file is not as it must be", at ?? placeIn(source, []), problem.message, problem.help)] };
  }
}

const exampleHelp =
  'the shortest sweep: {"model": "llama.loom", "policies": ["float", "quest_w4a4"], "sizes": ["demo"]}; docs/sweeps.md has all fields';

/** A problem of a sweep file. */
export const badSweep = (message: string, at: Span, label: string, help: readonly string[] = []): Diagnostic =>
  error("bad-sweep", message, at, label, help.length === 0 ? [exampleHelp] : help);
