// Long work that Ctrl-C ends in good order.

/**
 * Run with a signal that the first Ctrl-C sets, for the work to stop at the next good moment; the second ends the process. `stopping` is
 * told of the first.
 */
export async function interruptible<T>(stopping: () => void, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
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
    stopping();
  };
  for (const name of signals) process.on(name, interrupt);
  try {
    return await body(stop.signal);
  } finally {
    letSignalsThrough();
  }
}
