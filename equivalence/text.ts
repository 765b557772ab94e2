// Text by both models, token by token over their caches: the packed one is fed what the training graph chose.
import { compile } from "../compiler/driver/compile.ts";
import type { CompiledArtifact } from "../compiler/index.ts";
import { DiagnosticError, error, unwrap } from "../ir/diagnostic.ts";
import { givePacked, giveWeights, mostLikely, Session } from "../runtime/index.ts";
import type { VerifyOptions } from "./verify.ts";

export interface ComparedText {
  readonly positions: number;
  /** Where both choose another token, and the training graph's logits of the two lie within {@link nearLogits}. */
  readonly near: number;
}

const mostPositions = 256;
/** Logits this close are a tie: rounding in another order may decide it otherwise. */
export const nearLogits = 1e-3;

/** Greedy text from token `first` on; undefined for models that continue no text. Throws a DiagnosticError `not-equal`. */
export async function compareText(
  { source, compile: settings, device, weights, packed, path, onStage }: VerifyOptions,
  first: number,
): Promise<ComparedText | undefined> {
  const compiled = (form: "none" | "read"): CompiledArtifact =>
    unwrap(compile(source, { ...settings, packed: form, inference: { context: mostPositions }, entries: (name) => name === "decode" }));
  const artifact = compiled("none");
  if (artifact.manifest.entries["decode"] === undefined) return undefined;
  onStage?.("text: the packed model fed what the training graph chooses");
  using trained = await Session.open(artifact, device);
  using served = await Session.open(compiled("read"), device);
  await giveWeights(weights, trained, { asTheyAre: true });
  givePacked(packed, served, path);
  let token = first;
  let near = 0;
  for (let position = 0; position < mostPositions; position++) {
    const inputs = { ids: Int32Array.of(token), first: Int32Array.of(position) };
    const [{ logits: ours = [] }, { logits: theirs = [] }] = [await served.run("decode", inputs), await trained.run("decode", inputs)];
    const [mine, chosen] = [mostLikely(ours), mostLikely(theirs)];
    const gap = Number(theirs[chosen]) - Number(theirs[mine]);
    if (gap > nearLogits)
      throw new DiagnosticError([
        error(
          "not-equal",
          `at position ${position} the packed model chooses token ${mine}, training ${chosen}, whose logit is larger by ${gap}`,
        ),
      ]);
    if (mine !== chosen) near++;
    token = chosen;
  }
  return { positions: mostPositions, near };
}
