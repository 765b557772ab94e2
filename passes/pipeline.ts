// The pipeline: which passes run in which order, and why each group stands where it does.
import { canonicalize } from "./canonicalize.ts";
import { chunkHead } from "./chunk-head.ts";
import { cleanup } from "./cleanup.ts";
import { differentiate } from "./differentiate.ts";
import { expand } from "./expand.ts";
import { foldHadamard } from "./fold-hadamard.ts";
import { fuse } from "./fuse.ts";
import { insertHadamard } from "./insert-hadamard.ts";
import { insertProbes } from "./insert-probes.ts";
import { insertQuant } from "./insert-quant.ts";
import { lowerQuant } from "./lower-quant.ts";
import { packWeights } from "./pack-weights.ts";
import { defaultOptions, type Pass, type PipelineStep, type Stage } from "./pass.ts";
import { splitRows } from "./split-rows.ts";

const towards = (stage: Stage, pass: Pass): PipelineStep => ({ pass, options: defaultOptions(pass), stage });

/** From a lowered module to numbered kernels of primitive ops. to-plan takes over from there. */
export const pipeline: readonly PipelineStep[] = [
  // First, while the graph is still the user's: later passes match simple shapes, and dumps stay readable.
  towards("surface", canonicalize),
  towards("surface", cleanup),
  // Before anything looks at contractions: each piece is a site, a parameter and an optimizer's state of its own from here on.
  towards("surface", splitRows),

  // Before differentiate: the trust rule is part of quant.fake's gradient, so the quantizer must be in view when gradients are made.
  // The rotation comes first because its result is what gets rounded.
  towards("quantized", insertHadamard),
  towards("quantized", insertQuant),
  // Sites that share an activation round it once; merged here, since gradients of merged values add up before they are rotated
  // back, which saves a rotation for every site but one.
  towards("quantized", cleanup),
  // Where weights are packed. Rotations first: a rotation back would hide that a rounded weight meets a rounded activation. Its cleanup
  // merges rotations of an activation that several sites share.
  towards("quantized", foldHadamard),
  towards("quantized", packWeights),
  towards("quantized", cleanup),
  // Where someone asks for `@probe`. While roundings are still one op each, with their operands beside them.
  towards("quantized", insertProbes),

  // Training alone. On composites, whose gradients are simpler than those of what they expand to. Its cleanup merges the masks and
  // constants that the rules emit once for each use.
  towards("differentiated", differentiate),
  towards("differentiated", cleanup),

  // After differentiate, so that backward reads codes and masks and nothing in float outlives the forward pass. The expansions bring
  // constants, casts and broadcasts of their own, hence the second canonicalize.
  towards("primitive", lowerQuant),
  towards("primitive", expand),
  towards("primitive", canonicalize),
  towards("primitive", cleanup),
  // On merged primitives, where the loss and its gradient are one region of few kinds of ops; no cleanup may merge across chunks.
  towards("primitive", chunkHead),

  // Last: nothing may merge or move instructions between kernels once they are numbered.
  towards("primitive", fuse),
];
