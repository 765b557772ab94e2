// The recipe `digits` for tests: its data, its artifacts, and the state of a session as bytes.
import { readFileSync } from "node:fs";
import { compile } from "../../compiler/driver/compile.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import type { Target } from "../../ir/plan.ts";
import { printType } from "../../ir/type.ts";
import { Batches } from "../../runtime/data/batches.ts";
import type { Dataset } from "../../runtime/data/dataset.ts";
import { openData } from "../../runtime/data/source.ts";
import type { Session } from "../../runtime/session.ts";
import type { BatchOf } from "./teacher-forced.ts";

const call = { source: "mnist", args: [], named: {}, arrays: ["images", "labels"] };

/** The 10,000 digits; read once in a process. */
export function openDigits(): Promise<Dataset> {
  digits ??= openData(call, { inputs: [] });
  return digits;
}

let digits: Promise<Dataset> | undefined;

export const mlpSource = () => ({
  path: "models/mlp.loom",
  text: readFileSync(new URL("../../models/mlp.loom", import.meta.url), "utf8"),
});

/** Batches for a module with one entry. */
async function digitBatches({ entries: [entry] }: Module): Promise<Batches> {
  const data = entry?.inputs.filter(({ origin }) => origin !== "caller" && "data" in origin) ?? [];
  const inputs = data.map(({ value }) => ({ name: value.hint, type: printType(value.type), source: "data" as const }));
  return new Batches(await openDigits(), call, { inputs, outputs: [], updates: [] });
}

/** The training batches of seed 1, by step, for a module with one entry. */
export async function digitSteps(module: Module): Promise<BatchOf> {
  const batches = await digitBatches(module);
  return (step) => batches.training(1, step);
}

export interface DigitsOptions {
  readonly policy: string;
  readonly targets: readonly Target[];
  /** Default false. */
  readonly portable?: boolean;
  readonly set?: readonly string[];
}

/** The recipe compiled as `bitloom train` does it: entries `train` and `eval`. */
export function compileDigits({ policy, targets, portable = false, set = [] }: DigitsOptions): CompiledArtifact {
  const entries = (name: string) => name === "train" || name === "eval";
  return unwrap(compile(mlpSource(), { recipe: "digits", policy, targets, portable, set, entries }));
}

/** A hidden layer of 64 takes a fraction of the recipe's time, and every kernel is there. */
export const smallModel = ["model.hidden=64"];

/** Every tensor of state as hexadecimal bytes, so that tests compare bits and report names. */
export async function stateBytes(session: Session): Promise<Readonly<Record<string, string>>> {
  const read = session.artifact.manifest.state.map(async ({ name }) => {
    const { buffer, byteOffset, byteLength } = await session.readState(name);
    return [name, Buffer.from(buffer, byteOffset, byteLength).toString("hex")] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}
