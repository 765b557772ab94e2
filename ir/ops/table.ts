// The table of ops. To add one: write it in its family's file and add its line here (CONTRIBUTING.md walks through it).
import { Builder } from "../builder.ts";
import type { Op } from "../op.ts";
import { geluOp, geluSlopeOp, reluOp, sigmoidOp, siluOp, tanhOp } from "./activation.ts";
import { absOp, addOp, clampOp, divOp, floorOp, maximumOp, minimumOp, mulOp, negOp, remOp, roundOp, subOp } from "./arithmetic.ts";
import { attentionGradKeyOp, attentionGradQueryOp, attentionOp, cachedAttentionOp } from "./attention.ts";
import { broadcastOp, sumOp } from "./broadcast.ts";
import { castOp } from "./cast.ts";
import {
  equalOp,
  greaterEqualOp,
  greaterOp,
  isFiniteOp,
  lessEqualOp,
  lessOp,
  logicalAndOp,
  logicalNotOp,
  logicalOrOp,
  notEqualOp,
  selectOp,
} from "./compare.ts";
import { cacheWriteOp, concatOp } from "./concat.ts";
import { dotOp } from "./dot.ts";
import { expOp, logOp, rsqrtOp, sqrtOp } from "./exponential.ts";
import { hadamardOp } from "./hadamard.ts";
import { gatherOp, scatterAddOp } from "./indexing.ts";
import { crossEntropyOp, mseOp } from "./loss.ts";
import { layerNormOp, rmsNormOp } from "./normalize.ts";
import { adamwOp, globalNormOp, sgdMomentumOp, sgdOp } from "./optimizer.ts";
import { pruneMaskOp, pruneOp } from "./prune.ts";
import { quantCenterOp, quantDecodeOp, quantEncodeOp, quantFakeOp, quantMaskOp, quantScaleOp, quantSurrogateOp } from "./quant.ts";
import { quantDotOp } from "./quant-dot.ts";
import { argmaxOp, maxOp, meanOp, minOp } from "./reductions.ts";
import { ropeOp, ropeTableOp } from "./rope.ts";
import { rowConcatOp, rowSliceOp } from "./row-parts.ts";
import { scaleGradientOp } from "./scale-gradient.ts";
import { logSoftmaxOp, softmaxOp } from "./softmax.ts";
import { constantOp, iotaOp, stateReadOp } from "./source.ts";
import { padOp, reshapeOp, reverseOp, sliceOp, transposeOp } from "./views.ts";

export const ops: readonly Op[] = [
  stateReadOp,
  constantOp,
  iotaOp,
  addOp,
  subOp,
  mulOp,
  divOp,
  remOp,
  negOp,
  absOp,
  minimumOp,
  maximumOp,
  clampOp,
  roundOp,
  floorOp,
  expOp,
  logOp,
  sqrtOp,
  rsqrtOp,
  reluOp,
  sigmoidOp,
  siluOp,
  tanhOp,
  geluOp,
  geluSlopeOp,
  equalOp,
  notEqualOp,
  lessOp,
  lessEqualOp,
  greaterOp,
  greaterEqualOp,
  logicalAndOp,
  logicalOrOp,
  logicalNotOp,
  isFiniteOp,
  selectOp,
  castOp,
  reshapeOp,
  transposeOp,
  broadcastOp,
  sliceOp,
  padOp,
  reverseOp,
  concatOp,
  rowSliceOp,
  rowConcatOp,
  cacheWriteOp,
  gatherOp,
  scatterAddOp,
  sumOp,
  meanOp,
  maxOp,
  minOp,
  argmaxOp,
  dotOp,
  rmsNormOp,
  layerNormOp,
  ropeTableOp,
  ropeOp,
  attentionOp,
  attentionGradQueryOp,
  attentionGradKeyOp,
  cachedAttentionOp,
  softmaxOp,
  logSoftmaxOp,
  crossEntropyOp,
  mseOp,
  hadamardOp,
  quantCenterOp,
  quantScaleOp,
  quantFakeOp,
  quantEncodeOp,
  quantMaskOp,
  quantSurrogateOp,
  quantDecodeOp,
  quantDotOp,
  pruneOp,
  pruneMaskOp,
  scaleGradientOp,
  globalNormOp,
  adamwOp,
  sgdOp,
  sgdMomentumOp,
];

const byName = new Map(ops.map((op) => [op.signature.name, op]));

export const findOp = (name: string): Op | undefined => byName.get(name);

/** The op of a name that has been checked already. */
export function opNamed(name: string): Op {
  const op = byName.get(name);
  if (op === undefined) throw new Error(`no op ${name}`);
  return op;
}

/** A builder over this table. */
export const newBuilder = (): Builder => new Builder(opNamed);
