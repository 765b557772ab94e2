// Packed models against their training graphs, on every adapter: what was trained is what is served, and what was changed is found.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { type CompileOptions, compile } from "../../compiler/driver/compile.ts";
import { refuseOtherNames } from "../../equivalence/parameters.ts";
import { type Verified, verifyPacked } from "../../equivalence/verify.ts";
import { type CompiledArtifact, isWeight } from "../../ir/artifact.ts";
import { DiagnosticError, unwrap } from "../../ir/diagnostic.ts";
import { parseType } from "../../ir/parse-type.ts";
import { type PackedModel, packedWeights, readPackedModel } from "../../runtime/packed-file.ts";
import { packSession } from "../../runtime/packed-weights.ts";
import { Session } from "../../runtime/session.ts";
import { boundShape } from "../../runtime/values.ts";
import { decodeWeights, encodeWeights } from "../../runtime/weights.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { llamaSource, textBatches } from "../support/llama.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), "bitloom-packed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const llama = llamaSource(4, 48);
const inFloat = "embed?, lm_head? => none";
const source = {
  ...llama,
  text: `${llama.text}
quantize mixed for any {
  ${inFloat}
  layers.0.attn.wq => quest { w = 8, a = 8 }
  layers.0.attn.wk => quest { w = 3, a = 3 }
  layers.0.attn.wv => quest { w = 2, a = 2 }
  layers.0.attn.wo => ternary {}
  layers.0.mlp.gate => e2m1 {}
  layers.0.mlp.up => sparse_4_8 {}
  layers.0.mlp.down => quest { w = 4, a = none }
  layers.1.attn.wq => quest { w = 4, a = 8, rotation = full }
  layers.1.attn.wk => adabin {}
  layers.1.attn.wv => quest { w = 1, a = 4 }
  layers.1.attn.wo => quest { w = 4, a = none, group = 16 }
  layers.1.mlp.gate => sparse_2_4 {}
  layers.1.mlp.up => lsq { w = 4, a = 4, learn = factor }
  layers.1.mlp.down => adabin { hadamard = 32, rotation = full }
}
`,
};
const set = [
  "model.dim=32",
  "model.depth=2",
  "model.hidden=64",
  "model.heads=2",
  "model.kv_heads=1",
  "schedule.peak=1e-2",
  "schedule.warmup=2",
];
const steps = 3;

/** By name, a policy and the bits of its codes. `mixed` has what single policies would, kernels of each. */
const mixed = { name: "mixed", policy: "mixed", bits: [1, 2, 2, 3, 4, 4, 4, 8, 8], precision: "f32" } as const;
const halves = { name: "W4A4 between activations in f16", policy: "quest(w = 4, a = 4)", bits: [4], precision: "f16" } as const;
type Policy = typeof mixed | typeof halves;

