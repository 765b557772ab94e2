// Checkpoints: all state of a run in `checkpoints/step-000500/`, whole or not there, and the way back.
import { join } from "node:path";
import { isWeight, type StateRecord } from "../ir/artifact.ts";
import { DiagnosticError, error, firstLines } from "../ir/diagnostic.ts";
import { parseType } from "../ir/parse-type.ts";
import { isBits, type Type } from "../ir/type.ts";
import { checkpointName, pointTo } from "./checkpoint-history.ts";
import { type CheckpointState, printState, SavedState, stateFile } from "./checkpoint-state.ts";
import { writeFolderDurably } from "./durable.ts";
import type { Session } from "./session.ts";
import { boundShape, type HostArray, viewOf } from "./values.ts";
import { type Dtype, decodeWeights, encodeWeights, type SavedTensor, type Weights } from "./weights.ts";

/** Parameters (and codes that stand for them, and what was measured for their quantizers): what an inference needs. */
export const modelFile = "model.safetensors";
const optimizerFile = "optimizer.safetensors";

/** Write a checkpoint and make it the latest one of the run folder. Returns its folder. The same state gives the same bytes. */
export async function writeCheckpoint(runFolder: string, session: Session, state: CheckpointState): Promise<string> {
  const name = checkpointName(state.step);
  const folder = join(runFolder, "checkpoints", name);
  const { manifest } = session.artifact;
  const weights = {
    [modelFile]: encodeWeights(await collect(session, manifest.state.filter(inModel))),
    [optimizerFile]: encodeWeights(await collect(session, manifest.state.filter(inOptimizer))),
  };
  await writeFolderDurably(folder, { ...weights, [stateFile]: printState(state, weights) });
  await pointTo(runFolder, name);
  return folder;
}

/**
 * Load a checkpoint's state into a session and say where the run stood. Throws a DiagnosticError where a file is missing or damaged
 * (`bad-checkpoint`, `bad-safetensors`) or its tensors are not the session's (`checkpoint-mismatch`); the session is then unchanged.
 */
export async function readCheckpoint(folder: string, session: Session): Promise<CheckpointState> {
  const saved = await SavedState.read(folder);
  const records = session.artifact.manifest.state;
  const read = async (name: string) => decodeWeights(await saved.bytesOf(name), join(folder, name));
  const parts = [
    matchTensors(await read(modelFile), records.filter(inModel)),
    matchTensors(await read(optimizerFile), records.filter(inOptimizer)),
  ];
  const differences = parts.flatMap((part) => part.differences);
  if (differences.length > 0) throw mismatch(saved, session, differences);
  for (const { values } of parts) for (const [name, array] of values) session.writeState(name, array);
  return saved.state;
}

const inModel = ({ role }: StateRecord): boolean => isWeight({ role }) || role === "codes";
/** Caches are not saved: they begin empty. Nor are sums of gradients: between steps, where checkpoints are written, they are zero. */
const inOptimizer = ({ role }: StateRecord): boolean => role === "optimizer";

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

interface Matched {
  readonly values: readonly (readonly [name: string, array: HostArray])[];
  /** What keeps the tensors from being the model's, in words. */
  readonly differences: readonly string[];
}

function matchTensors({ tensors, metadata }: Weights, records: readonly StateRecord[]): Matched {
  const values: (readonly [string, HostArray])[] = [];
  const differences: string[] = [];
  for (const { name, type: text } of records) {
    const type = parseType(text);
    const saved = tensors.get(name);
    if (saved === undefined) {
      differences.push(`it has no tensor \`${name}\`: ${text}`);
      continue;
    }
    const fits = isBits(type) ? metadata[name] === text : saved.dtype === dtypeOf(type) && saved.shape.join() === boundShape(type).join();
    if (fits) values.push([name, viewOf(type, new Uint8Array(saved.bytes).buffer)]);
    else differences.push(`\`${name}\` is ${text} in the model and ${saved.dtype} [${saved.shape.join(", ")}] in the checkpoint`);
  }
  const known = new Set(records.map(({ name }) => name));
  for (const name of tensors.keys()) if (!known.has(name)) differences.push(`the model has no \`${name}\`, which the checkpoint holds`);
  return { values, differences };
}

function mismatch({ folder, state }: SavedState, session: Session, differences: readonly string[]): DiagnosticError {
  const { model } = session.artifact.manifest;
  const made = model === state.model ? "" : `: it was made with ${state.model}, this is ${model}`;
  return new DiagnosticError([
    error("checkpoint-mismatch", `${folder} holds the state of another model${made}`, undefined, "", [
      ...firstLines(differences),
      "resume with the model, policy and recipe that the checkpoint was made with",
    ]),
  ]);
}

function dtypeOf(type: Type): Dtype {
  if (type.kind === "codes") return "U32";
  const dtypes = { f32: "F32", f16: "F16", bf16: "BF16", i32: "I32", u32: "U32", i8: "I8", u8: "U8", bool: "U32", b1: "U32" } as const;
  return dtypes[type.scalar];
}
