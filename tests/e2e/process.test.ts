// `bitloom train` as a process of its own: interrupted and resumed to the bit, and words and exit codes where something is wrong.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { targetOf } from "../../cli/target.ts";
import { Device } from "../../runtime/device.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import { startCli } from "../cli/run-cli.ts";
import { compileDigits, mlpSource, openDigits, smallModel } from "../support/digits.ts";

const parent = mkdtempSync(join(tmpdir(), "bitloom-process-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

// SwiftShader comes with npm, so it is everywhere.
const swiftshader = ["--adapter", "swiftshader"];
const small = smallModel.flatMap((setting) => ["--set", setting]);
const checkpoint = (run: string, step: number) => join(run, "checkpoints", `step-${String(step).padStart(6, "0")}`);

describe("Ctrl-C and --resume", () => {
  test("give the bits of a run without a stop, in another process", async () => {
    const run = join(parent, "stopped");
    const command = ["train", "models/mlp.loom", "digits", ...swiftshader, ...small, "--seed", "11", "--out", run];
    const { child, said } = startCli([...command, "--steps", "1000"]);
    child.stderr?.on("data", (chunk: Buffer) => {
      if (/^step +1\/1000 /m.test(String(chunk))) child.kill("SIGINT");
    });
    const stopped = await said;
    expect(stopped.code).toBe(0);
    const [, at = "", saved = ""] = /^stopped after step (\d+); saved (.*)$/m.exec(stopped.out) ?? [];
    const [stop, steps] = [Number(at), Number(at) + 10];
    expect(stop).toBeLessThan(900);
    expect(saved).toBe(checkpoint(run, stop));
    expect(readFileSync(join(run, "latest"), "utf8").trim()).toBe(join("checkpoints", `step-${at.padStart(6, "0")}`));

    const resumed = await startCli([...command, "--steps", String(steps), "--resume", "--json"]).said;
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.out)).toMatchObject({ ended: "finished", step: steps, skipped: 0, checkpoint: checkpoint(run, steps) });

    using device = await Device.open({ adapter: "swiftshader" });
    const artifact = compileDigits({ policy: "quest_w4a4", set: smallModel, targets: [await targetOf(device)] });
    using session = await Session.open(artifact, device, { seed: 11 });
    const whole = join(parent, "whole");
    await train(session, { folder: whole, seed: 11, steps, dataset: await openDigits() });
    for (const file of ["model.safetensors", "optimizer.safetensors", "state.json"]) {
      const [resumedFile, wholeFile] = [run, whole].map((of) => readFileSync(join(checkpoint(of, steps), file)));
      expect(resumedFile!.equals(wholeFile!), file).toBe(true);
    }
    const logged = (of: string) => {
      const lines = readFileSync(join(of, "metrics.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      return lines.map(({ step, loss, val_loss, val_accuracy }) => ({ step, loss, val_loss, val_accuracy }));
    };
    expect(logged(run)).toEqual(logged(whole));
    expect(readdirSync(run).sort()).toEqual(["checkpoints", "config.resolved.json", "latest", "metrics.jsonl"]);
  });

  test("a terminal that is closed stops the run as Ctrl-C does, and one that reads no more does not stop it", async () => {
    const command = ["train", "models/mlp.loom", "digits", ...swiftshader, ...small];
    const closed = join(parent, "closed");
    const hungUp = startCli([...command, "--out", closed, "--steps", "1000"]);
    hungUp.child.stderr?.on("data", (chunk: Buffer) => {
      if (!/^step +1\/1000 /m.test(String(chunk))) return;
      hungUp.child.stderr?.destroy();
      hungUp.child.kill("SIGHUP");
    });
    const { code, out } = await hungUp.said;
    expect(code).toBe(0);
    expect(out).toMatch(/^stopped after step \d+; saved /);

    const deaf = join(parent, "deaf");
    const { child, said } = startCli([...command, "--out", deaf, "--steps", "60"]);
    child.stderr?.once("data", () => {
      child.stderr?.destroy();
      child.stdout?.destroy();
    });
    expect((await said).code).toBe(0);
    expect(readFileSync(join(deaf, "latest"), "utf8").trim()).toBe(join("checkpoints", "step-000060"));
  });

  test("pressed twice end the process at once", async () => {
    const run = join(parent, "twice");
    // Steps of this size take so long that the second signal comes before the first one has been served.
    const { child, said } = startCli(["train", "models/mlp.loom", "digits", ...swiftshader, "--set", "model.hidden=1024", "--out", run]);
    child.stderr?.on("data", (chunk: Buffer) => {
      if (/^(step +1\/|stopping after this step)/m.test(String(chunk))) child.kill("SIGINT");
    });
    const { code, signal, out, err } = await said;
    expect({ code, signal, out }).toEqual({ code: null, signal: "SIGINT", out: "" });
    expect(err).toContain("stopping after this step; Ctrl-C again to quit at once");
  });
});

describe("wrong input ends with exit code 1 and no stack", () => {
  const misspelt = join(parent, "misspelt.loom");
  writeFileSync(misspelt, mlpSource().text.replace("|> fc2 |>", "|> fc4 |>").replace("peak = 2e-3", "peek = 2e-3"));
  const file = join(parent, "file");
  writeFileSync(file, "");
  const digits = ["train", "models/mlp.loom", "digits", ...swiftshader];

  test.concurrent.each<[string, readonly string[], readonly (string | RegExp)[]]>([
    ["a file that is not there", ["train", "models/mpl.loom", "digits"], ["error[unknown-file]", "help: did you mean `models/mlp.loom`?"]],
    [
      "two mistakes in a file",
      ["train", misspelt, "digits", ...swiftshader],
      [`--> ${misspelt}:12:37`, "`fc4`", `--> ${misspelt}:49:28`, "help: did you mean `peak`?"],
    ],
    [
      "a recipe that is not there",
      ["train", "models/mlp.loom", "digit", ...swiftshader],
      ["error[unknown-recipe]", "help: did you mean `digits`?"],
    ],
    ["a policy that is not there", [...digits, "--policy", "quest_w4a5"], ["--> --policy:1:1", "help: did you mean `quest_w4a4`?"]],
    ["a width that no quantizer has", [...digits, "--policy", "quest(w = 9, a = 4)"], ["--> --policy:1:11", "--> models/mlp.loom:20:16"]],
    [
      "a setting that does not fit",
      [...digits, "--set", "model.hidden=wide"],
      ["error[type-mismatch]", "--> --set:1:14", "--> models/mlp.loom:5:31"],
    ],
    [
      "a file where a folder should be",
      [...digits, ...small, "--out", file],
      ["error[file-system]", file, "help: a file stands where a folder is needed"],
    ],
  ])("%s", async (_, args, expected) => {
    const { code, out, err } = await startCli(args).said;
    expect({ code, out }).toEqual({ code: 1, out: "" });
    for (const text of expected)
      expect(err).toEqual(typeof text === "string" ? expect.stringContaining(text) : expect.stringMatching(text));
    expect(err).not.toMatch(/^ +at /m);
    expect(err).not.toContain("bug");
  });

  test.concurrent.each([["a number that is none", [...digits, "--steps", "ten"], "It must be a whole number, at least 1."]])(
    "usage, exit code 2: %s",
    async (_, args, expected) => {
      const { code, out, err } = await startCli(args).said;
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toContain("error[usage]");
      expect(err).toContain(expected);
      expect(err).not.toMatch(/^ +at /m);
    },
  );
});
