// Where schedules come from: tables of measured ones first, the default rules for what nobody measured.
import { createHash } from "node:crypto";
import type { ChooseSchedule, Schedule, Target } from "../../ir/plan.ts";
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
    choose: (problem, target) => {
      const applying = indexed.filter(({ table, find }) => find.size > 0 && isFor(table, target));
      if (applying.length === 0) return chooseSchedule(problem, target);
      const key = printKey(keyOf(problem));
      const measured = applying
        .map(({ find }) => find.get(key))
        .find((schedule) => schedule !== undefined && refuseSchedule(problem, schedule, target) === undefined);
      return measured ?? chooseSchedule(problem, target);
    },
    hash(targets) {
      const applying = tables.filter((table) => targets.some((target) => isFor(table, target)));
      const tuned = applying.map(({ adapter: { class: adapterClass, subgroups, subgroupSize }, entries }) => ({
        adapterClass,
        subgroups,
        subgroupSize,
        entries: entries.map((entry) => `${printKey(entry)} ${printSchedule(entry.schedule).join(", ")}`).sort(),
      }));
      const hash = createHash("sha256").update(JSON.stringify({ rules: rulesVersion, tables: scheduleTables, tuned }));
      return `sha256-${hash.digest("hex")}`;
    },
  };
}

/** What kernels get where nothing is said. */
export const shippedSchedules: Schedules = schedulesFrom(shippedTables);

/** Schedules by printed key. */
export function indexOf({ entries }: Pick<TunedTable, "entries">): ReadonlyMap<string, Schedule> {
  return new Map(entries.map((entry) => [printKey(entry), entry.schedule]));
}
