// Waiting for the GPU without burning a core: while a promise of Dawn's is pending, its Node binding polls in a busy loop.

/** For this long a wait polls without sleeping, so that short jobs (a small readback) are not delayed. */
const spinMs = 0.3;
/** Sleeps are a share of what has been waited already, so that a wait is late by no more than that, and long ones poll seldom. */
const sleepShare = 1 / 8;
const longestSleepMs = 3;

/**
 * Await a promise of the GPU, sleeping the thread between polls: on a software adapter the driver's own threads need the core
 * that a plain `await` would spin on (measured: 36 to 52 GFLOP/s against 25 on two cores). Timers and signals still run, at most 3 ms late.
 */
export async function sleepUntil<T>(promise: Promise<T>): Promise<T> {
  pending++;
  beganMs = performance.now();
  if (!sleeping) void sleepBetweenTurns();
  try {
    return await promise;
  } finally {
    pending--;
  }
}

// One loop serves every wait of the thread: sleeps of several would add up.
let pending = 0;
let sleeping = false;
/** When the latest wait began. */
let beganMs = 0;
const never = new Int32Array(new SharedArrayBuffer(4));

async function sleepBetweenTurns(): Promise<void> {
  sleeping = true;
  while (pending > 0) {
    const waited = performance.now() - beganMs;
    if (waited > spinMs) Atomics.wait(never, 0, 0, Math.min(longestSleepMs, waited * sleepShare));
    // Dawn delivers its callbacks in a turn of the event loop.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  sleeping = false;
}
