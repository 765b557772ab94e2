// From a module of any form to placed plans: passes, dispatches, memory. Nothing is emitted yet.
import { type Diagnostic, error, hasErrors, type Report, unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import type { PlacedPlan, Target } from "../../ir/plan.ts";
import { MemoryFitter, type TradeOff } from "../../passes/fit-memory.ts";
import type { EntryFusion } from "../../passes/fusion-report.ts";
import { settleStateLayouts } from "../../passes/lay-out-codes.ts";
import type { PackedForm } from "../../passes/pack-weights.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { rematerialize } from "../../passes/rematerialize.ts";
import { toPlan } from "../../passes/to-plan.ts";
import { verifyPlan } from "../../passes/verify-plan.ts";
import { dispatchCost } from "../codegen/dispatch-cost.ts";
import { codeCosts } from "../codegen/schedules.ts";
import { type Schedules, shippedSchedules } from "../codegen/tuned-schedules.ts";
import { isFor } from "../codegen/tuned-table.ts";
import { CompilerCrash } from "./crash.ts";
import { selectEntries } from "./entries.ts";
import { overBudget } from "./memory-budget.ts";
import { type PassOptions, runPasses } from "./passes.ts";
import { portable } from "./targets.ts";

export interface TargetOptions {
  /** What to compile for, best first: the runtime takes the first that fits. */
  readonly targets?: readonly Target[];
  /** Says by name which entries to compile; default: all whose sizes are known. */
  readonly entries?: (name: string) => boolean;
  /** Whether the target `portable` follows them, so that the artifact runs on any adapter; default true. */
  readonly portable?: boolean;
  /** Bytes that a session may allocate: a plan that needs more is refused (`memory-budget`). Default: no limit. */
  readonly memory?: number;
  /** Which schedules kernels get; default: the shipped tables, then the rules. Tables of which none is for a target are refused (`foreign-schedules`). */
  readonly schedules?: Schedules;
  /** `auto`: what does not fit `memory` otherwise computes again what costs least time. */
  readonly recompute?: "auto";
  /** What becomes of quantized weights: rounded in every run (`none`, the default), read as codes, or written as codes by the one entry `@pack`. */
  readonly packed?: PackedForm;
  /** Told for each entry what shares kernels, what does not, and why. */
  readonly explain?: (fusion: EntryFusion) => void;
  /** Called with the plan of each target, every buffer in its place, before its kernels are emitted; `trade` tells what it could trade. */
  planned?(plan: PlacedPlan, trade: () => MemoryTrade): void;
}

/** What a model takes, and what it would take if it computed more again instead of keeping it. */
export interface MemoryTrade {
  /** From nothing computed again to the least memory. */
  readonly curve: readonly TradeOff[];
  readonly chosen: TradeOff;
}

export interface PlanOptions extends TargetOptions, Pick<PassOptions, "dump" | "sources"> {}

export interface Planned {
  /** The module with numbered kernels. */
  readonly module: Module;
  /** One for each target, in their order. */
  readonly plans: readonly PlacedPlan[];
}

/** Plan a verified module for every target. No value where there is an error; throws a CompilerCrash for a bug of ours. */
export function planModule(module: Module, options: PlanOptions = {}): Report<Planned> {
  const { dump, explain, packed = "none", sources = [] } = options;
  const selected = selectEntries(module, options.entries);
  const targets = sharedLayout(targetsOf(options));
  const passed = runPasses(unwrap(selected), {
    sources,
    largestBinding: largestBinding(targets),
    packed,
    ...(dump === undefined ? {} : { dump }),
    ...(explain === undefined ? {} : { explain }),
  });
  const diagnostics: Diagnostic[] = [...selected.diagnostics, ...passed.diagnostics, ...foreignTables(options.schedules, targets)];
  if (passed.value === undefined || hasErrors(diagnostics)) return { diagnostics };
  const [first = portable] = targets;
  const ready = settleStateLayouts(passed.value.module, first, codeCosts);
  const plans: PlacedPlan[] = [];
  for (const target of targets) {
    const planned = planTarget(ready, target, options);
    diagnostics.push(...planned.diagnostics);
    if (planned.value === undefined) break;
    const { plan, trade } = planned.value;
    options.planned?.(plan, trade);
    const refused = options.memory === undefined ? undefined : overBudget(plan, options.memory, options.recompute);
    if (refused !== undefined) diagnostics.push(refused);
    plans.push(plan);
  }
  return hasErrors(diagnostics) ? { diagnostics } : { value: { module: ready, plans }, diagnostics };
}

/** Asked for and of no use: a mistake, not a wish that comes to nothing. */
export function foreignTables(schedules: Schedules | undefined, targets: readonly Target[]): readonly Diagnostic[] {
  const { tables, isForAny } = schedules ?? shippedSchedules;
  if (isForAny || tables.some((table) => targets.some((target) => isFor(table, target)))) return [];
  const measured = tables.map(({ adapter: { class: adapterClass, subgroups, subgroupSize, name } }) => {
    return `${adapterClass} with ${subgroups} subgroups of ${subgroupSize} (${name})`;
  });
  const wanted = targets.map(({ name, subgroups, subgroupSize }) =>
    subgroups === "none" ? `${name}, without subgroups` : `${name}, with ${subgroups} subgroups of ${subgroupSize}`,
  );
  return [
    error("foreign-schedules", `the schedules are for ${measured.join(" and ")}`, undefined, "", [
      `what is compiled is for ${wanted.join(" and ")}`,
      "`bitloom tune` makes a table for the adapter at hand; without `--schedules` the shipped ones apply",
    ]),
  ];
}

/** Points of the curve between memory and time. */
const curvePoints = 6;

function planTarget(
  module: Module,
  target: Target,
  { schedules = shippedSchedules, memory, recompute }: PlanOptions,
): Report<{ readonly plan: PlacedPlan; readonly trade: () => MemoryTrade }> {
  let stage = "to-plan";
  try {
    const { value: whole, diagnostics } = toPlan(module, { target, choose: schedules.choose, codeCosts });
    if (whole === undefined) return { diagnostics };
    stage = "rematerialize";
    const selected = rematerialize(whole);
    stage = "plan-memory";
    const fitter = new MemoryFitter(whole, module, dispatchCost(target));
    const isFitted = recompute === "auto" && memory !== undefined && selected === whole;
    const plan = isFitted ? fitter.within(memory) : selected === whole ? fitter.plain : planMemory(selected, module);
    verifyPlan(plan);
    const trade = () => ({ curve: fitter.curve(curvePoints).map((point) => fitter.tradeOff(point)), chosen: fitter.tradeOff(plan) });
    return { value: { plan, trade }, diagnostics };
  } catch (problem) {
    throw new CompilerCrash(stage, module, "", problem);
  }
}

/** Everything to compile for. */
export const targetsOf = ({ targets = [], portable: isAdded }: TargetOptions): readonly Target[] =>
  isAdded === false ? targets : [...targets, portable];

/** Bytes of the largest tensor that every target can bind. */
export const largestBinding = (targets: readonly Target[]): number =>
  Math.min(...targets.map(({ limits }) => Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)));

/** State lies at one place in every target, and slabs are cut where a binding gets too large: all targets cut like the smallest. */
function sharedLayout(targets: readonly Target[]): readonly Target[] {
  const maxStorageBufferBindingSize = Math.min(...targets.map(({ limits }) => limits.maxStorageBufferBindingSize));
  return targets.map((target) => ({ ...target, limits: { ...target.limits, maxStorageBufferBindingSize } }));
}
