// The golden vectors of QuEST: their form, where they come from, and how a reference quantizer reads as our settings.
import { readFileSync } from "node:fs";
import type { QuantizeChoice } from "../../ir/quant/choice.ts";

export type Rows = readonly (readonly number[])[];

export interface GoldenInput {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly hadamard_block: number;
  readonly x: Rows;
  readonly w: Rows;
  readonly dy: Rows;
}

export interface GoldenCase {
  readonly input: string;
  readonly quantizer: string;
  readonly kwargs: { readonly bits: number; readonly clip_scale?: number };
  readonly rotation: "none" | "half" | "full";
  readonly estimator: string;
  readonly bits: number;
  readonly h: "exact" | "bf16";
  readonly y: Rows;
  readonly dx: Rows;
  readonly dw: Rows;
  /** Absent in some cases (those with `h: bf16`). */
  readonly x_codes?: Rows;
  readonly w_codes?: Rows;
  readonly x_mask?: readonly string[];
  readonly w_mask?: readonly string[];
}

/** One layer whose sides may have different quantizers. */
export interface GoldenExtra {
  readonly label: string;
  readonly input: string;
  readonly a_quantizer: string;
  readonly a_kwargs: SideArguments;
  readonly w_quantizer: string;
  readonly w_kwargs: SideArguments;
  /** What the reference multiplies: rotated where its quantizers are half, rotated back where they are full. */
  readonly x_q?: Rows;
  readonly w_q?: Rows;
  readonly y: Rows;
  readonly dx: Rows;
  readonly dw: Rows;
}

interface SideArguments {
  readonly bits?: number;
  readonly trust?: number;
}

/** INT4 inference as the published kernels have it, on numbers and steps that are bf16 (spec 5). Steps are columns of one. */
export interface GoldenKernel {
  readonly a: Rows;
  readonly w: Rows;
  readonly a_step_bf16: Rows;
  readonly w_step_bf16: Rows;
  readonly a_codes: Rows;
  readonly w_codes: Rows;
  readonly a_packed: Rows;
  readonly w_packed: Rows;
  readonly a_row_sum: Rows;
  readonly w_row_sum: Rows;
  readonly w_add: Rows;
  readonly C_int32: Rows;
  readonly y_bf16: Rows;
  readonly y_float64: Rows;
  readonly sparse_w?: {
    readonly compressed_codes: Rows;
    readonly compressed_packed: Rows;
    readonly kept_pair_idx: Rows;
    readonly meta_u32: Rows;
  };
}

export interface GoldenFile {
  readonly inputs: Readonly<Record<string, GoldenInput>>;
  readonly cases: readonly GoldenCase[];
  readonly extra?: readonly GoldenExtra[];
  readonly edge?: {
    readonly x: Rows;
    readonly runs: readonly { readonly quantizer: string; readonly bits: number; readonly out: Rows; readonly grad_of_sum: Rows }[];
  };
  readonly int4_kernel?: GoldenKernel;
  readonly sgd?: {
    readonly inputs: { readonly x: Rows; readonly w0: Rows; readonly target: Rows };
    readonly runs: readonly {
      readonly quantizer: string;
      readonly kwargs: { readonly bits: number; readonly clip_scale?: number };
      readonly lr: number;
      readonly losses: readonly number[];
    }[];
  };
}

/** The project's own file, or the one that the environment variable GOLDEN_QUEST names. */
export const goldenPath = process.env["GOLDEN_QUEST"] ?? new URL("quest.json", import.meta.url).pathname;
export const isOwnFile = process.env["GOLDEN_QUEST"] === undefined;
export const golden: GoldenFile = JSON.parse(readFileSync(goldenPath, "utf8"));

const referenceClass = /^(HalfHadamard|Hadamard|)(Trust|Clip|STE|FP4Trust)Quantizer$/;

/** Our settings for a class of the reference, the same on both sides; undefined where the quantizer is not built. */
export function choiceFor(name: string, bits: number, block: number, clipScale = 1): QuantizeChoice | undefined {
  const match = referenceClass.exec(name);
  if (match === null) return undefined;
  const [, prefix, rule] = match;
  const rotation = { hadamard: prefix === "" ? "none" : block, rotation: prefix === "Hadamard" ? "full" : "half" };
  if (rule === "FP4Trust") return { scheme: "e2m1", settings: rotation };
  const settings = { w: bits, a: bits, ...rotation };
  return rule === "STE" ? { scheme: "ste", settings } : { scheme: "quest", settings: { ...settings, outer: rule === "Trust" ? "trust" : clipScale } };
}

const pruned = /^(HalfHadamard|Hadamard|)FourEight(Trust|Clip|STE)Quantizer$/;

/** The same for a layer's sides, where one is left in float or both differ in their widths alone, or weights are pruned; undefined where that is not built. */
export function choiceForSides({ a_quantizer, a_kwargs, w_quantizer, w_kwargs }: GoldenExtra, block: number): QuantizeChoice | undefined {
  const isFloat = (name: string) => name === "NoQuantizer";
  const a = isFloat(a_quantizer) ? "none" : (a_kwargs.bits ?? Number.NaN);
  const [, prefix, rule] = pruned.exec(w_quantizer) ?? [];
  if (rule !== undefined) {
    // Beside pruned weights activations are dense, in the same rotation.
    if (a !== "none" && a_quantizer !== `${prefix}TrustQuantizer`) return undefined;
    const rotation = { hadamard: prefix === "" ? "none" : block, rotation: a === "none" ? lone(prefix) : prefix === "Hadamard" ? "full" : "half" };
    return { scheme: "sparse_4_8", settings: { w: w_kwargs.bits ?? 4, a, ...rotation, outer: { Trust: "trust", Clip: 1, STE: "all" }[rule] ?? "trust" } };
  }
  if (w_quantizer === "FourEightMaskedQuantizer") return isFloat(a_quantizer) ? { scheme: "prune_4_8", settings: {} } : undefined;
  if (!isFloat(a_quantizer) && a_quantizer !== w_quantizer) return undefined;
  if (w_quantizer === "LSQQuantizer") return { scheme: "lsq", settings: { w: w_kwargs.bits ?? Number.NaN, a: a_kwargs.bits ?? Number.NaN } };
  const choice = choiceFor(w_quantizer, w_kwargs.bits ?? Number.NaN, block);
  if (choice === undefined) return undefined;
  // Without a threshold of its own the reference has the one of the published runs (spec P4).
  if (choice.scheme === "e2m1") return { ...choice, settings: { ...choice.settings, outer: w_kwargs.trust === undefined ? "published" : "trust" } };
  const alone = a === "none" ? { rotation: lone(referenceClass.exec(w_quantizer)?.[1]) } : {};
  return { ...choice, settings: { ...choice.settings, ...alone, a } };
}

/** How the reference rotates a side that is quantized alone: half, and the other stays as it is (spec P8). */
const lone = (prefix: string | undefined): string => (prefix === "HalfHadamard" ? "absorbed" : "full");

export const flat = (rows: Rows): number[] => rows.flat();

/** Largest |actual - expected| as a share of the largest |expected|, or of `least` where all of them are smaller. */
export function worstShare(actual: ArrayLike<number>, expected: readonly number[], least = 0): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} elements, expected ${expected.length}`);
  const largest = expected.reduce((most, v) => Math.max(most, Math.abs(v)), least);
  return expected.reduce((worst, v, i) => Math.max(worst, Math.abs((actual[i] ?? Number.NaN) - v)), 0) / largest;
}
