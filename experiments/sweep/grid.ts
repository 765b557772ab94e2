// The grid of a sweep: every combination of its axes, in order, each with a name that does not depend on the others.
import type { Diagnostic, Report } from "../../ir/diagnostic.ts";
import type { Source } from "../../ir/source.ts";
import { placeIn } from "./json-place.ts";
import { badSweep, type SweepFile, type SweepPolicy, type SweepSize, type SweepValue } from "./sweep-file.ts";

/** A run's length as the sweep says it. */
export type RunLength = { readonly steps: number } | { readonly tokens: number };

/** One point of the grid. */
export interface GridPoint {
  /** Of its folder and its row: unique in the sweep, and the same where the grid grows. */
  readonly name: string;
  readonly policy: SweepPolicy;
  readonly size: SweepSize;
  /** Where its policy and its size stand in the file's lists. */
  readonly at: { readonly policy: number; readonly size: number };
  /** Absent: the recipe's own. */
  readonly length?: RunLength;
  /** Overrides but that of the length: of all runs, of the size, of the axes. */
  readonly set: readonly string[];
  readonly seed: number;
}

/** The points, policies outermost and seeds innermost; `bad-sweep` where two have one name. */
export function gridOf(file: SweepFile, source: Source): Report<readonly GridPoint[]> {
  const policies = file.policies.map((policy) => (typeof policy === "string" ? { policy } : policy));
  const sizes = file.sizes.map((size) => (typeof size === "string" ? { recipe: size } : size));
  const lengths: readonly (RunLength | undefined)[] = file.steps?.map((steps) => ({ steps })) ??
    file.tokens?.map((tokens) => ({ tokens })) ?? [undefined];
  const points: GridPoint[] = [];
  for (const [p, policy] of policies.entries()) {
    for (const [s, size] of sizes.entries()) {
      for (const length of lengths) {
        for (const varied of combinations(file.vary ?? {})) {
          for (const seed of file.seeds ?? [0]) {
            const set = [...(file.set ?? []), ...(size.set ?? []), ...varied];
            const name = nameOf(policy, size, length, varied, seed);
            points.push({ name, policy, size, at: { policy: p, size: s }, ...(length === undefined ? {} : { length }), set, seed });
          }
        }
      }
    }
  }
  return { value: points, diagnostics: sameNames(points, source) };
}

/** Settings of every combination of the axes; one without settings where there is no axis. */
function combinations(vary: Readonly<Record<string, readonly SweepValue[]>>): readonly (readonly string[])[] {
  let found: readonly (readonly string[])[] = [[]];
  for (const [setting, values] of Object.entries(vary))
    found = found.flatMap((before) => values.map((value) => [...before, `${setting}=${value}`]));
  return found;
}

/** `quest_w4a4-demo-600-s0`, in characters that every file system takes. */
function nameOf(policy: SweepPolicy, size: SweepSize, length: RunLength | undefined, varied: readonly string[], seed: number): string {
  const long = length === undefined ? [] : ["steps" in length ? String(length.steps) : `${length.tokens}t`];
  return [policy.p ?? policy.policy, size.name ?? size.recipe, ...long, ...varied, `s${seed}`].map(plain).join("-");
}

const plain = (text: string): string =>
  text
    .replace(/[^\w.=+]+/g, "-")
    .replace(/^[-.]+|-+$/g, "")
    .toLowerCase();

function sameNames(points: readonly GridPoint[], source: Source): readonly Diagnostic[] {
  const first = new Map<string, GridPoint>();
  for (const point of points) {
    const other = first.get(point.name);
    if (other === undefined) {
      first.set(point.name, point);
      continue;
    }
    const list = other.at.policy === point.at.policy ? (["sizes", point.at.size] as const) : (["policies", point.at.policy] as const);
    const label = list[0] === "sizes" ? "give this size another `name`" : "give this policy another name, `p`";
    return [badSweep(`two runs are called \`${point.name}\``, placeIn(source, [list[0], list[1]]), label)];
  }
  return [];
}
