// Which inner loop a contraction takes: what its elements are decides.
import type { CodeDepth, DotProblem } from "../../ir/plan.ts";
import { BytesLoop } from "./dot-bytes.ts";
import { codesOf } from "./dot-codes.ts";
import { FloatsLoop } from "./dot-floats.ts";
import type { InnerLoop } from "./dot-inner.ts";
import type { Batch } from "./dot-operands.ts";
import { PlanesLoop } from "./dot-planes.ts";
import type { Emitter } from "./emitter.ts";

/** Why no inner loop takes the elements of a contraction, or not at this depth; undefined where one does. */
export function refuseElements(problem: DotProblem, depth: CodeDepth | undefined): string | undefined {
  const { a, b } = problem;
  if (a.element.type === "f32" && b.element.type === "f32") return depth === undefined ? undefined : "a depth is for codes";
  if (a.element.type !== "i32" || b.element.type !== "i32") return "a contraction takes floats on both sides, or integers";
  const codes = codesOf(problem);
  if (typeof codes === "string") return codes;
  if (depth === undefined) return "codes need a depth";
  const [narrow, wide] = [codes.a.storage, codes.b.storage].sort((x, y) => x.bits - y.bits);
  // Rows are padded to four words; a step takes twice as many of a wide side as of a narrow one.
  const isMixed = codes.kind === "bytes" && narrow?.bits !== wide?.bits;
  return isMixed && depth === 4 && (wide?.pitch ?? 0) % 8 !== 0
    ? "rows of bytes end within a step of four words of narrower codes"
    : undefined;
}

/** `depth`: words of codes a step; `sums`: rows of sums; `own`: rows of side a that a lane loads. */
export function innerLoop(
  emitter: Emitter,
  problem: DotProblem,
  batch: Batch,
  { depth = 4, sums, own }: { readonly depth?: CodeDepth | undefined; readonly sums: number; readonly own: number },
): InnerLoop {
  if (problem.a.element.type === "f32") return new FloatsLoop(emitter, problem, batch, sums);
  const codes = codesOf(problem);
  if (typeof codes === "string") throw new Error(codes);
  switch (codes.kind) {
    case "planes":
      return new PlanesLoop(emitter, problem, codes, batch, { depth, sums });
    case "bytes":
      return new BytesLoop(emitter, problem, codes, batch, { depth, sums, own });
    default:
      return codes.kind satisfies never;
  }
}
