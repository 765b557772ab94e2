// A compiled model on its way through a folder: it does there what it did in memory, and picks the target that the adapter can run.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { targetFor } from "../../compiler/driver/targets.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { artifactHash, readArtifact, writeArtifact } from "../../runtime/artifact-folder.ts";
import { Batches } from "../../runtime/data/batches.ts";
import type { Device } from "../../runtime/device.ts";
import { type Outputs, Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { compileDigits, openDigits, smallModel, stateBytes } from "../support/digits.ts";

const parent = mkdtempSync(join(tmpdir(), "bitloom-artifacts-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** Through a folder and back. */
async function throughDisk(artifact: CompiledArtifact, name: string): Promise<CompiledArtifact> {
  await writeArtifact(artifact, join(parent, name));
  return readArtifact(join(parent, name));
}

interface Run {
  readonly target: string;
  readonly steps: readonly Outputs[];
  readonly evaluation: Outputs;
  readonly state: Readonly<Record<string, string>>;
}

/** Two steps, one evaluated batch, and the state that they leave. */
async function runOn(device: Device, artifact: CompiledArtifact): Promise<Run> {
  using session = await Session.open(artifact, device, { seed: 5 });
  const { entries, run } = artifact.manifest;
  const digits = await openDigits();
  const [training, heldOut] = [entries["train"]!, entries["eval"]!].map((entry) => new Batches(digits, run!.data, entry));
  const steps: Outputs[] = [];
  for (let step = 0; step < 2; step++) steps.push(await session.run("train", training!.training(5, step), { step }));
  const evaluation = await session.run("eval", heldOut!.heldOut(heldOut!.heldOutCount - 1));
  return { target: session.target.name, steps, evaluation, state: await stateBytes(session) };
}

describe.each(await availableAdapters())("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test("comes back as it was and computes the same bits", async () => {
    const artifact = compileDigits({ policy: "quest_w4a4", set: smallModel, targets: [await targetOn(await device)] });
    const back = await throughDisk(artifact, `${adapter.name}-own`);
    expect(back).toEqual(artifact);
    expect(artifactHash(back)).toBe(artifactHash(artifact));
    const run = await runOn(await device, back);
    expect(run).toEqual(await runOn(await device, artifact));
    expect(run.steps.map(({ ok }) => ok)).toEqual([Uint32Array.of(1), Uint32Array.of(1)]);
    // 2,000 held-out digits: 16 in the last batch of 64, the others are padding.
    expect(run.evaluation["targets"]).toEqual(Int32Array.of(16));
  });

  test("picks the portable target where the other is for another adapter; that one asks for nothing and runs where nothing is", async () => {
    const { adapter: facts } = await device;
    const other = targetFor(facts, { path: "fixed", size: 2 * facts.subgroupMinSize });
    const compiled = compileDigits({ policy: "quest_w4a4", set: smallModel, targets: [other], portable: true });
    const artifact = await throughDisk(compiled, `${adapter.name}-other`);
    const [first, portable] = artifact.manifest.targets;
    expect(first!.requires).toMatchObject({ subgroups: "fixed", subgroupSize: 2 * facts.subgroupMinSize });
    expect(portable).toMatchObject({ name: "portable", requires: { features: [], limits: {} } });
    const run = await runOn(await device, artifact);
    expect(run.target).toBe("portable");

    const alone = compileDigits({ policy: "quest_w4a4", set: smallModel, targets: [], portable: true });
    expect(alone.manifest.targets).toEqual([portable]);
    using bare = await adapter.open({ withoutFeatures: facts.features });
    expect(bare.adapter.features).toEqual([]);
    expect(await runOn(bare, alone)).toEqual(run);
  });
});
