// A family, or a frame of a family, without neighbours must not compile.
import type { NeighboursByFamily } from "../../compiler/codegen/neighbours.ts";
import { neighboursAmong } from "../../compiler/codegen/schedule-steps.ts";
import type { Schedule } from "../../ir/plan.ts";

const none = () => [];

export const all: NeighboursByFamily = { pointwise: none, reduce: none, dot: none, rows: none, attention: none };

// @ts-expect-error: attention has none.
export const lacking: NeighboursByFamily = { pointwise: none, reduce: none, dot: none, rows: none };

type Attention = Extract<Schedule, { kind: "attention" }>;
const broadcast = { start: { kind: "attention", frame: "broadcast", rows: 2 } as const, steps: () => [] };
const plain = { start: { kind: "attention", frame: "plain", workgroup: 8 } as const, steps: () => [] };

export const both = neighboursAmong<Attention>({ broadcast, plain });

// @ts-expect-error: the frame `plain` is missing.
export const one = neighboursAmong<Attention>({ broadcast });

// @ts-expect-error: a frame begins in itself.
export const crossed = neighboursAmong<Attention>({ broadcast, plain: broadcast });
