// Long work with progress on show, which Ctrl-C ends in good order.
import type { TrainResult } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { type Progress, trainProgress } from "./progress.ts";

/** Run with progress on show; the first Ctrl-C asks the run to stop after its step, the second ends the process. */
export async function watched(
  output: Output,
  body: (signal: AbortSignal, progress: Progress) => Promise<TrainResult>,
): Promise<TrainResult> {
  const stop = new AbortController();
  const progress = trainProgress(output);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const letSignalsThrough = () => {
    for (const name of signals) process.off(name, interrupt);
  };
  const interrupt = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      // By the signal's own effect, so that a shell sees it (130, 143). process.exit would run the driver's exit handlers while its
      // threads still compute, and crash now and then.
      letSignalsThrough();
      process.kill(process.pid, name);
      return;
    }
    stop.abort();
    progress.note("stopping after this step; Ctrl-C again to quit at once");
  };
  for (const name of signals) process.on(name, interrupt);
  try {
    return await body(stop.signal, progress);
  } finally {
    progress.close();
    letSignalsThrough();
  }
}
