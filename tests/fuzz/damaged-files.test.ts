// Damaged files: weights, arrays, checkpoints and artifacts that are cut off, changed or made up give a DiagnosticError, never another exception.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, unwrap } from "../../compiler/index.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { Rejection } from "../../ir/diagnostic.ts";
import { checkManifest } from "../../runtime/artifact-check.ts";
import { readArtifact, writeArtifact } from "../../runtime/artifact-folder.ts";
import { readCheckpoint } from "../../runtime/checkpoint.ts";
import { type CheckpointState, printState, SavedState } from "../../runtime/checkpoint-state.ts";
import { decodeNpy } from "../../runtime/data/npy.ts";
import type { Session } from "../../runtime/session.ts";
import { decodeWeights, encodeWeights } from "../../runtime/weights.ts";
import { lineArtifact } from "../support/line-artifact.ts";
import { mutateBytes, mutateText, Random, splitWords } from "./mutate.ts";
import { replaced } from "./replace.ts";
import { models, onlyDiagnostics, survive } from "./support.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-fuzz-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const f32 = (...values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const weights = encodeWeights({
  tensors: new Map([
    ["w", { dtype: "F32", shape: [4], bytes: f32(1, 2, 3, 4) }],
    ["codes", { dtype: "U32", shape: [2], bytes: new Uint8Array(8) }],
  ]),
  metadata: { format: "bitloom", codes: "q4[1, 8; grid = half]" },
});

/** How many of the changes are still read. */
function countRead(name: string, changes: number, change: (random: Random) => Uint8Array, read: (bytes: Uint8Array) => unknown): number {
  const random = new Random(1);
  let fine = 0;
  for (let i = 0; i < changes; i++) {
    const bytes = change(random);
    survive(`${i}-${name}`, bytes, () => {
      if (isRead(() => read(bytes))) fine++;
    });
  }
  return fine;
}

/** Whether something is read; a DiagnosticError says that it is not, and nothing else may. */
function isRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (problem) {
    if (problem instanceof Error && problem.name === "DiagnosticError") return false;
    throw problem;
  }
}

describe("safetensors", () => {
  test("20,000 changes of bytes", async () => {
    expect(
      await countRead(
        "weights.safetensors",
        20_000,
        (random) => mutateBytes(weights, random),
        (b) => decodeWeights(b, "w"),
      ),
    ).toBeGreaterThan(100);
  });

  test("20,000 changes of the header's text, under a length that fits", async () => {
    const headerLength = Number(new DataView(weights.buffer).getBigUint64(0, true));
    const header = new TextDecoder().decode(weights.subarray(8, 8 + headerLength));
    const pool = [...splitWords(header), "null", "-1", "[]", "{}", "9007199254740993", "1e400", '"__proto__"', '"F64"'];
    const change = (random: Random) => {
      const text = new TextEncoder().encode(mutateText(header, pool, random));
      const file = new Uint8Array(8 + text.length + 24);
      new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
      file.set(text, 8);
      return file;
    };
    expect(countRead("header.safetensors", 20_000, change, (b) => decodeWeights(b, "w"))).toBeGreaterThan(100);
  });

  test("every prefix", () => {
    for (let end = 0; end < weights.length; end++) expect(isRead(() => decodeWeights(weights.subarray(0, end), "w"))).toBe(false);
  });
});

