// What a pass is: a named, pure function from module to module, with the form that it needs and the form that it leaves.

import { type AttributeSpec, type Attributes, type AttributesOf, printAttributes } from "../ir/attribute.ts";
import type { Severity } from "../ir/diagnostic.ts";
import type { DiagnosticCode } from "../ir/errors/table.ts";
import type { Instruction, Module } from "../ir/module.ts";
import { type Form, forms } from "../ir/op.ts";
import type { EntryFusion } from "./fusion-report.ts";

/** A problem of the user's model or policy that a pass found. */
export interface Problem {
  readonly severity: Severity;
  readonly code: DiagnosticCode;
  readonly message: string;
  /** Where: the runner finds its place in the model's text or in the IR text that was read. */
  readonly instruction?: Instruction;
  readonly help?: readonly string[];
}

/** What a running pass may tell beside its result. */
export interface PassContext {
  /** Add to a named count of this run (a rule applied, an instruction removed); counts stand in dumps. */
  count(what: string, times?: number): void;
  /** Report a problem. After an error the pipeline stops; a problem that several entries share is told once. */
  report(problem: Problem): void;
  /** Where someone wants to know: told what became of each entry, and why. */
  readonly explain?: (fusion: EntryFusion) => void;
}

interface PassInput<O extends AttributeSpec> {
  /** Kebab-case: the file's name, the command line's name and, in camel case, the export. */
  readonly name: string;
  readonly summary: string;
  /** Forms of the module that it accepts. */
  readonly needs: Form | readonly Form[] | "any";
  /** Form of the module that it answers; `same` where it does not change it. */
  readonly leaves: Form | "same";
  /** Options, each with a fallback (`withDefault`). */
  readonly options: O;
  /** Whether the module asks for this pass at all; absent: always. */
  applies?(module: Module): boolean;
  /** Pure. Answers the same object where nothing changed; the form is stamped for it. */
  run(module: Module, options: AttributesOf<O>, cx: PassContext): Module;
}

/** A pass as lists hold it: options without their static types. Make one with {@link definePass}. */
export interface Pass {
  readonly name: string;
  readonly summary: string;
  readonly needs: readonly Form[];
  readonly leaves: Form | "same";
  readonly options: AttributeSpec;
  applies(module: Module): boolean;
  run(module: Module, options: Attributes, cx: PassContext): Module;
}

export function definePass<const O extends AttributeSpec>(input: PassInput<O>): Pass {
  const { name, summary, needs, leaves, options } = input;
  return {
    name,
    summary,
    needs: needs === "any" ? forms : typeof needs === "string" ? [needs] : needs,
    leaves,
    options,
    applies: (module) => input.applies?.(module) ?? true,
    run(module, given, cx) {
      const next = input.run(module, given as AttributesOf<O>, cx);
      return leaves === "same" || next.form === leaves ? next : { ...next, form: leaves };
    },
  };
}

/** Parts of the pipeline: each works towards a form, the last one towards a plan. */
export const stages = [...forms, "plan"] as const;
export type Stage = (typeof stages)[number];

/** One place of a pipeline: a pass with complete options, in the stage that it works towards. */
export interface PipelineStep {
  readonly pass: Pass;
  readonly options: Attributes;
  /** Absent in pipelines that were given as text. */
  readonly stage?: Stage;
}

/** The options of a pass that nobody set. */
export function defaultOptions(pass: Pass): Attributes {
  return Object.fromEntries(Object.entries(pass.options).map(([name, kind]) => [name, kind.fallback]));
}

/** `canonicalize, cleanup, insert-quant`; options that are not at their fallback stand in braces. */
export function printPipeline(steps: readonly PipelineStep[]): string {
  return steps
    .map(({ pass, options }) => {
      const printed = printAttributes(pass.options, options);
      return printed.length === 0 ? pass.name : `${pass.name} {${printed.join(", ")}}`;
    })
    .join(", ");
}
