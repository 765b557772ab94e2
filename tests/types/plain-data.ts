// Data between stages is readonly, and unions are closed.
import type { ArtifactManifest } from "../../ir/artifact.ts";
import type { Module } from "../../ir/module.ts";
import type { Problem, Schedule } from "../../ir/plan.ts";

export function changes(module: Module, manifest: ArtifactManifest): void {
  // @ts-expect-error: a pass answers a new module.
  module.form = "primitive";
  // @ts-expect-error: a list of a module cannot grow.
  module.entries.push();
  // @ts-expect-error: an artifact is what was compiled.
  manifest.targets = [];
}

// @ts-expect-error: a schedule belongs to a family.
export const strange: Schedule = { kind: "convolution", lanes: 4 };

export function everyKind(problem: Problem): number {
  switch (problem.kind) {
    case "pointwise":
    case "reduce":
    case "dot":
      return 1;
    default:
      // @ts-expect-error: `rows` was forgotten.
      return problem satisfies never;
  }
}
