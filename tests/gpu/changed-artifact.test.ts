// An artifact whose manifest was changed, and still passes all checks, opens and runs, or is refused by a diagnostic.
import { expect, test } from "vitest";
import type { ArtifactManifest } from "../../ir/artifact.ts";
import { Rejection } from "../../ir/diagnostic.ts";
import { checkManifest } from "../../runtime/artifact-check.ts";
import { Session } from "../../runtime/session.ts";
import { replaced } from "../fuzz/replace.ts";
import { onlyDiagnostics } from "../fuzz/support.ts";
import { availableAdapters } from "../support/adapters.ts";
import { batchSize, lineArtifact } from "../support/line-artifact.ts";

function accepted(): readonly ArtifactManifest[] {
  const { manifest, files } = lineArtifact();
  const whole = JSON.parse(JSON.stringify(manifest));
  const found: ArtifactManifest[] = [];
  for (const changed of replaced(whole)) {
    try {
      const checked = checkManifest(changed);
      // Other kernels, sizes and places of a dispatch are another program, which may run for long.
      const isSameProgram =
        JSON.stringify(checked.targets.map((t) => [t.dispatches, t.kernels])) ===
        JSON.stringify(manifest.targets.map((t) => [t.dispatches, t.kernels]));
      if (isSameProgram && checked.targets.every((t) => t.kernels.every(({ file }) => files.has(file)))) found.push(checked);
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem;
    }
  }
  return found;
}

test("changed manifests that pass all checks", async () => {
  const manifests = accepted();
  expect(manifests.length).toBeGreaterThan(100);
  const [adapter] = await availableAdapters();
  if (adapter === undefined) throw new Error("no adapter");
  using device = await adapter.open();
  let ran = 0;
  for (const manifest of manifests) {
    await onlyDiagnostics(async () => {
      using session = await Session.open({ ...lineArtifact(), manifest }, device);
      await session.run("train", { x: new Float32Array(4 * batchSize), label: new Int32Array(batchSize) });
      await session.readState("w");
      ran++;
    });
  }
  expect(ran).toBeGreaterThan(50);
}, 120_000);
