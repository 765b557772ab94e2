// Problems that the compiler has with a run, told as problems of the sweep file: what the file says of policies and settings is marked where it says so.
import { findNodeAtLocation, type Node, parseTree } from "jsonc-parser";
import type { Diagnostic, Label } from "../../ir/diagnostic.ts";
import { type Source, type Span, span } from "../../ir/source.ts";
import type { GridPoint } from "./grid.ts";
import { placeIn } from "./json-place.ts";
import type { SweepFile } from "./sweep-file.ts";

type Steps = readonly (string | number)[];

/**
 * The compiler knows policies and settings as `--policy` and `--set`. A problem in one of those, or in none, gets its place in the sweep file; one in
 * the model keeps its own, and the run that it was found in is marked too.
 */
export function inSweepFile(problem: Diagnostic, point: GridPoint, file: SweepFile, source: Source): Diagnostic {
  const moved = (label: Label): Label => ({ ...label, span: placeOfText(label.span, point, file, source) ?? label.span });
  const { primary, secondary } = problem;
  if (primary === undefined) return { ...problem, primary: { span: placeIn(source, ["sizes", point.at.size]), message: "" } };
  const labels = { primary: moved(primary), secondary: (secondary ?? []).map(moved) };
  if ([labels.primary, ...labels.secondary].some((label) => label.span.source === source)) return { ...problem, ...labels };
  const run: Label = { span: placeIn(source, lengthOf(point, file) ?? ["sizes", point.at.size]), message: `in the run \`${point.name}\`` };
  return { ...problem, ...labels, secondary: [...labels.secondary, run] };
}

function placeOfText({ source: given, start, end }: Span, point: GridPoint, file: SweepFile, source: Source): Span | undefined {
  const { at, size } = point;
  if (given.path === "--policy") {
    const whole = typeof file.policies[at.policy] === "string";
    return within(source, ["policies", at.policy, ...(whole ? [] : ["policy"])], start, end);
  }
  if (given.path !== "--set") return undefined;
  const ofSize = size.set?.indexOf(given.text) ?? -1;
  if (ofSize >= 0) return within(source, ["sizes", at.size, "set", ofSize], start, end);
  const ofAll = file.set?.indexOf(given.text) ?? -1;
  if (ofAll >= 0) return within(source, ["set", ofAll], start, end);
  for (const [setting, values] of Object.entries(file.vary ?? {})) {
    const index = values.findIndex((value) => `${setting}=${value}` === given.text);
    if (index < 0) continue;
    if (end > setting.length) return within(source, ["vary", setting, index], start - setting.length - 1, end - setting.length - 1);
    const [key] = nodeAt(source, ["vary", setting])?.parent?.children ?? [];
    return key && part(source, key, start, end);
  }
  const length = lengthOf(point, file);
  return length && placeIn(source, length);
}

/** Where the file says how long the run is. */
function lengthOf({ length }: GridPoint, file: SweepFile): Steps | undefined {
  if (length === undefined) return undefined;
  return "steps" in length ? ["steps", file.steps?.indexOf(length.steps) ?? 0] : ["tokens", file.tokens?.indexOf(length.tokens) ?? 0];
}

function nodeAt(source: Source, steps: Steps): Node | undefined {
  const root = parseTree(source.text);
  return root && findNodeAtLocation(root, [...steps]);
}

function within(source: Source, steps: Steps, start: number, end: number): Span | undefined {
  const node = nodeAt(source, steps);
  return node && part(source, node, start, end);
}

/** Of a text that is written without escapes, the part; else all of the value. */
function part(source: Source, { offset, length, value }: Node, start: number, end: number): Span {
  const isPlain = typeof value === "string" && source.text.slice(offset + 1, offset + length - 1) === value;
  return isPlain
    ? span(source, offset + 1 + Math.max(0, start), offset + 1 + Math.min(end, value.length))
    : span(source, offset, offset + length);
}
