// Whether what an `artifact.json` says can be run: every field of its type, and everything that is referred to there and large enough.
import type {
  ArtifactManifest,
  DispatchRecord,
  EntryPlacement,
  EntryRecord,
  InputRecord,
  KernelRecord,
  OutputRecord,
  RunRecord,
  SlabRange,
  SlabRecord,
  StateRecord,
  TargetRecord,
  TargetRequirements,
} from "../ir/artifact.ts";
import { type Check, finite, flag, keyed, listOf, objectOf, oneOf, optional, recordOf, text, tupleOf, whole } from "../ir/check.ts";
import { Rejection, reject } from "../ir/diagnostic.ts";
import type { HostRule } from "../ir/host.ts";
import type { InitRule } from "../ir/init.ts";
import { byteLength } from "../ir/packing.ts";
import { parseType } from "../ir/parse-type.ts";
import { concreteShape, elementCount, type Type } from "../ir/type.ts";
import { canInitialise } from "./init.ts";

/** The manifest in a parsed JSON file. Throws a Rejection that names the place of what is wrong. */
export function checkManifest(json: unknown): ArtifactManifest {
  const manifest = shape(json, "");
  unique(manifest.state, "state");
  unique(manifest.targets, "targets");
  for (const [i, state] of manifest.state.entries()) checkState(state, `state[${i}]`, manifest);
  for (const [name, entry] of Object.entries(manifest.entries)) checkEntry(entry, `entries.${name}`, manifest);
  for (const [i, target] of manifest.targets.entries()) checkTarget(target, `targets[${i}]`, manifest);
  return manifest;
}

// Fields

/** Slabs are WebGPU buffers, whose sizes are whole numbers far below this. */
const largestSlab = 2 ** 40;
const bytes = whole(0, largestSlab);
const size3 = (most: number): Check<readonly [number, number, number]> => tupleOf(whole(1, most), whole(1, most), whole(1, most));
const slabRange: Check<SlabRange> = tupleOf(text, bytes, whole(1, largestSlab));
/** Stays in the artifact's folder: an artifact may come from anywhere. */
const fileInFolder: Check<string> = (value, at) => {
  const path = text(value, at);
  if (/^[\w-]+(?:\.[\w-]+)*(?:\/[\w-]+(?:\.[\w-]+)*)*$/.test(path)) return path;
  return reject(`\`${at}\` must be the path of a file in the artifact, not ${JSON.stringify(path)}`);
};

const pair = tupleOf(finite, finite);
const namedInit = oneOf("zeros", "ones");
const madeInit = keyed<Extract<InitRule, object>>({ constant: finite, normal: pair, uniform: pair });
const init: Check<InitRule> = (value, at) => (typeof value === "string" ? namedInit(value, at) : madeInit(value, at));

const hostRule = keyed<HostRule>({
  constant: objectOf({ value: finite }),
  warmup_cosine: objectOf({ peak: finite, warmup: whole(0), steps: whole(1), floor: finite }),
  one_cycle: objectOf({ peak: finite, warmup: whole(0), steps: whole(1), start: finite, floor: finite }),
  bias_correction: objectOf({ beta: finite }),
});

const state = objectOf<StateRecord>({
  name: text,
  type: text,
  role: oneOf("parameter", "calibration", "optimizer", "gradient", "cache", "codes"),
  init,
  decay: flag,
  rotation: optional(bytes),
  slab: text,
  offset: bytes,
  bytes,
  pieces: optional(listOf(slabRange)),
  tied: listOf(text),
});

const output = objectOf<OutputRecord>({ name: text, type: text });
const entry = objectOf<EntryRecord>({
  inputs: listOf(objectOf<InputRecord>({ name: text, type: text, source: oneOf("data", "host"), below: optional(whole(1)) })),
  outputs: listOf(output),
  updates: listOf(text),
});

const literal: Check<string | number | boolean> = (value, at) =>
  typeof value === "string" || typeof value === "boolean" ? value : finite(value, at);
type Evaluation = NonNullable<RunRecord["evaluate"]>;
const run = objectOf<RunRecord>({
  steps: whole(1),
  data: objectOf<RunRecord["data"]>({ source: text, args: listOf(literal), named: recordOf(literal), arrays: listOf(text) }),
  accumulate: optional(whole(1)),
  evaluate: optional(
    objectOf<Evaluation>({
      everySteps: whole(1),
      metrics: listOf(objectOf<Evaluation["metrics"][number]>({ metric: oneOf("loss", "accuracy"), batches: optional(whole(1)) })),
    }),
  ),
  checkpoint: optional(keyed<NonNullable<RunRecord["checkpoint"]>>({ everySteps: whole(1), everySeconds: whole(1) })),
});