/** Once, when it is first asked for. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

interface Trained {
  readonly weights: string;
  readonly parameters: ReadonlyMap<string, Float32Array>;
}

const all = await availableAdapters();

// SwiftShader, which is slow, verifies a run in tests/cli/trained-model.test.ts.
describe.each(all.length > 1 ? all.slice(1) : all)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  const settings = async ({ policy, precision }: Policy): Promise<CompileOptions> => ({
    recipe: "demo",
    policy,
    set: [...set, `precision=${precision}`],
    targets: [await targetOn(await device)],
    portable: false,
  });
  const compiled = async (policy: Policy, options: CompileOptions): Promise<CompiledArtifact> =>
    unwrap(compile(source, { ...(await settings(policy)), ...options }));

  /** Parameters after some steps, as a file. */
  async function trained(policy: Policy): Promise<Trained> {
    using session = await Session.open(await compiled(policy, { entries: (entry) => entry === "train" }), await device, {
      seed: 5,
    });
    const batches = textBatches(4, 48);
    if (session.needsCalibration) await session.run("calibrate", batches(0));
    for (let step = 0; step < steps; step++) await session.run("train", batches(step), { step });
    const states = session.artifact.manifest.state.filter(isWeight);
    const tensors = await Promise.all(
      states.map(async ({ name: state, type }) => {
        const values = Float32Array.from(await session.readState(state));
        return [state, { dtype: "F32", shape: boundShape(parseType(type)), bytes: new Uint8Array(values.buffer), values }] as const;
      }),
    );
    const weights = join(folder, `${adapter.name}-${policy.precision}.safetensors`);
    writeFileSync(weights, encodeWeights({ tensors: new Map(tensors), metadata: {} }));
    return { weights, parameters: new Map(tensors.map(([state, { values }]) => [state, values])) };
  }

  /** The packed model, by way of its file. */
  async function exported(policy: Policy, { parameters }: Trained): Promise<{ readonly packed: PackedModel; readonly file: Uint8Array }> {
    using session = await Session.open(await compiled(policy, { packed: "write" }), await device);
    for (const record of session.artifact.manifest.state) {
      const values = parameters.get(record.name);
      if (isWeight(record) && values !== undefined) session.writeState(record.name, values);
    }
    const served = await compiled(policy, { packed: "read" });
    const file = encodeWeights(packedWeights(await packSession(session, served, parameters)));
    return { packed: readPackedModel(decodeWeights(file, "file"), "file"), file };
  }

  const verified = async (policy: Policy, weights: string, packed: PackedModel): Promise<Verified> =>
    verifyPacked({
      source,
      compile: await settings(policy),
      weights,
      packed,
      path: "packed.safetensors",
      device: await device,
      targets: 1000,
    });

  const modelOf = (policy: Policy) =>
    lazily(async () => {
      const one = await trained(policy);
      return { ...one, ...(await exported(policy, one)) };
    });
  const models = { f32: modelOf(mixed), f16: modelOf(halves) };

  describe.each([mixed, halves])("$name", (policy) => {
    const model = models[policy.precision];

    test("every code, scale and layer is equal, and so is the held-out loss", async () => {
      const { weights, packed } = await model();
      const { weights: compared, parameters, layers, text, heldOut } = await verified(policy, weights, packed);
      const kinds = new Map([...packed.weights.values()].map(({ declaration: of }) => [`${of.bits} ${of.grid}`, of.bits]));
      expect([...kinds.values()].sort()).toEqual(policy.bits);
      expect(compared.count).toBe(14);
      expect(compared.codes).toBe(2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32));
      expect(parameters.count).toBe(packed.parameters.size);
      expect(parameters.elements).toBeGreaterThan(2 * 256 * 32);
      expect(layers.count).toBe(14);
      expect(layers.worst).toBeLessThanOrEqual(1);
      expect(text?.positions).toBe(256);
      expect(text?.near).toBeLessThan(12);
      expect(heldOut.targets).toBeGreaterThanOrEqual(1000);
    });

    test("the file has no more than codes, scales, floats and a short header", async () => {
      const { packed, file } = await model();
      let most = 8192;
      for (const { codes, declaration, offsets = [] } of packed.weights.values())
        most +=
          4 * offsets.length +
          (codes.length *
            ((declaration.unit === undefined ? declaration.bits : declaration.bits / 2 + 1 / declaration.unit) +
              32 / declaration.columns +
              0.02)) /
            8;
      for (const { bytes } of packed.parameters.values()) most += bytes.length;
      expect(file.length).toBeLessThanOrEqual(most);
    });
  });

  // What is found depends on no adapter.
  describe.runIf(adapter === all.at(-1))("what was changed is found", () => {
    const model = models.f16;
    const site = "layers.1.mlp.down";
    const changed = async (change: (weight: PackedModel["weights"] extends ReadonlyMap<string, infer W> ? W : never) => object) => {
      const { weights, packed } = await model();
      const weight = packed.weights.get(`${site}.weight`);
      if (weight === undefined) throw new Error("no such weight");
      const next = new Map(packed.weights).set(`${site}.weight`, { ...weight, ...change(weight) });
      try {
        await verified(halves, weights, { ...packed, weights: next });
      } catch (problem) {
        if (problem instanceof DiagnosticError)
          return problem.diagnostics.map(({ code, message, help }) => [code, message, ...(help ?? [])].join("\n"));
        throw problem;
      }
      return [];
    };

    test("one code that was flipped", async () => {
      const [found, ...more] = await changed(({ codes }) => ({ codes: codes.map((code, i) => (i === 3 * 64 + 17 ? -1 - code : code)) }));
      expect(found).toMatch(
        /^not-equal\n`layers\.1\.mlp\.down`: of `layers\.1\.mlp\.down\.weight` code \[3, 17\] is -?\d in the packed file, -?\d in training$/,
      );
      expect(more).toEqual([]);
    });

    test("one scale that was halved", async () => {
      const [found, ...more] = await changed(({ scales }) => ({ scales: scales.map((scale, i) => (i === 5 ? scale / 2 : scale)) }));
      expect(found).toMatch(
        /^not-equal\n`layers\.1\.mlp\.down`: of `layers\.1\.mlp\.down\.weight` scale \[5, 0\] is \S+ in the packed file, \S+ in training$/,
      );
      expect(more).toEqual([]);
    });

    /** What is said of a model that has something else beside its weights. */
    const refusalOf = async (change: (packed: PackedModel) => Partial<PackedModel>): Promise<string> => {
      const { weights, packed } = await model();
      return verified(halves, weights, { ...packed, ...change(packed) }).then(
        () => "",
        (problem) => {
          if (problem instanceof DiagnosticError) return problem.message;
          throw problem;
        },
      );
    };

    test.each([
      ["embed.table", 5 * 32 + 3, "\\[5, 3\\]"],
      ["layers.1.mlp_norm.gain", 7, "\\[7\\]"],
    ])("one element of %s, by the smallest difference that there is", async (name, at, place) => {
      const said = await refusalOf(({ parameters }) => {
        const tensor = parameters.get(name);
        if (tensor === undefined) throw new Error("no such parameter");
        const bytes = tensor.bytes.slice();
        const bits = new Uint32Array(bytes.buffer);
        bits[at] = (bits[at] ?? 0) ^ 1;
        return { parameters: new Map(parameters).set(name, { ...tensor, bytes }) };
      });
      expect(said).toMatch(
        new RegExp(
          `^error\\[not-equal\\]: \`${name.replaceAll(".", "\\.")}\`: element ${place} is \\S+ in the packed file, \\S+ in training$`,
        ),
      );
    });

    test("a parameter that the model does not have", async () => {
      const more = { dtype: "F32", shape: [1], bytes: new Uint8Array(4) } as const;
      const said = await refusalOf(({ parameters }) => ({ parameters: new Map(parameters).set("norm.bias", more) }));
      expect(said).toBe("error[not-equal]: `norm.bias` of the packed file is nothing that the model has");
    });

    test("names by which it would be served as another graph; other words for the same graph are no difference", async () => {
      const { packed } = await model();
      const compileOptions = await settings(halves);
      const named = (more: object) => () =>
        refuseOtherNames(source, compileOptions, { ...packed, about: { ...packed.about, ...more } }, "packed.safetensors");
      expect(named({ policy: "quest(w = 4, a = 8)" })).toThrow(
        "error[packed-mismatch]: packed.safetensors says that it has policy `quest(w = 4, a = 8)` and recipe `demo`, which make another graph",
      );
      expect(named({ recipe: "nothing" })).toThrow("error[packed-mismatch]");
      expect(named({ policy: "quest_w4a4" })).not.toThrow();
      expect(packed.about.policy).not.toBe("quest_w4a4");
    });

    test("an offset that was moved, of a weight that has some", async () => {
      const { weights, packed } = await models.f32();
      const name = "layers.1.attn.wk.weight";
      const weight = packed.weights.get(name);
      const offsets = weight?.offsets?.map((offset, row) => (row === 2 ? -offset : offset));
      if (weight === undefined || offsets === undefined) throw new Error("no such weight");
      const next = { ...packed, weights: new Map(packed.weights).set(name, { ...weight, offsets }) };
      await expect(verified(mixed, weights, next)).rejects.toThrow(
        /error\[not-equal\]: `layers\.1\.attn\.wk`: of `layers\.1\.attn\.wk\.weight` offset \[2, 0\] is \S+ in the packed file, \S+ in training$/,
      );
    });

    test.each([
      ["another offset", { offset: "row" }, "the offset is row in the file and none in the model"],
      ["another rotation", { rotation: "none" }, "the rotation is none in the file and hadamard(64) in the model"],
      ["another grid", { grid: "integer" }, "the grid is integer in the file and half in the model"],
    ])("%s", async (_, declaration, message) => {
      const [found] = await changed((weight) => ({ declaration: { ...weight.declaration, ...declaration } }));
      expect(found).toContain("packed-mismatch\n");
      expect(found).toContain(`\`layers.1.mlp.down.weight\`: ${message}`);
    });
  });
});
