// The table of quantizers. To add one: write its file beside this one and add its line here (CONTRIBUTING.md walks through it).
import { reject } from "../diagnostic.ts";
import { suggest } from "../nearest.ts";
import { adabin } from "./adabin.ts";
import type { QuantizeChoice } from "./choice.ts";
import { e2m1 } from "./e2m1.ts";
import { lloyd } from "./lloyd.ts";
import { lsq } from "./lsq.ts";
import { lsqPlus } from "./lsq-plus.ts";
import { mxfp4 } from "./mxfp4.ts";
import { pact } from "./pact.ts";
import { prune24, prune48 } from "./prune.ts";
import type { Pruner, Quantizer, Scheme } from "./quantizer.ts";
import { quest } from "./quest.ts";
import { sparse24, sparse48 } from "./sparse.ts";
import { ste, steAbsmax } from "./straight-through.ts";
import { ternary } from "./ternary.ts";

export const quantizers: readonly Quantizer[] = [
  quest,
  ste,
  steAbsmax,
  ternary,
  e2m1,
  lloyd,
  mxfp4,
  sparse48,
  sparse24,
  lsq,
  pact,
  lsqPlus,
  adabin,
];

export const pruners: readonly Pruner[] = [prune48, prune24];

/** All that a policy may choose. */
export const schemes: readonly Scheme[] = [...quantizers, ...pruners];

export const quantizerNames = (): readonly string[] => quantizers.map((q) => q.name);

/** The quantizer of a name that has been checked already. */
export function quantizerNamed(name: string): Quantizer {
  const found = quantizers.find((q) => q.name === name);
  if (found === undefined) throw new Error(`no quantizer ${name}`);
  return found;
}

/** The scheme of a choice that has been checked already. */
export function schemeNamed(name: string): Scheme {
  return prunerNamed(name) ?? quantizerNamed(name);
}

export const prunerNamed = (name: string): Pruner | undefined => pruners.find((p) => p.name === name);

/** Reject a choice whose scheme, setting names or setting values the table does not know, or that leaves out a required one. */
export function checkChoice(choice: QuantizeChoice): void {
  const found = schemes.find((s) => s.name === choice.scheme);
  if (found === undefined)
    return reject(
      `no scheme \`${choice.scheme}\``,
      suggest(
        choice.scheme,
        schemes.map((s) => s.name),
      ),
    );
  const names = Object.keys(found.settings);
  for (const [name, value] of Object.entries(choice.settings)) {
    const setting = Object.hasOwn(found.settings, name) ? found.settings[name] : undefined;
    if (setting === undefined) reject(`no setting \`${name}\`; \`${found.name}\` has ${names.join(", ")}`);
    else if (!setting.accepts(value)) reject(`\`${name} = ${value}\` is not ${setting.describe}`);
  }
  for (const [name, setting] of Object.entries(found.settings)) {
    if (setting.fallback === undefined && !(name in choice.settings))
      reject(`\`${found.name}\` needs the setting \`${name}\` (${setting.describe})`);
  }
}
