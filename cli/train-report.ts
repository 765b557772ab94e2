// What `bitloom train` says when a run has ended.
import type { CompiledArtifact } from "../compiler/index.ts";
import type { Device, TrainResult } from "../runtime/index.ts";
import { corpusLoss } from "./corpus-loss.ts";
import type { Output } from "./output.ts";
import { heldOutWords, percent } from "./progress.ts";

/** Another policy's result. */
export interface Beside {
  readonly policy: string;
  readonly evaluation?: TrainResult["evaluation"];
}

interface Told {
  readonly folder: string;
  readonly seconds: number;
  readonly device: Device;
  readonly artifact: CompiledArtifact;
  readonly output: Output;
  readonly beside?: Beside;
}

/** For people, or as one object for machines. */
export function tell(result: TrainResult, { folder, seconds, device, artifact, output, beside }: Told): void {
  const { ended, step, skipped, lastStep, evaluation, checkpoint } = result;
  const { val_accuracy: accuracy, val_loss: loss } = evaluation ?? {};
  const { corpus } = result.dataset;
  const text = loss === undefined || corpus === undefined ? undefined : corpusLoss(loss, corpus);
  const { model, policy, recipe } = artifact.manifest;
  const { name, driver, isSoftware } = device.adapter;
  output.result({
    ended,
    model,
    policy,
    recipe,
    adapter: { name, driver, isSoftware },
    step,
    skipped,
    loss: lastStep?.loss,
    heldOut: evaluation && { loss, accuracy, bitsPerByte: text?.bitsPerByte, unigram: text?.unigram, bigram: text?.bigram },
    beside: beside && { policy: beside.policy, loss: beside.evaluation?.val_loss, accuracy: beside.evaluation?.val_accuracy },
    seconds,
    folder,
    checkpoint,
  });
  if (skipped > 0) output.say(`${skipped} steps changed nothing, because their loss or gradient was not finite`);
  if (ended === "interrupted") {
    output.say(`stopped after step ${step}; saved ${checkpoint ?? "nothing"}`);
    output.say("go on with the same command and `--resume`");
    return;
  }
  const took = `${step} steps in ${seconds.toFixed(1)} s on ${name}${isSoftware ? " (software)" : ""}`;
  if (accuracy !== undefined) output.say(output.strong(`held-out accuracy ${percent(accuracy)}`));
  if (loss !== undefined) output.say(`held-out loss ${text?.words ?? loss.toFixed(4)}`);
  if (beside?.evaluation !== undefined) output.say(`beside it, ${beside.policy}: held-out ${heldOutWords(beside.evaluation)}`);
  if (evaluation === undefined) output.say(`final training loss ${lastStep?.loss.toFixed(4) ?? "-"} (the recipe has no \`eval\`)`);
  output.say(`${took}; saved ${checkpoint ?? folder}`);
}
