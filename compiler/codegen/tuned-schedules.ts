// Where schedules come from: tables of measured ones first, the default rules for what nobody measured.
import { createHash } from "node:crypto";
import type { ChooseSchedule, Problem, Schedule, Target } from "../../ir/plan.ts";
import { printSchedule } from "../../ir/text/plan-records.ts";
import { keyOf, printKey } from "./schedule-key.ts";
import { chooseSchedule, rulesVersion, scheduleTables } from "./schedules.ts";
import { refuseSchedule } from "./templates.ts";
import lavapipe from "./tuned/lavapipe.json" with { type: "json" };
import swiftshader from "./tuned/swiftshader.json" with { type: "json" };
import { isFor, type TunedTable, tableFrom } from "./tuned-table.ts";

/** A compiler's option: which schedules kernels get. */
export interface Schedules {
  readonly choose: ChooseSchedule;
  readonly tables: readonly TunedTable[];
  /** Whether the tables may be for none of the targets; else that is a mistake (`foreign-schedules`). */
  readonly isForAny: boolean;
  /** Of all that the choice for these targets goes by: part of what makes results reproducible. */
  hash(targets: readonly Target[]): string;
}

/** Of each driver that we could measure, what was found on it. */
export const shippedTables: readonly TunedTable[] = [lavapipe, swiftshader].map(tableFrom);

/** The schedules of tables, the first that applies to a target and has a fitting one; else those of the rules. */
export function schedulesFrom(tables: readonly TunedTable[]): Schedules {
  const indexed = tables.map((table) => ({ table, find: indexOf(table) }));
  return {
    tables,
    isForAny: tables.length === 0,
    choose: (problem, target) => {
      const applying = indexed.filter(({ table, find }) => find.size > 0 && isFor(table, target));
      if (applying.length === 0) return chooseSchedule(problem, target);
      return (
        lookUp(
          applying.map(({ find }) => find),
          problem,
          target,
        ) ?? chooseSchedule(problem, target)
      );
    },
    hash(targets) {
      const applying = tables.filter((table) => targets.some((target) => isFor(table, target)));
      const tuned = applying.map(({ adapter: { class: adapterClass, subgroups, subgroupSize }, entries }) => ({
        adapterClass,
        subgroups,
        subgroupSize,
        entries: entries.map((entry) => `${printKey(entry)} ${printSchedule(entry.schedule).join(", ")}`).sort(),
      }));
      return hashOf({ rules: rulesVersion, tables: scheduleTables, tuned });
    },
  };
}

/** Schedules of another class of adapters, by its rules and by tables measured on it: where a search may begin, and nothing that ships. */
export function schedulesAsOn(adapterClass: string, tables: readonly TunedTable[] = shippedTables): Schedules {
  const indices = tables.filter(({ adapter }) => adapter.class === adapterClass).map(indexOf);
  return {
    tables: [],
    isForAny: true,
    choose: (problem, target) => lookUp(indices, problem, target) ?? chooseSchedule(problem, { ...target, adapterClass }),
    hash: (targets) => hashOf({ adapterClass, base: schedulesFrom(tables).hash(targets) }),
  };
}

/** Other schedules for some keys, by printed key. */
export function overlaid(base: Schedules, changes: ReadonlyMap<string, Schedule>): Schedules {
  const changed = [...changes].map(([key, schedule]) => `${key} ${printSchedule(schedule).join(", ")}`).sort();
  return {
    tables: base.tables,
    isForAny: base.isForAny,
    choose: (problem, target) => lookUp([changes], problem, target) ?? base.choose(problem, target),
    hash: (targets) => hashOf({ changed, base: base.hash(targets) }),
  };
}

function lookUp(indices: readonly ReadonlyMap<string, Schedule>[], problem: Problem, target: Target): Schedule | undefined {
  const key = printKey(keyOf(problem));
  // What is stored as f16 is computed with as f32: a table that does not know it knows the same in f32.
  const keys = key.includes("f16") ? [key, key.replaceAll("f16", "f32")] : [key];
  return keys
    .flatMap((each) => indices.map((index) => index.get(each)))
    .find((schedule) => schedule !== undefined && refuseSchedule(problem, schedule, target) === undefined);
}

function hashOf(value: unknown): string {
  return `sha256-${createHash("sha256").update(JSON.stringify(value)).digest("hex")}`;
}

/** What kernels get where nothing is said. */
export const shippedSchedules: Schedules = { ...schedulesFrom(shippedTables), isForAny: true };

/** Schedules by printed key. */
export function indexOf({ entries }: Pick<TunedTable, "entries">): ReadonlyMap<string, Schedule> {
  return new Map(entries.map((entry) => [printKey(entry), entry.schedule]));
}
