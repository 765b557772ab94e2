// From parsed braces to attribute values: every problem of one statement is reported, each at its own place.

import type { AttributeKind, AttributeSpec, Attributes } from "../attribute.ts";
import { isFromResult } from "../attribute.ts";
import { Rejection } from "../diagnostic.ts";
import type { DiagnosticCode } from "../errors/table.ts";
import type { Literal } from "../literal.ts";
import { nearest } from "../nearest.ts";
import type { Span } from "../source.ts";
import type { ParsedAttribute } from "./cursor.ts";

/** Reports a problem: code, message, place, help. */
export type ReportProblem = (code: DiagnosticCode, message: string, at: Span, help?: readonly string[]) => void;

/** Whose attributes are read: its name for messages, where to point when one is missing, and what else may stand in its braces. */
export interface AttributeOwner {
  readonly name: string;
  readonly at: Span;
  /** Names that are no mistake here though the specification lacks them. */
  readonly others?: readonly string[];
}

/** The values that the braces give, fallbacks filled in; undefined where there was a problem. Attributes from the result are left out. */
export function readAttributes(
  spec: AttributeSpec,
  given: readonly ParsedAttribute[],
  owner: AttributeOwner,
  report: ReportProblem,
): Attributes | undefined {
  const values: Record<string, unknown> = {};
  const others = owner.others ?? [];
  const names = Object.keys(spec).filter((name) => spec[name] !== undefined && !isFromResult(spec[name]));
  let sound = true;
  const problem: ReportProblem = (...args) => {
    sound = false;
    report(...args);
  };
  // A misspelt name is one problem, not an unknown attribute and a missing one.
  const misspelt = new Set<string>();
  for (const { name, span: at, literal, valueSpan } of given) {
    const kind = Object.hasOwn(spec, name) ? spec[name] : undefined;
    if (kind !== undefined) {
      const read = readLiteral(kind, name, literal, valueSpan, problem);
      if (read !== undefined) values[name] = read.value;
    } else if (!others.includes(name)) {
      const near = nearest(name, [...names, ...others]);
      if (near !== undefined) misspelt.add(near);
      const known = names.length === 0 ? "no attributes" : names.join(", ");
      problem(
        "unknown-attribute",
        `\`${owner.name}\` has no attribute \`${name}\`; it has ${known}`,
        at,
        near === undefined ? [] : [`did you mean \`${near}\`?`],
      );
    }
  }
  for (const name of names) {
    const kind = spec[name];
    if (kind === undefined || Object.hasOwn(values, name) || given.some((g) => g.name === name)) continue;
    if ("fallback" in kind) values[name] = kind.fallback;
    else if (!("optional" in kind) && !misspelt.has(name))
      problem("missing-attribute", `\`${owner.name}\` needs the attribute \`${name}\` (${kind.describe})`, owner.at);
  }
  return sound ? values : undefined;
}

/** The value of one literal, or undefined after a report. */
export function readLiteral<T>(
  kind: AttributeKind<T>,
  name: string,
  literal: Literal,
  at: Span,
  report: ReportProblem,
): { readonly value: T } | undefined {
  try {
    return { value: kind.read(literal) };
  } catch (problem) {
    if (!(problem instanceof Rejection)) throw problem;
    const message = `\`${name}\` ${problem.message}`;
    const help =
      kind.describe === "a float" && literal.kind === "int" ? [`a float is written with a point: \`${literal.value}.0\``] : problem.help;
    report("bad-attribute", message, at, help);
    return undefined;
  }
}
