// Sessions on hand-written artifacts: choice of target, inputs and outputs, state, refusals, timestamps.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TargetRecord, TargetRequirements } from "../../ir/artifact.ts";
import { parseType } from "../../ir/parse-type.ts";
import type { Device } from "../../runtime/device.ts";
import { initialValues } from "../../runtime/init.ts";
import { KernelError } from "../../runtime/pipelines.ts";
import { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { batchSize, learningRate, lineArtifact, lineDataset, momentum } from "../support/line-artifact.ts";
import { count, scaleKernel, vectorArtifact } from "../support/vector-artifact.ts";

const x = Float32Array.from({ length: count }, (_, i) => -i);
const sum = Float32Array.from({ length: count }, (_, i) => -i + 2 * (i / 4));

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    let device: Device;
    beforeAll(async () => {
      device = await adapter.open();
    });
    afterAll(() => device.dispose());

    it("runs an entry on inputs, constants and immediates", async () => {
      const ready: string[] = [];
      using session = await Session.open(vectorArtifact(), device, { onKernel: (n, of) => ready.push(`${n}/${of}`) });
      expect(ready).toEqual(["1/2", "2/2"]);
      const { out } = await session.run("add", { x });
      expect(out).toEqual(sum);
      expect(session.byteLength).toBe(3 * 4096 + 256);
    });

    it("starts from clean state although its kernels were warmed on it", async () => {
      using session = await Session.open(vectorArtifact(), device);
      expect(await session.readState("n")).toEqual(Uint32Array.of(0));
      for (let i = 1; i <= 3; i++) expect((await session.run("count")).n).toEqual(Uint32Array.of(i));
    });

    it("runs in order what is submitted at once, and reads results in any order", async () => {
      using session = await Session.open(vectorArtifact(), device);
      const runs = Array.from({ length: 20 }, () => session.submit("count"));
      const results = await Promise.all(runs.reverse().map((run) => run.read()));
      expect(results.map(({ outputs }) => outputs["n"]![0])).toEqual(Array.from({ length: 20 }, (_, i) => 20 - i));
    });

    it("writes and reads state", async () => {
      using session = await Session.open(vectorArtifact(), device);
      session.writeState("n", Uint32Array.of(41));
      expect((await session.run("count")).n).toEqual(Uint32Array.of(42));
      expect(await session.readState("n")).toEqual(Uint32Array.of(42));
      expect(() => session.writeState("n", Float32Array.of(1))).toThrow(
        "error[bad-state]: state `n` is u32[]: 1 elements of Uint32Array, got 1 of Float32Array",
      );
      expect(() => session.writeState("n", Uint32Array.of(1, 2))).toThrow("got 2 of Uint32Array");
      await expect(session.readState("m")).rejects.toThrow("no state `m`");
    });

    it("writes outputs into arrays of the caller's, and refuses those that cannot hold them", async () => {
      using session = await Session.open(vectorArtifact(), device);
      const buffer = new Float32Array(count + 2).fill(7);
      const out = buffer.subarray(1, count + 1);
      const into = { into: { out } };
      expect((await session.run("add", { x }, into)).out).toBe(out);
      expect(out).toEqual(sum);
      expect([buffer[0], buffer[count + 1]]).toEqual([7, 7]);
      const { out: fresh } = await session.run("add", { x: sum });
      expect(fresh).not.toEqual(sum);
      expect(out).toEqual(sum);
      const run = (arrays: Parameters<typeof session.run>[1]) => session.run("add", { x }, { into: arrays as typeof into.into });
      await expect(run({ out: new Float32Array(3) })).rejects.toThrow(
        "error[bad-input]: entry `add`: `out` is f32[1000]: it takes 1000 elements of Float32Array, got 3 of Float32Array",
      );
      await expect(run({ out: new Int32Array(count) })).rejects.toThrow("got 1000 of Int32Array");
      await expect(run({ y: out })).rejects.toThrow("no output `y`; its outputs are out");
    });

    it("refuses inputs that are not the entry's", async () => {
      using session = await Session.open(vectorArtifact(), device);
      const run = (inputs: Parameters<typeof session.run>[1]) => session.run("add", inputs);
      await expect(run({})).rejects.toThrow("error[bad-input]: entry `add`: `x` is f32[1000]: 1000 elements of Float32Array, got nothing");
      await expect(run({ x: new Float32Array(3) })).rejects.toThrow("got 3 of Float32Array");
      await expect(run({ x: new Int32Array(count) })).rejects.toThrow("got 1000 of Int32Array");
      await expect(run({ x, z: x })).rejects.toThrow("no input `z`; its inputs are x");
      await expect(session.run("subtract")).rejects.toThrow("error[no-entry]");
    });

    it("computes host scalars from the step, or takes them", async () => {
      const host = { lr: { warmup_cosine: { peak: 0.4, warmup: 4, steps: 10, floor: 0 } } };
      using session = await Session.open(lineArtifact({ host }), device, { seed: 1 });
      const dataset = lineDataset();
      const inputs = { x: new Float32Array(batchSize * 4), label: new Int32Array(batchSize) };
      for (let row = 0; row < batchSize; row++)
        for (const [field, out] of [inputs.x, inputs.label].entries())
          dataset.copy("training", row, field, out, field === 0 ? row * 4 : row);
      const start = (await session.readState("w")) as Float32Array;
      const weightsAfter = async (options: object, extra: object = {}) => {
        await session.initialise(1);
        await session.run("train", { ...inputs, ...extra }, options);
        return (await session.readState("w")) as Float32Array;
      };
      const atPeak = await weightsAfter({ step: 3 });
      // Momentum is empty at the first step, so the change is proportional to the learning rate.
      const half = await weightsAfter({ step: 1 });
      const given = await weightsAfter({ step: 3 }, { lr: 0.2 });
      expect(given).toEqual(half);
      for (let i = 0; i < 4; i++) expect(half[i]! - start[i]!).toBeCloseTo((atPeak[i]! - start[i]!) / 2, 5);
      await expect(session.run("train", { ...inputs, lr: new Float32Array(1) })).rejects.toThrow("`lr` is a scalar of the host");
    });

    it("computes training steps as arithmetic says", async () => {
      using session = await Session.open(lineArtifact(), device, { seed: 3 });
      expect(session.target.name).toBe("portable");
      const w = Float64Array.from(initialValues("w", parseType("f32[4]"), { normal: [0, 0.1] }, 3));
      const m = new Float64Array(4);
      expect(await session.readState("w")).toEqual(Float32Array.from(w));
      const dataset = lineDataset();
      const inputs = { x: new Float32Array(batchSize * 4), label: new Int32Array(batchSize) };
      for (let step = 0; step < 5; step++) {
        for (let row = 0; row < batchSize; row++) {
          dataset.copy("training", step * batchSize + row, 0, inputs.x, row * 4);
          dataset.copy("training", step * batchSize + row, 1, inputs.label, row);
        }
        const residual = Array.from(
          { length: batchSize },
          (_, e) => w.reduce((s, wi, i) => s + wi * inputs.x[e * 4 + i]!, 0) - inputs.label[e]!,
        );
        const gradient = Array.from({ length: 4 }, (_, i) =>
          residual.reduce((s, r, e) => s + (2 * r * inputs.x[e * 4 + i]!) / batchSize, 0),
        );
        const { loss, grad_norm, ok } = await session.run("train", inputs, { step });
        expect(loss![0]).toBeCloseTo(
          residual.reduce((s, r) => s + (r * r) / batchSize, 0),
          4,
        );
        expect(grad_norm![0]).toBeCloseTo(Math.hypot(...gradient), 4);
        expect(ok![0]).toBe(1);
        for (let i = 0; i < 4; i++) {
          m[i] = momentum * m[i]! + gradient[i]!;
          w[i]! -= learningRate * m[i]!;
        }
        const after = await session.readState("w");
        for (let i = 0; i < 4; i++) expect(after[i]).toBeCloseTo(w[i]!, 5);
      }
    });

    it("takes the first target that fits, and says why none does", async () => {
      const sized = (name: string, requires: TargetRequirements): TargetRecord => ({
        ...vectorArtifact().manifest.targets[0]!,
        name,
        requires,
      });
      const size = adapter.description.subgroupMinSize;
      const open = (targets: readonly TargetRecord[], name?: string) =>
        Session.open(
          { ...vectorArtifact(), manifest: { ...vectorArtifact().manifest, targets } },
          device,
          name === undefined ? {} : { target: name },
        );
      const half = sized("half", { features: ["subgroups"], subgroupSize: size / 2, limits: {} });
      const exact = sized("exact", { features: ["subgroups"], subgroupSize: size, limits: {} });
      const greedy = sized("greedy", { features: [], limits: { maxStorageBufferBindingSize: 2 ** 40 } });
      const unknown = sized("unknown", { features: ["telepathy"], limits: {} });
      const plain = sized("plain", {
        features: [],
        limits: { minStorageBufferOffsetAlignment: 256, maxComputeInvocationsPerWorkgroup: 256 },
      });
      {
        using session = await open([half, greedy, unknown, exact, plain]);
        expect(session.target.name).toBe(adapter.description.features.includes("subgroups") ? "exact" : "plain");
        expect((await session.run("add", { x })).out).toEqual(sum);
      }
      {
        using session = await open([exact, plain], "plain");
        expect(session.target.name).toBe("plain");
      }
      const refusal = open([half, greedy, unknown]);
      await expect(refusal).rejects.toThrow("error[no-target]: no target of the artifact runs on");
      await expect(open([half])).rejects.toThrow(
        `target \`half\`: needs fixed subgroups of ${size / 2}; ${adapter.name} offers fixed: size ${size}`,
      );
      await expect(open([greedy])).rejects.toThrow("needs maxStorageBufferBindingSize = 1099511627776");
      await expect(open([unknown])).rejects.toThrow("needs `telepathy`");
      await expect(open([plain], "none")).rejects.toThrow("its targets are plain");
    });

    it("refuses more memory than its budget before it allocates", async () => {
      const slabs = [
        { name: "io", bytes: 3 * 4096 },
        { name: "counter", bytes: 256 },
        { name: "huge", bytes: 64 * 2 ** 30 },
      ];
      const open = Session.open(vectorArtifact({ target: { slabs } }), device, { memoryBudget: 2 ** 30 });
      await expect(open).rejects.toThrow("error[memory-budget]: the model needs 64.0 GiB of memory on the adapter, the budget is 1.00 GiB");
      await expect(Session.open(vectorArtifact({ target: { slabs } }), device, { memoryBudget: 2 ** 30 })).rejects.toThrow(
        "largest slabs: `huge` 64.0 GiB, `io`",
      );
      await expect(Session.open(vectorArtifact({ target: { slabs } }), device, { memoryBudget: 2 ** 50 })).rejects.toThrow(
        "slab `huge` has 64.0 GiB",
      );
      device.assertHealthy();
    });

    it("names the line of a kernel that the driver refuses, and what it computes", async () => {
      const kernel = scaleKernel.replace("out[id.x] =", "out[id.y.z] =");
      const problem = await Session.open(vectorArtifact({ kernel }), device).catch((e: unknown) => e);
      expect(problem).toBeInstanceOf(KernelError);
      expect((problem as KernelError).line).toBe(9);
      expect((problem as KernelError).message).toContain("kernel kernels/scale.wgsl:9: ");
      expect((problem as KernelError).message).toContain("9 |   if (id.x < sizes.count) { out[id.y.z] =");
      expect((problem as KernelError).message).toContain("it computes %out (vector.loom:2:3)");
      device.assertHealthy();
      using session = await Session.open(vectorArtifact(), device);
      expect((await session.run("add", { x })).out).toEqual(sum);
    });

    it("refuses ranges that overlap or do not fit", async () => {
      const dispatch = vectorArtifact().manifest.targets[0]!.dispatches["count"]![0]!;
      const add = vectorArtifact().manifest.targets[0]!.dispatches["add"]!;
      const open = (range: readonly [string, number, number]) =>
        Session.open(vectorArtifact({ target: { dispatches: { add, count: [{ ...dispatch, bind: [range] }] } } }), device);
      await expect(open(["counter", 0, 512])).rejects.toThrow("binding the arena: ");
      await expect(open(["nowhere", 0, 16])).rejects.toThrow("no slab `nowhere`");
      await expect(
        Session.open(
          vectorArtifact({
            target: {
              dispatches: {
                add: [
                  {
                    ...add[0]!,
                    bind: [
                      ["io", 0, 4096],
                      ["io", 0, 4096],
                      ["io", 8192, 4096],
                    ],
                  },
                ],
                count: [dispatch],
              },
            },
          }),
          device,
        ),
      ).rejects.toThrow("warming the kernels: ");
      await expect(
        Session.open(vectorArtifact({ target: { dispatches: { add: [{ ...add[0]!, immediates: [1] }], count: [dispatch] } } }), device),
      ).rejects.toThrow("error[bad-artifact]");
    });

    it.runIf(adapter.description.features.includes("timestamp-query"))("measures time on the adapter", async () => {
      using whole = await Session.open(lineArtifact(), device, { timestamps: "entry" });
      using each = await Session.open(lineArtifact(), device, { timestamps: "dispatch" });
      const inputs = { x: new Float32Array(batchSize * 4), label: new Int32Array(batchSize) };
      for (const [session, spans] of [
        [whole, 1],
        [each, 2],
      ] as const) {
        const { gpuMs, outputs } = await session.submit("train", inputs).read();
        expect(gpuMs).toHaveLength(spans);
        for (const ms of gpuMs!) expect(ms >= 0 && ms < 1000).toBe(true);
        expect(outputs["loss"]![0]).toBe(0);
      }
      const { gpuMs } = await (await Session.open(lineArtifact(), device)).submit("train", inputs).read();
      expect(gpuMs).toBeUndefined();
    });

    it("initialises by seed, equally on every adapter", async () => {
      using session = await Session.open(lineArtifact(), device, { seed: 5 });
      const first = await session.readState("w");
      expect(first).toEqual(initialValues("w", parseType("f32[4]"), { normal: [0, 0.1] }, 5));
      await session.initialise(6);
      expect(await session.readState("w")).not.toEqual(first);
      await session.initialise(5);
      expect(await session.readState("w")).toEqual(first);
    });
  });
}
