// From statements to a module: names become values, ops and states; attributes are read. Types are the verifier's business.

import type { StateRole } from "../artifact.ts";
import type { AttributeSpec } from "../attribute.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { error } from "../diagnostic.ts";
import type { HostRule } from "../host.ts";
import type { InitRule } from "../init.ts";
import type { Entry, Module, OptimizerSpec, StateDeclaration } from "../module.ts";
import { didYouMean } from "../nearest.ts";
import { type Form, forms } from "../op.ts";
import type { Source, Span } from "../source.ts";
import { f32 } from "../type.ts";
import { type ReportProblem, readAttributes, readLiteral } from "./attributes.ts";
import type { ParsedName } from "./cursor.ts";
import { hostRule, stateAttributes, trainingAttributes } from "./declarations.ts";
import { type EntryResolution, type ResolveOptions, resolveEntry } from "./resolve-entry.ts";
import { type ModuleSpans, SpanTable } from "./spans.ts";
import type { ModuleSyntax } from "./syntax.ts";

/** A module as far as it could be understood. With errors among the diagnostics it has gaps. */
export interface Resolution {
  readonly module: Module;
  readonly spans: ModuleSpans;
  /** What the verifier takes as given because its text is faulty: see there. */
  readonly gaps: ReadonlyMap<Entry, EntryResolution["gaps"]>;
  readonly untypedStates: ReadonlySet<StateDeclaration>;
  readonly diagnostics: readonly Diagnostic[];
}

export function resolveModule(syntax: ModuleSyntax, source: Source, options: ResolveOptions): Resolution {
  const diagnostics: Diagnostic[] = [];
  const report: ReportProblem = (code, message, at, help = []) => {
    diagnostics.push(error(code, message, at, "", help));
  };
  const spans = new SpanTable(source);
  const place = (subject: object, part: string, { start, end }: { readonly start: number; readonly end: number }) =>
    spans.set(subject, part, start, end);

  const host = new Map<string, HostRule>();
  for (const { name, rule } of syntax.hosts) {
    if (host.has(name.name)) report("redefined-host", `host scalar "${name.name}" is declared twice`, name.span);
    const read = readLiteral(hostRule, name.name, rule.literal, rule.valueSpan, report);
    // An unreadable rule still declares its name.
    host.set(name.name, read?.value ?? { constant: { value: 0 } });
  }

  const untypedStates = new Set<StateDeclaration>();
  const states = syntax.states.map((state): StateDeclaration => {
    const { name } = state.name;
    const owner = { name: `state "${name}"`, at: state.name.span };
    const given = readAttributes(stateAttributes, state.attributes, owner, report);
    // A faulty state is still known to the entries.
    const attributes = given ?? { role: "parameter", init: "zeros", decay: false, rotation: 0 };
    const rotation = Number(attributes["rotation"]);
    const declaration: StateDeclaration = {
      name,
      type: state.type.type ?? f32(),
      role: attributes["role"] as StateRole,
      init: attributes["init"] as InitRule,
      decay: attributes["decay"] as boolean,
      ...(rotation === 0 ? {} : { rotation }),
      ...(attributes["rate"] === undefined || attributes["rate"] === 1 ? {} : { rate: attributes["rate"] as number }),
    };
    if (state.type.type === undefined) untypedStates.add(declaration);
    place(declaration, "", state.span);
    place(declaration, "name", state.name.span);
    place(declaration, "type", state.type.span);
    return declaration;
  });

  const ties = syntax.ties.map(({ path, state }) => {
    const tie = { path: path.name, state: state.name };
    place(tie, "name", path.span);
    place(tie, "value", state.span);
    return tie;
  });

  const training = resolveTraining(syntax, report);
  if (training !== undefined && syntax.training !== undefined) place(training, "", syntax.training.span);

  const sources = syntax.sources.map((s) => s.name);
  const resolved = syntax.entries.map((entry) => resolveEntry(entry, source, sources, options, report));
  const module: Module = {
    form: resolveForm(syntax.form, syntax.version, report),
    sources,
    host: Object.fromEntries(host),
    ...(syntax.precision?.name === "f16" ? { precision: "f16" as const } : {}),
    ...(syntax.headChunk === undefined ? {} : { headChunk: syntax.headChunk }),
    ...(training === undefined ? {} : { training }),
    states,
    ties,
    entries: resolved.map((r) => r.entry),
  };
  if (syntax.form !== undefined) place(module, "form", syntax.form.span);
  return {
    module,
    spans: { module: spans, entries: new Map(resolved.map((r) => [r.entry, r.spans])) },
    gaps: new Map(resolved.map((r) => [r.entry, r.gaps])),
    untypedStates,
    diagnostics,
  };
}

function resolveForm(given: ParsedName | undefined, version: Span, report: ReportProblem): Form {
  if (given === undefined) {
    report("unknown-form", "the module does not say its form", version, [
      `a line says it: \`form surface\`; the forms are ${forms.join(", ")}`,
    ]);
    return "surface";
  }
  const form = forms.find((f) => f === given.name);
  if (form === undefined) {
    report("unknown-form", `unknown form \`${given.name}\`; the forms are ${forms.join(", ")}`, given.span, didYouMean(given.name, forms));
  }
  return form ?? "surface";
}

function resolveTraining({ training }: ModuleSyntax, report: ReportProblem): Module["training"] {
  if (training === undefined) return undefined;
  const spec: AttributeSpec = trainingAttributes;
  const read = readAttributes(spec, training.attributes, { name: "training", at: training.span }, report);
  if (read === undefined) return undefined;
  const clip = read["clip"] as number | undefined;
  const accumulate = read["accumulate"] as number | undefined;
  return {
    optimizer: read["optimizer"] as OptimizerSpec,
    ...(clip === undefined ? {} : { clipNorm: clip }),
    ...(accumulate === undefined ? {} : { accumulate }),
    learningRate: read["rate"] as string,
  };
}
