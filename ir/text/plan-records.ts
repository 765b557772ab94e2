// The records of plan text that stand in braces: targets and schedules. Printer and parser share them.
import {
  type AttributeKind,
  type AttributeSpec,
  type Attributes,
  int,
  listOf,
  oneOf,
  printAttributes,
  text,
  withDefault,
} from "../attribute.ts";
import type { AttentionElements, Family, Problem, Schedule, Target } from "../plan.ts";
import type { VariableScope } from "./print-scalar.ts";

export const targetAttributes = {
  subgroups: oneOf("forced", "fixed", "any", "none"),
  size: int,
  adapter: text,
  features: listOf(text),
  invocations: int,
  workgroup_bytes: int,
  binding_bytes: int,
  // The default limit of WebGPU.
  buffer_bytes: withDefault(int, 268435456),
  bindings: int,
  groups: int,
} satisfies AttributeSpec;

export function printTarget({ subgroups, subgroupSize, adapterClass, features, limits }: Target): readonly string[] {
  return printAttributes(targetAttributes, {
    subgroups,
    size: subgroupSize,
    adapter: adapterClass,
    features,
    invocations: limits.maxComputeInvocationsPerWorkgroup,
    workgroup_bytes: limits.maxComputeWorkgroupStorageSize,
    binding_bytes: limits.maxStorageBufferBindingSize,
    buffer_bytes: limits.maxBufferSize,
    bindings: limits.maxStorageBuffersPerShaderStage,
    groups: limits.maxComputeWorkgroupsPerDimension,
  });
}

export function targetFrom(name: string, read: Attributes): Target {
  const number = (key: string) => read[key] as number;
  return {
    name,
    subgroups: read["subgroups"] as Target["subgroups"],
    subgroupSize: number("size"),
    adapterClass: read["adapter"] as string,
    features: read["features"] as readonly string[],
    limits: {
      maxComputeInvocationsPerWorkgroup: number("invocations"),
      maxComputeWorkgroupStorageSize: number("workgroup_bytes"),
      maxStorageBufferBindingSize: number("binding_bytes"),
      maxBufferSize: number("buffer_bytes"),
      maxStorageBuffersPerShaderStage: number("bindings"),
      maxComputeWorkgroupsPerDimension: number("groups"),
    },
  };
}

/** Words of codes a step; absent in contractions of floats. */
const codeDepth = withDefault<number | undefined>(int as AttributeKind<number | undefined>, undefined);

/** Schedules of a family by their frame; a family with one frame does not name it. */
const scheduleForms: Readonly<Record<Family, Readonly<Record<string, AttributeSpec>>>> = {
  pointwise: { "": { width: int, perLane: int, workgroup: int } },
  reduce: { "": { lanes: int, workgroup: int } },
  dot: { broadcast: { rows: int, depth: codeDepth }, tile: { rows: int, depth: codeDepth, workgroup: listOf(int) } },
  rows: {
    subgroup: { lanes: int, vectors: int, rowsPerGroup: int },
    lane: { vectors: int, workgroup: int },
    workgroup: { workgroup: int },
  },
  attention: { broadcast: { rows: int }, plain: { workgroup: int } },
};

export const families = Object.keys(scheduleForms) as readonly Family[];

/** The expressions of an attention, in the order of their lines. */
export const attentionElements = ["q", "k", "v", "ct", "lse", "delta", "first"] as const satisfies readonly (keyof AttentionElements)[];

const toSnake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function printSchedule(schedule: Schedule): readonly string[] {
  const frame = "frame" in schedule ? schedule.frame : "";
  const spec = scheduleForms[schedule.kind][frame] ?? {};
  const fields = printAttributes(spec, { ...schedule }).map((text) => text.replace(/^\w+/, toSnake));
  return frame === "" ? fields : [`frame = ${frame}`, ...fields];
}

export const framesOf = (family: Family): readonly string[] => Object.keys(scheduleForms[family]);

