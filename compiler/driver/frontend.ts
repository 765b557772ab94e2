// From a model file to a lowered module: syntax, meaning, lowering, with every problem that they find.
import { type Diagnostic, hasErrors, type Report } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import type { Source } from "../../ir/source.ts";
import { type LowerOptions, lower } from "../lower/lower.ts";
import type { LoadSource } from "../sema/files.ts";
import { resolve } from "../sema/resolve.ts";
import type { Resolved } from "../sema/resolved.ts";
import { loadFromDisk } from "./sources.ts";

/** What to build from a model file. */
export interface FrontEndOptions extends LowerOptions {
  /** A `train` block of the file; may be left out where there is only one. */
  readonly recipe?: string;
  /** The model where the file has no recipe. */
  readonly model?: string;
  /** Instead of the recipe's policy: `quest_w4a4`, `quest(w = 2, a = 4)`. */
  readonly policy?: string;
  /** Overrides as the command line's `--set` takes them: `schedule.peak=1e-3`, `model.hidden=128`, `B=1`. */
  readonly set?: readonly string[];
  /** Finds the files that `use` names; default: on disk, with the standard library behind them. */
  readonly load?: LoadSource;
}

export interface Lowered {
  readonly module: Module;
  readonly resolved: Resolved;
}

/** The module of form `surface`. No value where there is an error. */
export function lowerSource(source: Source, options: FrontEndOptions = {}): Report<Lowered> {
  const { load = loadFromDisk, inference, probe, ...rest } = options;
  const { value: resolved, diagnostics: problems } = resolve(source, { load, ...rest });
  const diagnostics: Diagnostic[] = [...problems];
  if (resolved === undefined) return { diagnostics };
  // Lowering finds mistakes of its own (shapes), and reports them beside a faulty policy or recipe.
  const lowered = lower(resolved, {
    ...(inference === undefined ? {} : { inference }),
    ...(probe === undefined ? {} : { probe }),
  });
  diagnostics.push(...lowered.diagnostics);
  return lowered.value === undefined || hasErrors(diagnostics)
    ? { diagnostics }
    : { value: { module: lowered.value, resolved }, diagnostics };
}

/** What a recipe's `remat auto` means for planning. */
export const recomputeOf = ({ recipe }: Resolved): { readonly recompute?: "auto" } =>
  recipe?.rematerialize === "auto" ? { recompute: "auto" } : {};