test("npy: 20,000 changes", async () => {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }${" ".repeat(60)}\n`;
  const file = new Uint8Array(10 + header.length + 16);
  file.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length % 256, Math.floor(header.length / 256)]);
  file.set(new TextEncoder().encode(header), 10);
  expect(isRead(() => decodeNpy(file, "x"))).toBe(true);
  expect(
    await countRead(
      "array.npy",
      20_000,
      (random) => mutateBytes(file, random),
      (b) => decodeNpy(b, "x"),
    ),
  ).toBeGreaterThan(100);
});

describe("checkpoints", () => {
  const state: CheckpointState = {
    step: 7,
    seed: 1,
    dataPosition: 56,
    skipped: 0,
    skippedInRow: 0,
    artifact: "sha256-0",
    schedules: "sha256-none",
    model: "Line(inputs = 4)",
    policy: "float",
    recipe: "line",
    adapter: { name: "none", driver: "none" },
  };
  const model = encodeWeights({ tensors: new Map([["w", { dtype: "F32", shape: [4], bytes: f32(1, 2, 3, 4) }]]), metadata: {} });
  const optimizer = encodeWeights({ tensors: new Map([["w#sgd.m", { dtype: "F32", shape: [4], bytes: f32(0, 0, 0, 0) }]]), metadata: {} });
  /** What reading needs of a session. */
  const session = { artifact: lineArtifact(), writeState: () => undefined } as unknown as Session;

  function write(files: { readonly model?: Uint8Array; readonly optimizer?: Uint8Array; readonly state?: string }): string {
    const at = join(folder, "checkpoint");
    mkdirSync(at, { recursive: true });
    const parts = { "model.safetensors": files.model ?? model, "optimizer.safetensors": files.optimizer ?? optimizer };
    for (const [name, bytes] of Object.entries(parts)) writeFileSync(join(at, name), bytes);
    writeFileSync(join(at, "state.json"), files.state ?? printState(state, parts));
    return at;
  }
  const read = (at: string) => onlyDiagnostics(() => readCheckpoint(at, session));

  test("as it was written it is read", async () => expect(await read(write({}))).toEqual(state));

  test("weights that were changed, with a state.json that fits them", async () => {
    const random = new Random(2);
    for (let i = 0; i < 400; i++) {
      const changed = i % 2 === 0 ? { model: mutateBytes(model, random) } : { optimizer: mutateBytes(optimizer, random) };
      await expect(read(write(changed))).resolves.not.toThrow();
    }
  });

  test("weights that were changed afterwards are noticed", async () => {
    const random = new Random(3);
    for (let i = 0; i < 400; i++) {
      const changed = mutateBytes(model, random);
      const isSame = Buffer.compare(changed, model) === 0;
      const at = write({ model: changed, state: printState(state, { "model.safetensors": model, "optimizer.safetensors": optimizer }) });
      expect(await read(at)).toEqual(isSame ? state : undefined);
    }
  });

  test("a state.json with any field replaced, and cut off anywhere", async () => {
    const text = printState(state, { "model.safetensors": model, "optimizer.safetensors": optimizer });
    for (const changed of replaced(JSON.parse(text)))
      await onlyDiagnostics(() => SavedState.read(write({ state: JSON.stringify(changed) })));
    for (let end = 0; end < text.trimEnd().length; end += 5) expect(await read(write({ state: text.slice(0, end) }))).toBeUndefined();
  });

  test("a file that is missing, or is a folder", async () => {
    for (const name of ["state.json", "model.safetensors", "optimizer.safetensors"]) {
      const at = write({});
      rmSync(join(at, name));
      expect(await read(at)).toBeUndefined();
      mkdirSync(join(at, name));
      expect(await read(at)).toBeUndefined();
      rmSync(at, { recursive: true });
    }
  });
});

describe("artifacts", () => {
  const [mlp] = models.filter(({ path }) => path.endsWith("mlp.loom"));
  let artifact: CompiledArtifact;
  beforeAll(() => {
    if (mlp === undefined) throw new Error("no models/mlp.loom");
    artifact = unwrap(compile(mlp, { targets: [], set: ["model.hidden=16", "B=1"], policy: "quest_w4a4" }));
  });

  test("any field of artifact.json replaced: refused with its place, or read", () => {
    const json = JSON.parse(JSON.stringify(artifact.manifest));
    expect(checkManifest(json)).toBe(json);
    let refused = 0;
    let total = 0;
    for (const changed of replaced(json)) {
      total++;
      survive("artifact.json", JSON.stringify(changed), () => {
        try {
          checkManifest(changed);
        } catch (problem) {
          if (!(problem instanceof Rejection)) throw problem;
          // The whole has no place of its own.
          expect(problem.message).toMatch(/`|^it must be an object/);
          refused++;
        }
      });
    }
    expect(total).toBeGreaterThan(5_000);
    // What is left are texts that only people read, and numbers of the right kind.
    expect(refused / total).toBeGreaterThan(0.75);
  });

  test("each file of the folder cut off, changed, emptied and removed", async () => {
    const at = join(folder, "artifact");
    await writeArtifact(artifact, at);
    expect(await onlyDiagnostics(() => readArtifact(at))).toBeDefined();
    for (const path of ["artifact.json", ...artifact.files.keys()]) {
      const file = join(at, path);
      const whole = readFileSync(file);
      for (const bytes of [whole.subarray(0, whole.length / 2), new Uint8Array(), changedByte(whole)]) {
        writeFileSync(file, bytes);
        expect(await onlyDiagnostics(() => readArtifact(at)), path).toBeUndefined();
      }
      rmSync(file);
      expect(await onlyDiagnostics(() => readArtifact(at)), path).toBeUndefined();
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, whole);
    }
    expect(await onlyDiagnostics(() => readArtifact(at))).toBeDefined();
  });

  test("paths that leave the folder are refused", () => {
    const json = JSON.parse(JSON.stringify(artifact.manifest));
    for (const path of ["../secret", "/etc/passwd", "kernels/../../x", "C:\\x", "", ".", "a//b", "a/./b"]) {
      json.targets[0].kernels[0].file = path;
      expect(() => checkManifest(json)).toThrow("must be the path of a file in the artifact");
    }
  });
});

function changedByte(bytes: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[0] = (changed[0] ?? 0) ^ 1;
  return changed;
}