const requires = objectOf<TargetRequirements>({
  features: listOf(text),
  subgroupSize: optional(whole(1, 1024)),
  subgroups: optional(oneOf("forced", "fixed", "any", "none")),
  limits: recordOf(finite),
});
const kernel = objectOf<KernelRecord>({ file: fileInFolder, workgroup: size3(1024), bindings: whole(1, 1000), immediates: whole(0, 16) });
const dispatch = objectOf<DispatchRecord>({
  kernel: whole(0),
  bind: listOf(slabRange),
  immediates: listOf(whole(0, 2 ** 32 - 1)),
  groups: size3(65_535),
  serves: listOf(text),
  at: optional(text),
});
const target = objectOf<TargetRecord>({
  name: text,
  requires,
  slabs: listOf(objectOf<SlabRecord>({ name: text, bytes })),
  kernels: listOf(kernel),
  entries: recordOf(objectOf<EntryPlacement>({ inputs: recordOf(slabRange), outputs: recordOf(slabRange) })),
  dispatches: recordOf(listOf(dispatch)),
  constants: listOf(objectOf({ range: slabRange, file: fileInFolder })),
});

const shape = objectOf<ArtifactManifest>({
  format: oneOf("bitloom-artifact"),
  version: oneOf(1),
  model: text,
  policy: text,
  recipe: optional(text),
  precision: optional(oneOf("f16")),
  sources: recordOf(text),
  state: listOf(state),
  host: recordOf(hostRule),
  entries: recordOf(entry),
  run: optional(run),
  targets: listOf(target),
  schedules: text,
});

// What fields say about each other

function unique(items: readonly { readonly name: string }[], at: string): void {
  const names = items.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) reject(`\`${at}\` has two with the name ${JSON.stringify(twice)}`);
}

/** A type with the sizes of all its axes, none of them beyond what a buffer could hold. */
function boundType(text: string, at: string): Type {
  const type = parsed(text, at);
  const sizes = concreteShape(type);
  if (sizes === undefined || sizes.some((size) => size < 1) || elementCount(sizes) > largestSlab)
    return reject(`\`${at}\`: ${JSON.stringify(text)} does not say the sizes of all axes, from 1`);
  return type;
}

function parsed(text: string, at: string): Type {
  try {
    return parseType(text);
  } catch (problem) {
    if (problem instanceof Rejection) return reject(`\`${at}\`: ${problem.message}`);
    throw problem;
  }
}

function checkState(
  { type: typeText, init: rule, slab, offset, bytes: size, pieces }: StateRecord,
  at: string,
  { targets }: ArtifactManifest,
): void {
  const type = boundType(typeText, `${at}.type`);
  if (!canInitialise(type, rule)) reject(`\`${at}.init\` cannot be the initial value of ${typeText}`);
  for (const { name, slabs } of targets)
    for (const range of pieces ?? [[slab, offset, size] as const]) checkInside(range, at, slabs, `target \`${name}\``);
  const [first] = pieces ?? [];
  if (first !== undefined && (first[0] !== slab || first[1] !== offset)) reject(`\`${at}.pieces\` do not begin where the state does`);
  const held = pieces?.reduce((sum, [, , each]) => sum + each, 0) ?? size;
  if (held !== size) reject(`\`${at}.pieces\` have ${held} bytes, the state has ${size}`);
  checkRoom(type, size, at);
}

function checkEntry({ inputs, outputs, updates }: EntryRecord, at: string, { state: states, host }: ArtifactManifest): void {
  unique(inputs, `${at}.inputs`);
  unique(outputs, `${at}.outputs`);
  for (const [i, { name, type, source }] of inputs.entries()) {
    boundType(type, `${at}.inputs[${i}].type`);
    if (source !== "host") continue;
    if (!Object.hasOwn(host, name)) reject(`\`${at}.inputs[${i}]\` is a scalar of the host, and \`host\` has no rule for it`);
    if (type !== "f32[]") reject(`\`${at}.inputs[${i}].type\` of a scalar of the host must be "f32[]", not ${JSON.stringify(type)}`);
  }
  for (const [i, { type }] of outputs.entries()) boundType(type, `${at}.outputs[${i}].type`);
  for (const name of updates)
    if (!states.some((s) => s.name === name)) reject(`\`${at}.updates\`: there is no state ${JSON.stringify(name)}`);
}

