// Training with progress on show, which Ctrl-C ends in good order.
import type { TrainResult } from "../runtime/index.ts";
import { interruptible } from "./interruptible.ts";
import type { Output } from "./output.ts";
import { type Progress, trainProgress } from "./progress.ts";

/** Run with progress on show; the first Ctrl-C asks the run to stop after its step, the second ends the process. */
export async function watched(
  output: Output,
  body: (signal: AbortSignal, progress: Progress) => Promise<TrainResult>,
): Promise<TrainResult> {
  const progress = trainProgress(output);
  try {
    return await interruptible(
      () => progress.note("stopping after this step; Ctrl-C again to quit at once"),
      (signal) => body(signal, progress),
    );
  } finally {
    progress.close();
  }
}
