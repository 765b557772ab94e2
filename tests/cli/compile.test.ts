// `bitloom compile`: an artifact on disk does what the compiler's own does in memory, on its own target and on the portable one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSource } from "../../cli/files.ts";
import { targetOf } from "../../cli/target.ts";
import { type CompiledArtifact, compile, unwrap } from "../../compiler/index.ts";
import { Device, readArtifact, Session, train } from "../../runtime/index.ts";
import { cli } from "./run-cli.ts";

let folder = "";
let device: Device;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-compile-"));
  device = await Device.open({ adapter: "swiftshader" });
});
afterAll(() => {
  device.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const digits = ["compile", "models/mlp.loom", "digits", "--policy", "float"] as const;

async function losses(artifact: CompiledArtifact, target?: string): Promise<readonly number[]> {
  using session = await Session.open(artifact, device, { seed: 3, ...(target === undefined ? {} : { target }) });
  const seen: number[] = [];
  await train(session, { seed: 3, steps: 4, progress: { stepped: ({ loss }) => seen.push(loss) } });
  return seen;
}

describe("an artifact for this adapter", () => {
  test("has its target first and the portable one last", async () => {
    const { code, out } = await cli(...digits, "--adapter", "swiftshader", "-o", join(folder, "both"), "--json");
    expect(code).toBe(0);
    const { targets } = JSON.parse(out);
    expect(targets.map(({ name }: { readonly name: string }) => name)).toEqual(["swiftshader-sg4", "portable"]);
    expect(targets[0].dispatches.train).toBeGreaterThan(5);
  });

  test("leaves entries out whose sizes are not bound, with a warning", async () => {
    const { code, err } = await cli(...digits, "--portable", "-o", join(folder, "unbound"));
    expect(code).toBe(0);
    expect(err).toContain("warning[unbound-dimension]: @logits is left out, since `B` has no size\nhelp: bind it: `--set B=1`");
    const bound = await cli(...digits, "--portable", "-o", join(folder, "bound"), "--set", "B=1", "--json");
    expect(Object.keys(JSON.parse(bound.out).targets[0].dispatches)).toContain("logits");
  });

  test("trains from disk to the bit as from memory", async () => {
    const source = await readSource("models/mlp.loom");
    const entries = (name: string) => name === "train" || name === "eval";
    const inMemory = unwrap(
      compile(source, { recipe: "digits", policy: "float", targets: [await targetOf(device)], portable: false, entries }),
    );
    const fromDisk = await losses(await readArtifact(join(folder, "both")));
    expect(fromDisk).toHaveLength(4);
    expect(fromDisk).toEqual(await losses(inMemory));
  });

  test("trains on its portable target to the same losses", async () => {
    const artifact = await readArtifact(join(folder, "both"));
    const best = await losses(artifact);
    const portable = await losses(artifact, "portable");
    for (const [i, loss] of portable.entries()) expect(Math.abs(loss / best[i]! - 1)).toBeLessThan(1e-5);
  });
});

test("IR compiles too, from a dump", async () => {
  await cli("ir", "models/mlp.loom", "digits", "--policy", "float", "--dump", join(folder, "dump"));
  const { code, out } = await cli(
    "compile",
    join(folder, "dump", "00-lower.loomir"),
    "--portable",
    "-o",
    join(folder, "from-ir"),
    "--json",
  );
  expect(code).toBe(0);
  expect(Object.keys(JSON.parse(out).targets[0].dispatches)).toEqual(["train", "eval"]);
});
