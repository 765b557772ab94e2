// What made a step's loss or gradient not finite: the first such value, as the interpreter finds it too, named with its place in the model.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compileChecked, lowerSource, runPasses } from "../../compiler/index.ts";
import { printDiagnostic, unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { entryNamed, type Module } from "../../ir/module.ts";
import { contiguous } from "../../ir/tensor.ts";
import { checkedValues } from "../../passes/insert-finite-checks.ts";
import { Batches } from "../../runtime/data/batches.ts";
import type { Dataset } from "../../runtime/data/dataset.ts";
import { describeCause, findCause } from "../../runtime/non-finite.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import { cli } from "../cli/run-cli.ts";
import { availableAdapters } from "../support/adapters.ts";
import { inputTypes, targetOn } from "../support/backends.ts";
import { compileDigits, mlpSource, openDigits, smallModel, stateBytes } from "../support/digits.ts";
import { metricsOf } from "../support/runs.ts";
import { namedTensors, readState } from "../support/teacher-forced.ts";

const parent = mkdtempSync(join(tmpdir(), "bitloom-cause-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const options = { recipe: "digits", set: smallModel };

/** The training step as the checks see it. */
function stepOf(policy: string): Module {
  const { module } = unwrap(lowerSource(mlpSource(), { ...options, policy }));
  return unwrap(runPasses({ ...module, entries: module.entries.filter(({ name }) => name === "train") }, { until: "differentiated" }))
    .module;
}

/** Changes to an initialised session after which a step is not finite. */
const harms: Readonly<Record<string, (session: Session) => Promise<void>>> = {
  "a weight that is NaN": async (session) => {
    const weight = (await session.readState("fc2.weight")) as Float32Array;
    weight[77] = Number.NaN;
    session.writeState("fc2.weight", weight);
  },
  "weights whose products overflow": async (session) => {
    const weight = (await session.readState("fc1.weight")) as Float32Array;
    session.writeState("fc1.weight", weight.fill(3e38, 0, 784));
  },
  "weights whose products overflow in the last layer": async (session) => {
    for (const [name, factor] of [
      ["fc2.weight", 1e20],
      ["fc3.weight", 1e25],
    ] as const) {
      const weight = (await session.readState(name)) as Float32Array;
      session.writeState(
        name,
        weight.map((w) => w * factor),
      );
    }
  },
};

describe.each(await availableAdapters())("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  describe.each(["float", "quest_w4a4"])("%s", (policy) => {
    test.each(Object.keys(harms))("%s: the first value is the interpreter's", async (harm) => {
      const target = await targetOn(await device);
      const artifact = compileDigits({ policy, set: smallModel, targets: [target] });
      const checked = unwrap(compileChecked(mlpSource(), { ...options, policy, targets: [target], portable: false }));
      using session = await Session.open(artifact, await device, { seed: 3 });
      await harms[harm]!(session);
      const before = await stateBytes(session);
      const batches = new Batches(await openDigits(), artifact.manifest.run!.data, artifact.manifest.entries["train"]!);
      const batch = { ...batches.training(3, 0) };
      const { ok } = await session.run("train", batch, { step: 0 });
      expect(ok).toEqual(Uint32Array.of(0));

      const module = stepOf(policy);
      const { values } = evaluateEntry(module, "train", {
        precision: "f32",
        step: 0,
        state: await readState(session, module),
        inputs: namedTensors(inputTypes(module, "train"), batch),
        keepValues: true,
      });
      const first = checkedValues(entryNamed(module, "train")!).find(
        ({ value }) => !contiguous(values.get(value)!).every(Number.isFinite),
      )!;
      const cause = await findCause(session, checked, batch, batches.size, 0);
      expect(cause).toMatchObject({
        kind: harm.includes("is NaN") ? "state" : "op",
        check: { output: first.output, op: first.instruction.op.signature.name },
        count: expect.any(Number),
      });
      expect(await stateBytes(session), "looking changes nothing").toEqual(before);
      expect(printDiagnostic(describeCause(cause, 1))).toMatch(
        harm.includes("is NaN")
          ? /1 element of `fc2.weight` were not finite before it/
          : /is the first op whose result is not finite .*\n(help| +-->)/,
      );
    });
  });

  test("an example that is not finite is named, once in a row, and every row again", async () => {
    const digits = await openDigits();
    // Two of every six batches of an epoch hold it: the third and the fourth.
    const dataset: Dataset = {
      ...digits,
      count: (split) => (split === "training" ? 6 * 64 : digits.count(split)),
      copy(split, example, field, out, at) {
        digits.copy(split, example, field, out, at);
        if (field === 0 && split === "training" && (example === 5 || example === 200)) out[at + 3] = Number.POSITIVE_INFINITY;
      },
    };
    const targets = [await targetOn(await device)];
    using session = await Session.open(compileDigits({ policy: "float", set: smallModel, targets }), await device);
    const folder = join(parent, `data-${adapter.name}`);
    const warnings: string[] = [];
    let compiled = 0;
    const { skipped } = await train(session, {
      folder,
      dataset,
      steps: 12,
      checked() {
        compiled++;
        return unwrap(compileChecked(mlpSource(), { ...options, policy: "float", targets, portable: false }));
      },
      progress: { warned: (problem) => warnings.push(problem.message) },
    });
    const lines = metricsOf(folder);
    const bad = lines.filter(({ ok }) => ok === false).map(({ step }) => Number(step));
    const begun = bad.filter((step) => !bad.includes(step - 1));
    expect(skipped).toBe(bad.length);
    expect(begun.length).toBeGreaterThan(1);
    expect(compiled).toBe(1);
    const logged = lines.filter((line) => "non_finite" in line);
    expect(logged.map(({ step }) => step)).toEqual(begun);
    for (const { non_finite: cause } of logged) expect(cause).toEqual({ array: "images", row: expect.any(Number) });
    expect(warnings).toEqual(
      logged.map(({ step, non_finite: cause }) => {
        const { row } = cause as { readonly row: number };
        const happened = `step ${step} had a loss or a gradient that is not finite, and changed nothing`;
        return `${happened}: example ${row} of its batch holds a value in \`images\` that is not finite`;
      }),
    );
  });
});

