// The memory budget: a plan that needs more is refused before anything is allocated, with what is large in it.
import { printBytes } from "../../ir/byte-size.ts";
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import type { PlacedPlan } from "../../ir/plan.ts";
import { type BufferSummary, summarizePlan } from "./plan-summary.ts";

const named = 4;

/** Why a plan does not fit the budget: state and arena, and the largest of the buffers that live at the fullest moment. */
export function overBudget(plan: PlacedPlan, budget: number, recompute?: "auto"): Diagnostic | undefined {
  const { peakBytes, target, buffers } = summarizePlan(plan);
  if (peakBytes <= budget) return undefined;
  const { state, arena } = bytesByUse(plan);
  const full = fullestMoment(buffers);
  // A result in the place of its operand is one thing with it.
  const live = [...new Map(buffers.filter((b) => isLive(b, full)).map((b) => [`${b.slab} ${b.offset}`, b])).values()].slice(0, named);
  const lines = [
    `state and constants take ${printBytes(state)}, what a run computes ${printBytes(arena)}`,
    ...(recompute === "auto" ? ["that is the least that recomputation (`remat auto`) leads to"] : []),
    ...(state > budget ? ["state alone is more than that: only a smaller model fits"] : []),
    ...(live.length === 0 ? [] : [`the largest buffers at the fullest moment: ${live.map(describe).join(", ")}`]),
  ];
  const message = `the plan for ${target} needs ${printBytes(peakBytes)}, the budget is ${printBytes(budget)}`;
  return error("memory-budget", message, undefined, "", lines);
}

/** Bytes of what outlives a run (state, constants, host scalars), and of what is made and lost within one. */
export function bytesByUse({ memory }: PlacedPlan): { readonly state: number; readonly arena: number } {
  const arena = memory.slabs.filter(({ name }) => name.startsWith("arena.")).reduce((sum, { bytes }) => sum + bytes, 0);
  return { state: memory.peakBytes - arena, arena };
}

function describe({ entry, name, type, bytes, instance }: BufferSummary): string {
  return `\`${name}\` ${type} ${printBytes(bytes)}${instance === undefined ? ` in @${entry}` : ` of \`${instance}\``}`;
}

interface Moment {
  readonly entry: string;
  readonly dispatch: number;
}

const inArena = ({ role }: BufferSummary): boolean => role === "temporary" || role === "gradient";
const isLive = (b: BufferSummary, { entry, dispatch }: Moment): boolean =>
  inArena(b) && b.entry === entry && b.from <= dispatch && dispatch <= b.to;

/** The dispatch at which most bytes of the arena matter. */
function fullestMoment(buffers: readonly BufferSummary[]): Moment {
  const changes = buffers.filter(inArena).flatMap(({ entry, bytes, from, to }) => [
    { entry, dispatch: from, bytes },
    { entry, dispatch: to + 1, bytes: -bytes },
  ]);
  changes.sort((a, b) => (a.entry === b.entry ? a.dispatch - b.dispatch || a.bytes - b.bytes : a.entry < b.entry ? -1 : 1));
  let found: Moment = { entry: "", dispatch: 0 };
  let [live, most] = [0, 0];
  for (const { entry, dispatch, bytes } of changes) {
    live += bytes;
    if (live <= most) continue;
    most = live;
    found = { entry, dispatch };
  }
  return found;
}
