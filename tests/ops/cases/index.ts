// All ops' cases. The registry test fails for an op that is not here.
import type { Cases } from "../support/case.ts";
import { arithmeticCases } from "./arithmetic.ts";
import { compareCases } from "./compare.ts";
import { functionCases } from "./functions.ts";
import { optimizerCases } from "./optimizer.ts";
import { pruneCases } from "./prune.ts";
import { quantCases } from "./quant.ts";
import { reductionCases } from "./reductions.ts";
import { sequenceCases } from "./sequence.ts";
import { viewCases } from "./views.ts";

export const cases: Cases = {
  ...viewCases,
  ...arithmeticCases,
  ...functionCases,
  ...compareCases,
  ...reductionCases,
  ...quantCases,
  ...pruneCases,
  ...optimizerCases,
  ...sequenceCases,
};
