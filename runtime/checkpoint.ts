// Checkpoints: all state of a run in `checkpoints/step-000500/`, whole or not there, and the way back.
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { StateRecord } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { parseType } from "../ir/parse-type.ts";
import { isBits, type Type } from "../ir/type.ts";
import { writeFileDurably, writeFolderDurably } from "./durable.ts";
import type { Session } from "./session.ts";
import { boundShape, type HostArray, viewOf } from "./values.ts";
import { type Dtype, encodeWeights, readWeights, type SavedTensor, type Weights } from "./weights.ts";

/** `state.json`: where a run stood, and what it ran. */
export interface CheckpointState {
  /** Steps done. */
  readonly step: number;
  readonly seed: number;
  /** Training examples seen. */
  readonly dataPosition: number;
  readonly artifact: string;
  readonly schedules: string;
  readonly model: string;
  readonly policy: string;
  readonly adapter: { readonly name: string; readonly driver: string };
}

/** Write a checkpoint and make it the latest one of the run folder. Returns its folder. The same state gives the same bytes. */
export async function writeCheckpoint(runFolder: string, session: Session, state: CheckpointState): Promise<string> {
  const name = `step-${String(state.step).padStart(6, "0")}`;
  const folder = join(runFolder, "checkpoints", name);
  await mkdir(join(runFolder, "checkpoints"), { recursive: true });
  const { manifest } = session.artifact;
  await writeFolderDurably(folder, {
    "model.safetensors": encodeWeights(await collect(session, manifest.state.filter(inModel))),
    "optimizer.safetensors": encodeWeights(await collect(session, manifest.state.filter(inOptimizer))),
    "state.json": `${JSON.stringify(state, null, 1)}\n`,
  });
  await writeFileDurably(join(runFolder, "latest"), `${join("checkpoints", name)}\n`);
  return folder;
}

/** The folder of a run's latest checkpoint, or undefined where it has none. */
export async function latestCheckpoint(runFolder: string): Promise<string | undefined> {
  const pointer = join(runFolder, "latest");
  if (!existsSync(pointer)) return undefined;
  return join(runFolder, (await readFile(pointer, "utf8")).trim());
}

/**
 * Load a checkpoint's state into a session and say where the run stood. Throws a DiagnosticError where a file is missing or corrupt
 * (`no-file`, `bad-safetensors`, `bad-checkpoint`) or its tensors are not the session's (`checkpoint-mismatch`); the session is then unchanged.
 */
export async function readCheckpoint(folder: string, session: Session): Promise<CheckpointState> {
  const state = await readState(join(folder, "state.json"));
  const records = session.artifact.manifest.state;
  const model = prepare(await readWeights(join(folder, "model.safetensors")), records.filter(inModel), folder);
  const optimizer = prepare(await readWeights(join(folder, "optimizer.safetensors")), records.filter(inOptimizer), folder);
  for (const [name, values] of [...model, ...optimizer]) session.writeState(name, values);
  return state;
}

const inModel = ({ role }: StateRecord): boolean => role === "parameter" || role === "codes";
/** Caches are not saved: they begin empty. */
const inOptimizer = ({ role }: StateRecord): boolean => role === "optimizer" || role === "gradient";

async function collect(session: Session, records: readonly StateRecord[]): Promise<Weights> {
  const tensors = new Map<string, SavedTensor>();
  const metadata: Record<string, string> = { format: "bitloom" };
  for (const { name, type: text } of records) {
    const values = await session.readState(name);
    const type = parseType(text);
    const packed = isBits(type);
    // Packed tensors are saved as their words; the type says how to read them.
    if (packed) metadata[name] = text;
    tensors.set(name, {
      dtype: dtypeOf(type),
      shape: packed ? [values.length] : boundShape(type),
      bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    });
  }
  return { tensors, metadata };
}

function prepare(weights: Weights, records: readonly StateRecord[], folder: string): readonly (readonly [string, HostArray])[] {
  const mismatch = (message: string): never => {
    throw new DiagnosticError([
      error("checkpoint-mismatch", `${folder}: ${message}`, undefined, "", [
        "resume with the model, policy and recipe that the checkpoint was made with",
      ]),
    ]);
  };
  const unknown = [...weights.tensors.keys()].filter((name) => !records.some((record) => record.name === name));
  if (unknown.length > 0)
    mismatch(
      `the model has no state \`${unknown.slice(0, 3).join("`, `")}\`${unknown.length > 3 ? ` and ${unknown.length - 3} more` : ""}`,
    );
  return records.map(({ name, type: text }) => {
    const type = parseType(text);
    const saved = weights.tensors.get(name) ?? mismatch(`it has no tensor \`${name}\``);
    const fits = isBits(type)
      ? weights.metadata[name] === text
      : saved.dtype === dtypeOf(type) && saved.shape.join() === boundShape(type).join();
    if (!fits) mismatch(`\`${name}\` is ${text} in the model and ${saved.dtype} [${saved.shape.join(", ")}] in the checkpoint`);
    return [name, viewOf(type, new Uint8Array(saved.bytes).buffer)] as const;
  });
}

function dtypeOf(type: Type): Dtype {
  if (type.kind === "codes") return "U32";
  const dtypes = { f32: "F32", f16: "F16", bf16: "BF16", i32: "I32", u32: "U32", i8: "I8", u8: "U8", bool: "U32", b1: "U32" } as const;
  return dtypes[type.scalar];
}

async function readState(path: string): Promise<CheckpointState> {
  const bad = (message: string): never => {
    throw new DiagnosticError([error("bad-checkpoint", `${path}: ${message}`)]);
  };
  let state: Partial<CheckpointState>;
  try {
    state = JSON.parse(await readFile(path, "utf8")) as Partial<CheckpointState>;
  } catch (problem) {
    return bad(problem instanceof Error ? problem.message : String(problem));
  }
  for (const key of ["step", "seed", "dataPosition"] as const) if (!Number.isSafeInteger(state[key])) bad(`\`${key}\` is no whole number`);
  if (typeof state.artifact !== "string") bad("`artifact` is no text");
  return state as CheckpointState;
}
