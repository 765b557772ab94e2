// Beginning a run with given weights: what is taken by name, from which files, and what is said where it does not fit.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { giveWeights } from "../../runtime/given-weights.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import { decodeWeights, encodeWeights, type SavedTensor } from "../../runtime/weights.ts";
import { cli } from "../cli/run-cli.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { compileDigits, openDigits, stateBytes } from "../support/digits.ts";
import { metricsOf } from "../support/runs.ts";

vi.setConfig({ testTimeout: 180_000 });

const parent = mkdtempSync(join(tmpdir(), "bitloom-given-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

// What is tested here does not depend on the adapter.
const [adapter] = await availableAdapters();
const device = await adapter!.open();
afterAll(() => device.dispose());

const set = ["model.hidden=32", "schedule.steps=60", "schedule.warmup=6", "checkpoint.every=30"];
const targets = [await targetOn(device)];
const open = (policy: string, more: readonly string[] = []) =>
  Session.open(compileDigits({ policy, set: [...set, ...more], targets }), device, { seed: 1 });

/** A run in float, whose checkpoints are the weights that others begin with. */
const run = join(parent, "float");
{
  using session = await open("float");
  await train(session, { folder: run, seed: 1, dataset: await openDigits() });
}
const checkpoint = join(run, "checkpoints/step-000060");
const file = join(checkpoint, "model.safetensors");
const saved = () => new Map(decodeWeights(readFileSync(file), file).tensors);
const write = (name: string, tensors: ReadonlyMap<string, SavedTensor>) => {
  const path = join(parent, `${name}.safetensors`);
  writeFileSync(path, encodeWeights({ tensors, metadata: {} }));
  return path;
};

test.each([
  ["a safetensors file", file],
  ["a checkpoint", checkpoint],
  ["a run folder", run],
])("%s gives every parameter, and moments stay zero", async (_, path) => {
  using session = await open("quest_w4a4");
  expect(await giveWeights(path, session)).toEqual([]);
  const bytes = await stateBytes(session);
  for (const [name, tensor] of saved()) expect(bytes[name], name).toBe(Buffer.from(tensor.bytes).toString("hex"));
  for (const [name, hex] of Object.entries(bytes)) if (name.includes("#")) expect(hex).toMatch(/^0*$/);
});

test("narrower floats are widened to the bit", async () => {
  const cases: readonly (readonly [SavedTensor["dtype"], ArrayBufferView, readonly number[]])[] = [
    ["BF16", Uint16Array.of(0x3fc0, 0xc2f6, 0x0001, 0x7f80), [1.5, -123, 9.183549615799121e-41, Number.POSITIVE_INFINITY]],
    ["F16", Uint16Array.of(0x3e00, 0xd7b0, 0x0001, 0xfc00, 0x3555), [1.5, -123, 2 ** -24, Number.NEGATIVE_INFINITY, 0.333251953125]],
    ["F64", Float64Array.of(0.1, -2), [Math.fround(0.1), -2]],
  ];
  for (const [dtype, values, expected] of cases) {
    const width = { BF16: 2, F16: 2, F64: 8 }[dtype as "F16"];
    const bytes = new Uint8Array(32 * width);
    bytes.set(new Uint8Array(values.buffer));
    using session = await open("float");
    await giveWeights(write(`narrow-${dtype}`, saved().set("fc1.shift", { dtype, shape: [32], bytes })), session);
    expect([...(await session.readState("fc1.shift"))].slice(0, expected.length)).toEqual(expected);
  }
});

test("what the model has no use for is left aside, with a warning", async () => {
  using session = await open("float");
  const more = write("more", saved().set("fc9.weight", saved().get("fc3.shift")!));
  expect((await giveWeights(more, session)).map(({ severity, message }) => ({ severity, message }))).toEqual([
    { severity: "warning", message: `${more} holds what the model has no use for: \`fc9.weight\`` },
  ]);
});

describe("weights that do not fit", () => {
  const lacking = () => {
    const tensors = saved();
    tensors.delete("fc2.shift");
    tensors.set("fc3.bias", tensors.get("fc3.shift")!);
    tensors.delete("fc3.shift");
    tensors.set("fc1.shift", { dtype: "I32", shape: [32], bytes: new Uint8Array(128) });
    tensors.set("fc2.weight", { dtype: "F32", shape: [16, 64], bytes: new Uint8Array(4096) });
    return write("lacking", tensors);
  };

  test("are named, all of them, and nothing is changed", async () => {
    using session = await open("float");
    const before = await stateBytes(session);
    const failed = String(await giveWeights(lacking(), session, { fresh: [] }).catch((problem: unknown) => problem));
    expect(failed).toContain("error[init-mismatch]:");
    for (const help of [
      "`fc1.shift` is I32 in the file, which is no kind of float",
      "`fc2.weight` is f32[32, 32] in the model and F32 [16, 64] in the file",
      "it has no `fc2.shift`: f32[32]",
      "it has no `fc3.shift`: f32[10]",
      "it holds what the model has no use for: `fc3.bias`",
      "`--fresh PATH` lets parameters begin with their initial values",
    ])
      expect(failed).toContain(`help: ${help}`);
    expect(await stateBytes(session)).toEqual(before);
  });

  test("may be left out by name", async () => {
    using session = await open("float");
    const before = await stateBytes(session);
    await giveWeights(lacking(), session, { fresh: ["fc1.shift", "fc2", "fc3.shift"] });
    const after = await stateBytes(session);
    const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
    expect(changed).toEqual(["fc1.weight", "fc3.weight"]);
    await expect(giveWeights(file, session, { fresh: ["fc"] })).rejects.toThrow("`--fresh fc` names no parameter of the model");
  });

  test("since there are none", async () => {
    using session = await open("float");
    await expect(giveWeights(join(parent, "none"), session)).rejects.toThrow("error[no-file]");
    mkdirSync(join(parent, "empty"));
    await expect(giveWeights(join(parent, "empty"), session)).rejects.toThrow("error[no-checkpoint]");
  });
});

describe("train --init", () => {
  const digits = [
    "train",
    "models/mlp.loom",
    "digits",
    "--adapter",
    "swiftshader",
    "--seed",
    "1",
    ...set.flatMap((each) => ["--set", each]),
  ];

  test("fine-tunes under another policy, from where the weights are; the same command with --resume goes on", async () => {
    const first = (of: string) => Number(metricsOf(of)[0]!["loss"]);
    const [tuned, anew] = [join(parent, "tuned"), join(parent, "anew")];
    const command = [...digits, "--policy", "quest_w4a4"];
    const { code, err } = await cli(...command, "--init", run, "--out", tuned, "--steps", "30");
    expect({ code, warned: err.includes("warning") }).toEqual({ code: 0, warned: false });
    await cli(...command, "--out", anew, "--steps", "1");
    expect(first(tuned)).toBeLessThan(0.6 * first(anew));
    expect(JSON.parse(readFileSync(join(tuned, "config.resolved.json"), "utf8"))).toMatchObject({ init: run, policy: "quest_w4a4" });
    expect((await cli(...command, "--init", run, "--out", tuned, "--resume")).code).toBe(0);
    const whole = join(parent, "tuned-whole");
    expect((await cli(...command, "--init", run, "--out", whole)).code).toBe(0);
    expect(metricsOf(tuned)).toEqual(metricsOf(whole));
  });

  test("refuses another model's weights before it trains", async () => {
    const out = join(parent, "refused");
    const { code, err } = await cli(...digits, "--set", "model.hidden=48", "--init", checkpoint, "--out", out);
    expect(code).toBe(1);
    expect(err).toContain("error[init-mismatch]");
    expect(err).toContain("help: `fc1.weight` is f32[48, 784] in the model and F32 [32, 784] in the file");
    const alone = await cli(...digits, "--fresh", "fc3", "--out", out);
    expect(alone.code).toBe(2);
    expect(alone.err).toContain("`--fresh` goes with `--init`");
  });
});
