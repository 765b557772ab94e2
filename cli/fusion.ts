// `bitloom plan --fusion`: which instructions share kernels, which do not, and why, as text. Tools take it as JSON.
import type { EntryFusion, FusedInstruction, FusedKernel, StoredValue } from "../compiler/index.ts";
import type { PlacedPlan } from "../ir/plan.ts";
import { printSchedule } from "../ir/text/plan-records.ts";

/** A kernel with the schedules of the dispatches that it has become: several in a norm, none of its own where an optimizer's are merged. */
export interface ScheduledKernel extends FusedKernel {
  readonly schedules: readonly string[];
}

export interface ScheduledFusion {
  readonly entry: string;
  readonly kernels: readonly ScheduledKernel[];
}

export function scheduledFusions(fusions: readonly EntryFusion[], { entries }: PlacedPlan): readonly ScheduledFusion[] {
  return fusions.map(({ entry, kernels }) => {
    const dispatches = entries.find(({ name }) => name === entry)?.dispatches ?? [];
    const serving = new Map(dispatches.flatMap(({ serves, schedule }) => serves.map((name) => [name, printSchedule(schedule).join(", ")])));
    const schedulesOf = ({ stores }: FusedKernel) => [...new Set(stores.flatMap(({ value }) => serving.get(value) ?? []))];
    return { entry, kernels: kernels.map((kernel) => ({ ...kernel, schedules: schedulesOf(kernel) })) };
  });
}

export function fusionLines({ entry, kernels }: ScheduledFusion): readonly string[] {
  const labels = kernels.map(({ kernel, instances }) => `${kernel}${instances[0] === undefined ? "" : ` ${instances[0]}`}`);
  const instructions = kernels.reduce((n, kernel) => n + kernel.instructions.length, 0);
  const apart = kernels.reduce((n, { stores }) => n + stores.filter(({ readBy }) => readBy.length > 0).length, 0);
  return [
    `@${entry}: ${kernels.length} kernels of ${instructions} instructions; ${apart} values go from one to others (* computed in several)`,
    ...kernels.flatMap((kernel) => ["", ...kernelLines(kernel, labels)]),
  ];
}

function kernelLines({ kernel, family, instances, instructions, stores, schedules }: ScheduledKernel, labels: readonly string[]): string[] {
  const at = (position: FusedInstruction["position"]) => instructions.filter((i) => i.position === position);
  const part = (title: string, list: readonly FusedInstruction[]) => (list.length === 0 ? [] : [`  ${title}: ${counted(list)}`]);
  return [
    `${[`${kernel} ${family}`, instances.join(", "), schedules.length === 0 ? "" : `{${schedules.join("; ")}}`].filter((text) => text !== "").join("  ")}`,
    ...part("in front", at("front")),
    ...part(family, at("anchor")),
    ...part(at("anchor").length === 0 ? "element by element" : "behind", at("behind")),
    ...[...Map.groupBy(stores, ({ why }) => why)].flatMap(([why, values]) => [
      ...values.map((value) => storeLine(value, labels)),
      `    apart: ${why}`,
    ]),
  ];
}

function storeLine({ value, type, readBy }: StoredValue, labels: readonly string[]): string {
  const readers = readBy.length === 0 ? "" : ` for ${readBy.map((number) => labels[number] ?? String(number)).join(", ")}`;
  return `  stores ${value}: ${type}${readers}`;
}

/** `layers.0.attn_norm: mul x2, reshape*`: by instance, in the order of the first of each; `*` where other kernels compute it too. */
function counted(list: readonly FusedInstruction[]): string {
  const byInstance = Map.groupBy(list, ({ instance }) => instance);
  const parts = [...byInstance].map(([instance, own]) => {
    const byOp = Map.groupBy(own, ({ op, repeated }) => `${op}${repeated === true ? "*" : ""}`);
    const ops = [...byOp].map(([op, { length }]) => (length === 1 ? op : `${op} x${length}`)).join(", ");
    return instance === undefined ? ops : `${instance}: ${ops}`;
  });
  return parts.join("; ");
}
