// `bitloom train` on a disk that fills up, and on one that can only be read: said plainly, and nothing is lost.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { latestCheckpoint } from "../../runtime/checkpoint-history.ts";
import { SavedState } from "../../runtime/checkpoint-state.ts";
import { cli, projectRoot } from "../cli/run-cli.ts";
import { checkpointBytes, checkpointPath, checkpointSteps, metricsOf } from "../support/runs.ts";

// Several processes one after the other, each of which compiles its kernels.
vi.setConfig({ testTimeout: 240_000 });

const parent = mkdtempSync(join(tmpdir(), "bitloom-disk-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

// SwiftShader comes with npm, so it is everywhere. A checkpoint of this model takes about 160 KiB.
const settings = ["model.hidden=16", "checkpoint.every=4", "eval.every=10"].flatMap((setting) => ["--set", setting]);
const command = ["train", "models/mlp.loom", "digits", "--adapter", "swiftshader", ...settings];

/** Run a shell's script, in which `$bitloom ARGUMENTS` is the command line; temporary files go to a folder of their own. */
function shell(script: string, wrapper: readonly string[] = []) {
  const temporary = join(parent, `tmp-${readdirSync(parent).length}`);
  mkdirSync(temporary);
  const [program = "sh", ...args] = [...wrapper, "sh", "-c", script];
  const environment = { ...process.env, NO_COLOR: "1", TMPDIR: temporary, bitloom: `${process.execPath} cli/main.ts ${command.join(" ")}` };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: projectRoot, env: environment, encoding: "utf8" });
  return { code: status, out: stdout, err: stderr, temporary };
}

/** A namespace in which small file systems can be mounted, where the system lets us. */
const namespace = ["unshare", "--user", "--map-root-user", "--mount"];
const canMount = shell("mount -t tmpfs -o size=100k none /mnt", namespace).code === 0;
if (!canMount) process.stderr.write("tests of a full disk SKIPPED: this system lets nobody mount a small file system\n");

describe.runIf(canMount)("a small file system", () => {
  const disk = join(parent, "disk");
  mkdirSync(disk);

  test("that fills up: earlier checkpoints stay whole, the run goes on, and its end is saved elsewhere", async () => {
    const seen = join(parent, "seen");
    const { code, out, err, temporary } = shell(
      `mount -t tmpfs -o size=600k none ${disk}; $bitloom --out ${disk}/run --steps 22; code=$?; cp -r ${disk}/run ${seen}; exit $code`,
      namespace,
    );
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err).toContain("warning[not-saved]: the checkpoint of step 16 could not be written: ENOSPC: no space left on device");
    expect(err).toContain("help: the disk is full: free some space, or name a folder on another disk");
    expect(err).toContain("error[not-saved]: the checkpoint of step 22 could not be written: ENOSPC");
    expect(err).not.toMatch(/^ +at /m);
    expect(checkpointSteps(seen)).toEqual([4, 8, 12]);
    expect(latestCheckpoint(seen)).toBe(checkpointPath(seen, 12));
    for (const step of [4, 8, 12]) expect(await SavedState.damageOf(checkpointPath(seen, step))).toBeUndefined();

    const [rescued] = readdirSync(temporary);
    const saved = join(temporary, rescued!);
    expect(err).toContain(`help: the run was saved in ${saved} instead`);
    const whole = join(parent, "whole");
    expect((await cli(...command, "--out", whole, "--steps", "24")).code).toBe(0);
    // What was saved elsewhere goes on, as does what is on the full disk once there is room.
    for (const run of [saved, seen]) {
      expect((await cli(...command, "--out", run, "--steps", "24", "--resume")).code).toBe(0);
      expect(checkpointBytes(run, 24)).toEqual(checkpointBytes(whole, 24));
      expect(metricsOf(run)).toEqual(metricsOf(whole));
    }
  });

  test("that has no room for temporary files either: said so, and earlier checkpoints stay whole", async () => {
    const seen = join(parent, "seen-full");
    const { code, err } = shell(
      `mount -t tmpfs -o size=300k none ${disk}; TMPDIR=${disk} $bitloom --out ${disk}/run --steps 6; code=$?; cp -r ${disk}/run ${seen}; exit $code`,
      namespace,
    );
    expect(code).toBe(1);
    expect(err).toContain("error[not-saved]: the checkpoint of step 6 could not be written: ENOSPC");
    expect(err).toContain("help: it could not be saved in a folder for temporary files either (ENOSPC");
    expect(err).toMatch(/help: the checkpoint before is .*step-000004/);
    expect(readdirSync(join(seen, "checkpoints"))).toEqual(["step-000004"]);
    expect(await SavedState.damageOf(checkpointPath(seen, 4))).toBeUndefined();
  });

  test("that can only be read", () => {
    const { code, out, err } = shell(
      `mount -t tmpfs none ${disk}; mount -o remount,ro ${disk}; $bitloom --out ${disk}/run --steps 4`,
      namespace,
    );
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("error[file-system]: EROFS: read-only file system");
    expect(err).toContain("help: this file system can only be read: name another folder");
    expect(err).not.toMatch(/^ +at /m);
  });

  test("that fills up in the middle of a line: metrics wait until there is room again", () => {
    const script = join(parent, "fill.ts");
    writeFileSync(
      script,
      `import { rmSync, writeFileSync } from "node:fs";
import { MetricsLog } from "${projectRoot}/runtime/metrics.ts";
const log = await MetricsLog.open("${disk}/m.jsonl", "${disk}/m.jsonl", () => true);
try { writeFileSync("${disk}/filler", new Uint8Array(2 ** 20)); } catch {}
for (let step = 1; step <= 100; step++) log.write({ step, text: "x".repeat(100) });
try { log.sync(); } catch (problem) { console.log(problem.code); }
rmSync("${disk}/filler");
log.write({ step: 101 });
log.sync();
log.close();
const again = await MetricsLog.open("${disk}/m.jsonl", "${disk}/m.jsonl", ({ step }) => step > 50);
console.log(again.text().trim().split("\\n").map((line) => JSON.parse(line).step).join());
`,
    );
    const { out, err } = shell(`mount -t tmpfs -o size=40k none ${disk}; ${process.execPath} ${script}`, namespace);
    const kept = Array.from({ length: 51 }, (_, i) => i + 51);
    expect({ out, err }).toEqual({ out: `ENOSPC\n${kept}\n`, err: "" });
  });
});
