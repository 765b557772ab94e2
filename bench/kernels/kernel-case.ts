// A kernel that is measured: what it computes, and what its rate is counted in.
import type { KernelText } from "./kernel-text.ts";

/** Measured together, in turns. Ratios refer to the fastest of those that are bases. */
export interface KernelGroup {
  readonly name: string;
  readonly cases: readonly KernelCase[];
  /** Where bytes are what counts: the hand-written copy runs beside them, over this many f32 elements, and shares are of its rate. */
  readonly yardstick?: number;
}

export interface KernelCase {
  readonly name: string;
  /** Its rate is a share of the best of this kind in the session, at whatever size that was. */
  readonly kind: string;
  readonly text: KernelText;
  /** Floating-point operations of one run; default: as the plan counts them. */
  readonly flops?: number;
  /** Of those whose least median is what the group's ratios refer to. */
  readonly isBase?: true;
}
