// What a policy means for a model: for each matrix the rule that decides, the bits that follow, and the bytes that they take.
import { hasErrors, type Report } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { byteLength } from "../../ir/packing.ts";
import { printChoice, type QuantizeChoice } from "../../ir/quant/choice.ts";
import type { Side } from "../../ir/quant/quantizer.ts";
import { floatBits, storedBits } from "../../ir/quant/stored-bits.ts";
import { schemeNamed } from "../../ir/quant/table.ts";
import { positionAt, type Source, type Span } from "../../ir/source.ts";
import { elementCount, printType, shapeOf } from "../../ir/type.ts";
import { instancesBelow, type Weight } from "../sema/resolved.ts";
import { type FrontEndOptions, lowerSource } from "./frontend.ts";

export interface PolicyExplanation {
  readonly model: string;
  readonly policy: string;
  /** One for each matrix of the model, in order of declaration. */
  readonly sites: readonly SiteExplanation[];
  /** Bytes of all parameters in f32, and with the matrices that are quantized as codes and scales. */
  readonly floatBytes: number;
  readonly bytes: number;
}

export interface SiteExplanation {
  /** Path of the instance that owns the matrix. */
  readonly path: string;
  readonly parameter: string;
  readonly type: string;
  /** The rule that decides, as it is written, and `path:line` of it. */
  readonly rule: string;
  readonly at: string;
  /** The scheme with its settings; absent where the matrix stays in float. */
  readonly choice?: string;
  readonly weight?: Side;
  readonly activation?: Side;
  /** Why a choice has no effect: no contraction of the model reads the matrix. */
  readonly unused?: true;
  readonly floatBytes: number;
  /** Bits of an element in a packed file, scales not counted. */
  readonly storedBits: number;
  /** Codes, scales and offsets in a packed file, or the matrix in f32. */
  readonly bytes: number;
}

/** Explain the policy of a recipe, or the one that `options.policy` names. The problems are those of compiling the model. */
export function explainPolicy(source: Source, options: FrontEndOptions): Report<PolicyExplanation> {
  const { value, diagnostics } = lowerSource(source, options);
  if (value === undefined || hasErrors(diagnostics)) return { diagnostics };
  const { module, resolved } = value;
  const { policy, model, modelName, ties } = resolved;
  const contracted = sitesOf(module);
  const owners = instancesBelow(model);
  const sites = owners.flatMap((owner) => {
    const decided = policy?.sites.get(owner.path);
    if (decided === undefined) return [];
    const matrices = [...owner.weights].filter(([, weight]) => weight.type.dims.length >= 2);
    return matrices.map(([name, weight]) => explainSite(owner.path, name, weight, decided, contracted.has(owner.path)));
  });
  const all = owners.flatMap((owner) => [...owner.weights.values()]).filter((weight) => !ties.has(weight.path));
  const floatBytes = all.reduce((sum, { type }) => sum + byteLength(type), 0);
  const own = sites.filter(({ path, parameter }) => !ties.has(`${path}.${parameter}`));
  const saved = own.reduce((sum, site) => sum + site.floatBytes - site.bytes, 0);
  return {
    value: { model: modelName, policy: policy?.name ?? "none", sites, floatBytes, bytes: floatBytes - saved },
    diagnostics,
  };
}

/** Paths of the instances whose matrix a contraction reads, in any entry. */
function sitesOf(module: Module): ReadonlySet<string> {
  return new Set(module.entries.flatMap(({ instructions }) => instructions.flatMap(({ marks }) => marks.site ?? [])));
}

function explainSite(
  path: string,
  parameter: string,
  { type }: Weight,
  { choice, rule }: { readonly choice?: QuantizeChoice; readonly rule: Span },
  isContracted: boolean,
): SiteExplanation {
  const floatBytes = byteLength(type);
  const base = { path, parameter, type: printType(type), ...placeOf(rule), floatBytes };
  const inFloat = { ...base, storedBits: floatBits, bytes: floatBytes };
  if (choice === undefined) return inFloat;
  if (!isContracted) return { ...inFloat, choice: printChoice(choice), unused: true };
  const columns = shapeOf(type).at(-1) ?? 1;
  const sides = schemeNamed(choice.scheme).sides(choice.settings, columns);
  const bits = storedBits(choice, columns);
  const isFloat = sides.weight === undefined || bits === floatBits;
  const bytes = isFloat ? floatBytes : quantizedBytes(elementCount(shapeOf(type)), columns, bits, sides.weight);
  return { ...base, choice: printChoice(choice), ...sides, storedBits: bits, bytes };
}

function quantizedBytes(elements: number, columns: number, bits: number, { group, centered }: Side): number {
  const scales = elements / (group === "row" ? columns : group);
  return Math.ceil((elements * bits) / 8) + 4 * scales * (centered === true ? 2 : 1);
}

function placeOf({ source, start, end }: Span): { readonly rule: string; readonly at: string } {
  const rule = source.text.slice(start, end).replace(/\s+/g, " ");
  return { rule, at: `${source.path}:${positionAt(source, start).line}` };
}
