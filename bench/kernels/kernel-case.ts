// A kernel that is measured: what it computes, and what its rate is counted in.
import type { KernelText } from "./kernel-text.ts";

/** Measured together, in turns; ratios refer to the fastest of those that are bases. */
export interface KernelGroup {
  readonly name: string;
  /** What makes one faster than another: operations of contractions, bytes of everything that only moves data. */
  readonly unit: "gflops" | "gbytesPerSecond";
  readonly cases: readonly KernelCase[];
  /** The hand-written copy belongs to this group, as what bytes a second are judged by: over this many f32 elements. */
  readonly yardstick?: number;
}

export interface KernelCase {
  readonly name: string;
  readonly text: KernelText;
  /** Floating-point operations of one run; default: as the plan counts them. */
  readonly flops?: number;
  /** Of those whose least median is what the group's ratios refer to. */
  readonly isBase?: true;
}
