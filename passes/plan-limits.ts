// What cannot be planned: told as problems of the module before any kernel is made.
import { type Diagnostic, error } from "../ir/diagnostic.ts";
import { namesOfDim } from "../ir/dim.ts";
import { type Entry, type Instruction, type Value, valueNames } from "../ir/module.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import type { PlanEntry, Target } from "../ir/plan.ts";
import { printType } from "../ir/type.ts";

/** The widest block of a transform that a row kernel makes. */
export const largestBlock = 128;

/** Problems of an entry that are there before anything is planned: one of each kind, at the first value or instruction that has it. */
export function entryProblems(entry: Entry, target: Target): readonly Diagnostic[] {
  const names = valueNames(entry);
  const unbound = firstOf([...names], ([value, name]) => unboundDim(entry, value, name));
  if (unbound !== undefined) return [unbound];
  const narrow = firstOf([...names], ([value, name]) => unstorable(entry, value, name, target));
  const transform = firstOf(entry.instructions, (i) => unplannedTransform(entry, i));
  return [takenName(entry, names), narrow, transform].filter((problem) => problem !== undefined);
}

/** Tensors that the target cannot bind. */
export function sizeProblems(entry: Pick<PlanEntry, "name" | "buffers">, { name, limits }: Target): readonly Diagnostic[] {
  const most = limits.maxStorageBufferBindingSize;
  return entry.buffers
    .filter(({ bytes }) => bytes > most)
    .map((buffer) =>
      error(
        "too-large",
        `@${entry.name}: ${buffer.name}: ${printType(buffer.type)} takes ${buffer.bytes} bytes, the target ${name} binds ${most} at most`,
        undefined,
        "",
        [
          buffer.role.kind === "temporary"
            ? "what is computed from a batch gets smaller with it: `--set data.batch=1`, with `accumulate` for the same step"
            : "only what is looked up by rows or contracted is cut into pieces of rows",
        ],
      ),
    );
}

function firstOf<T>(list: readonly T[], problemOf: (item: T) => Diagnostic | undefined): Diagnostic | undefined {
  for (const item of list) {
    const problem = problemOf(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function unboundDim(entry: Entry, { type }: Value, name: string): Diagnostic | undefined {
  const [unbound] = type.dims.flatMap(namesOfDim);
  if (unbound === undefined) return undefined;
  const message = `@${entry.name} has no size for \`${unbound}\`, which %${name}: ${printType(type)} needs`;
  return error("unbound-dimension", message, undefined, "", [`bind it on the command line: \`--set ${unbound}=1\``]);
}

/** Inputs are given by name: an array may not be called as a scalar of the host is. */
function takenName(entry: Entry, names: ReadonlyMap<Value, string>): Diagnostic | undefined {
  const host = new Set(entry.inputs.flatMap(({ origin }) => (origin !== "caller" && "host" in origin ? [origin.host] : [])));
  const taken = entry.inputs.find(({ value, origin }) => (origin === "caller" || "data" in origin) && host.has(names.get(value) ?? ""));
  if (taken === undefined) return undefined;
  const name = names.get(taken.value);
  const message = `@${entry.name}: the array \`${name}\` has the name of the host scalar \`${name}\``;
  return error("taken-name", message, undefined, "", ["call the array something else"]);
}

function unstorable(entry: Entry, { type }: Value, name: string, target: Target): Diagnostic | undefined {
  if (type.kind !== "tensor" || (type.scalar !== "f16" && type.scalar !== "bf16")) return undefined;
  if (type.scalar === "f16" && target.features.includes("shader-f16")) return undefined;
  const why = type.scalar === "f16" ? `the target ${target.name} has no \`shader-f16\`` : "kernels have no bf16 yet";
  const message = `@${entry.name}: %${name}: ${printType(type)}: ${why}`;
  return error("unsupported-type", message, undefined, "", ["use f32"]);
}

function unplannedTransform(entry: Entry, { op, operands: [x], attrs }: Instruction): Diagnostic | undefined {
  if (op.signature.name !== hadamard.name || x === undefined) return undefined;
  if (Number(attrs["block"]) > largestBlock) {
    const message = `@${entry.name}: a \`hadamard\` with blocks of ${attrs["block"]}: kernels make blocks up to ${largestBlock}`;
    return error("unsupported-block", message);
  }
  if (attrs["axis"] === x.type.dims.length - 1) return undefined;
  const message = `@${entry.name}: a \`hadamard\` along axis ${attrs["axis"]} of ${printType(x.type)}: kernels transform the last axis`;
  return error("unsupported-axis", message, undefined, "", ["`expand` turns the axis to the end"]);
}
