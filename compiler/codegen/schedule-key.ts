// Under which key a table keeps what was measured for a problem: sizes in powers of two, and what is loaded and stored in which form.
import type { DotOperand, Family, Problem, Store } from "../../ir/plan.ts";
import { elementsOf } from "../../ir/problem.ts";
import { loadsOf } from "../../ir/problem-parts.ts";
import { plus, type ScalarExpr, type Storage, times, uint, variable } from "../../ir/scalar.ts";
import { quad } from "./emitter.ts";
import { coordinatesOf, product } from "./kernel.ts";
import { loadSites } from "./load-sites.ts";
import { reduceVector } from "./reduce.ts";
import { epilogueSites } from "./schedules.ts";

/** Problems of one key are close enough that one schedule is good for all. The adapter is a table's, not part of the key. */
export interface ScheduleKey {
  readonly family: Family;
  /** Sizes, each as the nearest power of two by its exponent: `m10 n8 k7`. */
  readonly shape: string;
  /** `nt a:f32 b:q4,f32 computed out:f32 sites:2`. */
  readonly formats: string;
}

export const printKey = ({ family, shape, formats }: ScheduleKey): string => `${family} ${shape} | ${formats}`;

export function keyOf(problem: Problem): ScheduleKey {
  const family = problem.kind;
  switch (problem.kind) {
    case "pointwise": {
      const total = product(problem.shape);
      const four = fourAlong("c", problem.shape);
      const kind = `${problem.where === undefined ? "" : "part "}${total % 4 === 0 ? "" : "single "}`;
      const loads = loadsText(elementsOf(problem).concat(valuesOf(problem.stores)), four);
      return { family, shape: sizes({ e: total }), formats: `${kind}in:${loads} out:${storesText(problem.stores)}` };
    }
    case "reduce": {
      const { shape, reduced, accumulators, stores } = problem;
      const way = reduceVector(problem);
      const combines = accumulators.map((a) => a.combine).join("+");
      const formats = `${combines} along:${way} in:${loadsText(elementsOf(problem))} out:${storesText(stores)}`;
      return { family, shape: sizes({ o: product(shape), r: product(reduced) }), formats };
    }
    case "dot": {
      const { batch, m, n, k, a, b, stores } = problem;
      const layout = `${a.contracted === "column" ? "n" : "t"}${b.contracted === "row" ? "n" : "t"}`;
      const formats = `${layout} a:${sideText(a, m, k)} b:${sideText(b, n, k)} out:${storesText(stores)} sites:${epilogueSites(problem)}`;
      return { family, shape: sizes({ z: product(batch), m, n, k }), formats };
    }
    case "rows": {
      const { rows, columns, block, element, statistic = "none", stores, rowStores } = problem;
      const loads = loadsText([element], fourColumns(columns));
      const formats = `block:${block} ${statistic} in:${loads} out:${storesText(stores)} rows:${storesText(rowStores)}`;
      return { family, shape: sizes({ r: rows, c: columns }), formats };
    }
    case "attention": {
      const { pass, shape, rule, stores, rowStores } = problem;
      const { batch: z, queries: t, keys: s, heads: h, groups: g, channels: c } = shape;
      const formats = `${pass}${rule.causal ? " causal" : ""} in:${loadsText(elementsOf(problem))} out:${storesText([...stores, ...rowStores])}`;
      return { family, shape: sizes({ z, t, s, h, g, c }), formats };
    }
    default:
      return problem satisfies never;
  }
}

const sizes = (named: Readonly<Record<string, number>>): string =>
  Object.entries(named)
    .map(([name, size]) => `${name}${Math.round(Math.log2(Math.max(1, size)))}`)
    .join(" ");

const valuesOf = (stores: readonly Store[]): readonly ScalarExpr[] => stores.map((s) => s.value);
const fourColumns = (columns: number) => ({ column: plus(times(variable("x", Math.ceil(columns / 4)), uint(4)), quad) });

function fourAlong(prefix: string, shape: readonly number[]): Readonly<Record<string, ScalarExpr>> {
  const total = product(shape);
  return total % 4 === 0 ? coordinatesOf(prefix, shape, plus(times(variable("i", total / 4), uint(4)), quad)) : {};
}

/** A side of a contraction; whether it is computed on load, and in which arithmetic, decides how much a row more costs. */
function sideText({ element, contracted }: DotOperand, free: number, k: number): string {
  const how = element.type === "i32" ? " integers" : element.kind === "load" ? "" : " computed";
  return `${loadsText([element], fourColumns(contracted === "column" ? k : free))}${how}`;
}

/** Forms of what is loaded, in order of the alphabet; `*` marks what takes several instructions for four neighbours. */
function loadsText(roots: readonly ScalarExpr[], variables: Readonly<Record<string, ScalarExpr>> = {}): string {
  const forms = loadsOf(roots).map((e) => `${storageText(e.storage)}${loadSites([e], variables) > 1 ? "*" : ""}`);
  return forms.length === 0 ? "none" : forms.sort().join(",");
}

const storesText = (stores: readonly Store[]): string => stores.map(({ storage }) => storageText(storage)).join(",") || "none";

/** `f32`, `q4`, `q3 planes`, `b1`. */
function storageText(storage: Storage): string {
  if (storage.kind === "dense") return storage.scalar;
  return `${storage.signed ? "q" : "b"}${storage.bits}${storage.layout === "planes" ? " planes" : ""}`;
}
