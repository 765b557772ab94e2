// What a dispatch costs, as an estimate: for weighing one plan against another before anything runs, never for claims about speed.
import { flopsOf } from "../../ir/flops.ts";
import type { Family, Problem, Target } from "../../ir/plan.ts";
import { codesOf } from "./dot-codes.ts";
import { codeCosts } from "./schedules.ts";

/** What a family reaches on large problems. Time is that of its operations, that of its bytes, and that of a launch. */
interface FamilySpeed {
  /** Floating-point operations as `flopsOf` counts them, in 10^9 a second. */
  readonly gflops: number;
  /** Bytes of all bindings, in 10^9 a second. */
  readonly gigabytes: number;
}

interface AdapterSpeed {
  readonly launchMicroseconds: number;
  readonly families: { readonly [F in Family]: FamilySpeed };
}

/**
 * lavapipe and SwiftShader: fitted by eye to each kernel of a training step of `tiny` and `demo` (two cores), run 30 times in a row; most
 * are within a factor of 1.5. Those of a GPU are textbook figures of a small one: what matters is that bytes are dear there.
 */
const speeds: Readonly<Record<string, AdapterSpeed>> = {
  lavapipe: {
    launchMicroseconds: 12,
    families: {
      pointwise: { gflops: 20, gigabytes: 4 },
      reduce: { gflops: 20, gigabytes: 7 },
      dot: { gflops: 35, gigabytes: 15 },
      rows: { gflops: 20, gigabytes: 3 },
      attention: { gflops: 12, gigabytes: 15 },
    },
  },
  swiftshader: {
    launchMicroseconds: 9,
    families: {
      pointwise: { gflops: 2, gigabytes: 1.2 },
      reduce: { gflops: 2, gigabytes: 1.2 },
      dot: { gflops: 2.7, gigabytes: 4 },
      rows: { gflops: 1.2, gigabytes: 0.4 },
      attention: { gflops: 3.5, gigabytes: 4 },
    },
  },
  gpu: {
    launchMicroseconds: 5,
    families: {
      pointwise: { gflops: 1000, gigabytes: 200 },
      reduce: { gflops: 1000, gigabytes: 200 },
      dot: { gflops: 3000, gigabytes: 200 },
      rows: { gflops: 500, gigabytes: 150 },
      attention: { gflops: 1000, gigabytes: 200 },
    },
  },
};

/** Microseconds that a dispatch takes on a target, by what it computes and how many bytes its bindings have. */
export function dispatchCost(target: Target): (problem: Problem, boundBytes: number) => number {
  const { launchMicroseconds, families } = speeds[target.adapterClass] ?? speeds["gpu"] ?? missing();
  const known = new Map<Problem, number>();
  return (problem, boundBytes) => {
    const { gflops, gigabytes } = families[problem.kind];
    const cost = known.get(problem) ?? (flopsOf(problem) * productCost(problem, target)) / (gflops * 1e3);
    known.set(problem, cost);
    return launchMicroseconds + cost + boundBytes / (gigabytes * 1e3);
  };
}

/** Of codes that are multiplied as integers, in products of floats. */
function productCost(problem: Problem, target: Target): number {
  if (problem.kind !== "dot" || problem.a.element.type !== "i32") return 1;
  const codes = codesOf(problem);
  if (typeof codes === "string") return 1;
  return codeCosts(target).product(codes.kind, codes.a.storage.bits, codes.b.storage.bits);
}

function missing(): never {
  throw new Error("no speeds of an adapter in general");
}