describe("on the command line", () => {
  const command = (model: string, out: string) => ["train", model, "digits", "--adapter", "swiftshader", "--policy", "float", "--out", out];
  /** The model with another function. */
  const variant = (name: string, body: string) => {
    const path = join(parent, `${name}.loom`);
    writeFileSync(
      path,
      mlpSource().text.replace("images |> fc1 |> relu |> fc2 |> relu |> fc3", body).replace("hidden: int = 256", "hidden: int = 32"),
    );
    return path;
  };

  test("a gradient that is infinite, with the line that made it", async () => {
    // Without pixels fc1 gives its shift, zero at first; the root of zero is zero, but its slope is infinite.
    const model = variant("roots", "sqrt(fc1(images * 0.0)) |> fc2 |> relu |> fc3");
    const out = join(parent, "roots");
    const { code, out: said, err } = await cli(...command(model, out), "--steps", "6");
    expect(code).toBe(0);
    expect(err).toContain("warning[not-finite]: step 1 had a loss or a gradient that is not finite, and changed nothing: `");
    expect(err.match(/warning\[not-finite\]/g)).toHaveLength(1);
    expect(err).toMatch(/--> .*roots\.loom:12:\d+\n +\|\n12 \| .*sqrt/);
    expect(said).toContain("6 steps changed nothing, because their loss or gradient was not finite");
    const logged = metricsOf(out).filter((line) => "non_finite" in line);
    expect(logged).toEqual([
      { step: 1, non_finite: { op: expect.any(String), value: expect.any(String), at: expect.stringMatching(/roots\.loom:12:\d+$/) } },
    ]);

    const failed = await cli(...command(model, out), "--overwrite", "--json");
    expect(failed.code).toBe(1);
    const { diagnostics } = JSON.parse(failed.out);
    expect(diagnostics.at(-1)).toMatchObject({ severity: "error", code: "not-finite", labels: [{ line: 12 }] });
    expect(diagnostics.at(-1).help[0]).toContain("the first: step 1 had a loss or a gradient that is not finite");
  });

  test("an infinity that relu leaves out is no cause", async () => {
    const model = variant("masked", "images |> fc1 |> relu |> sqrt |> fc2 |> relu |> fc3");
    const { code, err } = await cli(...command(model, join(parent, "masked")), "--steps", "4");
    expect({ code, warned: err.includes("warning") }).toEqual({ code: 0, warned: false });
  });
});