function checkTarget({ slabs, kernels, entries, dispatches, constants }: TargetRecord, at: string, manifest: ArtifactManifest): void {
  unique(slabs, `${at}.slabs`);
  const known = `\`${at}.slabs\``;
  for (const [name, { inputs, outputs }] of Object.entries(manifest.entries)) {
    const placed = Object.hasOwn(entries, name) ? entries[name] : undefined;
    if (placed === undefined) return reject(`\`${at}.entries\` lacks the entry ${JSON.stringify(name)}`);
    if (!Object.hasOwn(dispatches, name)) reject(`\`${at}.dispatches\` lacks the entry ${JSON.stringify(name)}`);
    checkPlaces(inputs, placed.inputs, `${at}.entries.${name}.inputs`, slabs);
    checkPlaces(outputs, placed.outputs, `${at}.entries.${name}.outputs`, slabs);
  }
  for (const [name, list] of Object.entries(dispatches))
    for (const [i, one] of list.entries()) checkDispatch(one, `${at}.dispatches.${name}[${i}]`, slabs, kernels);
  for (const [i, { range }] of constants.entries()) checkRange(range, `${at}.constants[${i}].range`, slabs, known);
}

function checkPlaces(
  tensors: readonly OutputRecord[],
  places: Readonly<Record<string, SlabRange>>,
  at: string,
  slabs: readonly SlabRecord[],
): void {
  for (const { name, type } of tensors) {
    const range = Object.hasOwn(places, name) ? places[name] : undefined;
    if (range === undefined) return reject(`\`${at}\` has no place for ${JSON.stringify(name)}`);
    checkInside(range, `${at}.${name}`, slabs, "the target");
    checkRoom(parseType(type), range[2], `${at}.${name}`);
  }
}

function checkDispatch(
  { kernel: index, bind, immediates }: DispatchRecord,
  at: string,
  slabs: readonly SlabRecord[],
  kernels: readonly KernelRecord[],
): void {
  const used = kernels[index];
  if (used === undefined) return reject(`\`${at}.kernel\` is ${index}, the target has ${kernels.length} kernels`);
  if (bind.length !== used.bindings || immediates.length !== used.immediates) {
    const given = `${bind.length} buffers and ${immediates.length} immediates`;
    reject(`\`${at}\` binds ${used.file} with ${given}, the kernel has ${used.bindings} and ${used.immediates}`);
  }
  for (const [i, range] of bind.entries()) checkRange(range, `${at}.bind[${i}]`, slabs, "the target");
  const sorted = bind.toSorted((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]));
  const overlaps = sorted.some(([slab, offset], i) => {
    const [before, start, length] = sorted[i - 1] ?? [];
    return slab === before && offset < (start ?? 0) + (length ?? 0);
  });
  if (overlaps) reject(`\`${at}.bind\` has ranges that overlap`);
}

/** In its slab, at an offset that a binding may have. */
function checkRange(range: SlabRange, at: string, slabs: readonly SlabRecord[], owner: string): void {
  const [, offset, size] = range;
  checkInside(range, at, slabs, owner);
  if (offset % 256 !== 0 || size % 16 !== 0)
    reject(`\`${at}\`: an offset is a multiple of 256, a length one of 16; got ${offset}, ${size}`);
}

/** In its slab, at an offset that a copy may have. */
function checkInside([slab, offset, size]: SlabRange, at: string, slabs: readonly SlabRecord[], owner: string): void {
  const found = slabs.find(({ name }) => name === slab);
  if (found === undefined) return reject(`\`${at}\`: ${owner} has no slab ${JSON.stringify(slab)}`);
  if (offset % 4 !== 0) reject(`\`${at}\`: an offset is a multiple of 4, not ${offset}`);
  if (offset + size > found.bytes) reject(`\`${at}\` ends at byte ${offset + size}, the slab ${JSON.stringify(slab)} has ${found.bytes}`);
}

function checkRoom(type: Type, size: number, at: string): void {
  const needed = type.kind === "tensor" && (type.scalar === "f16" || type.scalar === "bf16") ? 0 : byteLength(type);
  if (needed > size) reject(`\`${at}\` has ${size} bytes, its tensor takes ${needed}`);
}