/** What the braces of a family's schedule hold for a frame, named as in text. */
export function scheduleAttributes(family: Family, frame: string): AttributeSpec {
  const own = scheduleForms[family][frame] ?? {};
  const named = Object.fromEntries(Object.entries(own).map(([name, kind]) => [toSnake(name), kind]));
  return frame === "" ? named : { frame: oneOf(...framesOf(family)), ...named };
}

export function scheduleFrom(family: Family, frame: string, read: Attributes): Schedule {
  const own = Object.keys(scheduleForms[family][frame] ?? {})
    .map((name) => [name, read[toSnake(name)]] as const)
    .filter(([, value]) => value !== undefined);
  return { kind: family, ...(frame === "" ? {} : { frame }), ...Object.fromEntries(own) } as unknown as Schedule;
}

/** Variables of each kind of expression in a problem, with their bounds. `shared` holds those that mean the same everywhere. */
export interface ProblemScopes {
  readonly element: VariableScope;
  /** A contraction's other side. */
  readonly b: VariableScope;
  readonly store: VariableScope;
  readonly shared: VariableScope;
}

const numbered = (letter: string, sizes: readonly number[]) => sizes.map((size, i) => [`${letter}${i}`, size] as const);

export function scopesOf(family: Family, sizes: ProblemSizes): ProblemScopes {
  const { outer, inner } = sizes;
  switch (family) {
    case "pointwise": {
      const all = new Map(numbered("c", outer));
      return { element: all, b: all, store: all, shared: all };
    }
    case "reduce": {
      const outside = numbered("c", outer);
      const all = new Map([...outside, ...numbered("r", inner)]);
      return { element: all, b: all, store: all, shared: all };
    }
    case "dot": {
      const [m = 1, n = 1, k = 1] = inner;
      const batch = numbered("z", outer);
      const side = (free: number, contracted: "row" | "column") =>
        new Map([...batch, ["row", contracted === "column" ? free : k] as const, ["column", contracted === "column" ? k : free] as const]);
      const element = side(m, sizes.a ?? "column");
      const b = side(n, sizes.b ?? "column");
      const store = new Map([...batch, ["m", m] as const, ["n", n] as const]);
      const shared = new Map([...store, ...[...element].filter(([name, bound]) => b.get(name) === bound)]);
      return { element, b, store, shared };
    }
    case "rows": {
      const [rows = 1, columns = 1] = inner;
      const all = new Map([["row", rows] as const, ["column", columns] as const]);
      return { element: all, b: all, store: all, shared: all };
    }
    case "attention": {
      const [batch = 1, queries = 1, keys = 1] = outer;
      const [heads = 1, groups = 1, channels = 1] = inner;
      const all = new Map(Object.entries({ z: batch, t: queries, h: heads, s: keys, g: groups, c: channels }));
      return { element: all, b: all, store: all, shared: all };
    }
    default:
      return family satisfies never;
  }
}

/** The sizes that a dispatch's first line says: `outer` axes, and `inner` ones (reduced axes; m, n, k; rows, columns). */
export interface ProblemSizes {
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  /** Which axis of a contraction's side is summed over. */
  readonly a?: "row" | "column";
  readonly b?: "row" | "column";
}

export function sizesOf(problem: Problem): ProblemSizes {
  switch (problem.kind) {
    case "pointwise":
      return { outer: problem.shape, inner: [] };
    case "reduce":
      return { outer: problem.shape, inner: problem.reduced };
    case "dot":
      return { outer: problem.batch, inner: [problem.m, problem.n, problem.k], a: problem.a.contracted, b: problem.b.contracted };
    case "rows":
      return { outer: [], inner: [problem.rows, problem.columns] };
    case "attention": {
      const { batch, queries, keys, heads, groups, channels } = problem.shape;
      return { outer: [batch, queries, keys], inner: [heads, groups, channels] };
    }
    default:
      return problem satisfies never;
  }
}
