// What a run gives back: new arrays, or those of the caller.
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { printType } from "../ir/type.ts";
import type { ReadyEntry } from "./bind.ts";
import type { PendingRead } from "./readback.ts";
import type { Outputs, RunResult } from "./session.ts";
import { arrayName, copyStored, fromStored, type HostArray, hostLength, isArrayOf } from "./values.ts";

/** Whether the caller's arrays can hold the outputs that they are for. Throws a DiagnosticError `bad-input` where one cannot. */
export function checkInto(entryName: string, { outputs }: ReadyEntry, into: Outputs): void {
  const bad = (message: string): never => {
    throw new DiagnosticError([error("bad-input", `entry \`${entryName}\`: ${message}`)]);
  };
  const taken = new Map<ArrayBufferLike, string>();
  for (const [name, array] of Object.entries(into)) {
    const output = outputs.find((each) => each.name === name);
    if (output === undefined) return bad(`no output \`${name}\`; its outputs are ${outputs.map((each) => each.name).join(", ") || "none"}`);
    const { type, byteLength } = output;
    const length = hostLength(type, byteLength);
    if (!isArrayOf(array, type, length))
      bad(
        `\`${name}\` is ${printType(type)}: it takes ${length} elements of ${arrayName(type)}, got ${array.length} of ${array.constructor.name}`,
      );
    const other = taken.get(array.buffer);
    if (other !== undefined) bad(`\`${name}\` and \`${other}\` are to be written into one buffer`);
    taken.set(array.buffer, name);
  }
}

/** The outputs of a run, and its times on the adapter where they were measured. */
export async function readRun({ outputs, timing }: ReadyEntry, pending: PendingRead, into: Outputs): Promise<RunResult> {
  let times = new BigUint64Array(0);
  const read = await pending.read((bytes, part): readonly (readonly [string, HostArray])[] => {
    const output = outputs[part];
    if (output === undefined) {
      times = new BigUint64Array(bytes.slice().buffer);
      return [];
    }
    const { name, type, byteLength } = output;
    const stored = bytes.subarray(0, byteLength);
    const given = Object.hasOwn(into, name) ? into[name] : undefined;
    if (given === undefined) return [[name, fromStored(type, stored.slice().buffer)]];
    copyStored(type, stored, given);
    return [[name, given]];
  });
  const result = { outputs: Object.fromEntries(read.flat()) };
  if (timing === undefined) return result;
  const gpuMs = Array.from({ length: times.length / 2 }, (_, i) => Number((times[2 * i + 1] ?? 0n) - (times[2 * i] ?? 0n)) / 1e6);
  return { ...result, gpuMs };
}
