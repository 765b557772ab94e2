// Runs of a sweep in processes of their own, so many at a time: what one of them does to its process leaves the others alone.
import { type ChildProcess, fork } from "node:child_process";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SweepRun } from "../experiments/sweep/plan-sweep.ts";
import type { AdapterChoice } from "../runtime/index.ts";

/** What a process is told, as JSON in its arguments. */
export interface SweepTask {
  readonly run: SweepRun;
  readonly folder: string;
  readonly adapter: AdapterChoice;
  readonly memory?: number;
  readonly schedules?: string;
}

/** What a process tells, or what is told of one that ended without a word. The last message is `finished`, `stopped` or `failed`. */
export type SweepMessage =
  | { readonly kind: "started"; readonly fromStep: number; readonly steps: number }
  | { readonly kind: "stepped"; readonly step: number; readonly loss: number | null }
  | { readonly kind: "warned"; readonly text: string }
  | SweepOutcome;

export type SweepOutcome =
  | { readonly kind: "finished"; readonly loss: number }
  /** No step: before it had a handler for the signal. */
  | { readonly kind: "stopped"; readonly step?: number }
  /** A diagnostic as text, with its frame. */
  | { readonly kind: "failed"; readonly text: string };

export interface PoolOptions {
  readonly jobs: number;
  /** Set: no further run begins, and those under way stop after their step. */
  readonly signal: AbortSignal;
  /** Called right before a run begins. */
  taskOf(run: SweepRun): Promise<SweepTask>;
  told(run: SweepRun, message: SweepMessage): void;
  /** Called for each run that began, one at a time, however it ended. */
  ended(run: SweepRun, outcome: SweepOutcome): Promise<void>;
}

/** Begins every run, in order; answers when all that began have ended. */
export async function runPool(runs: readonly SweepRun[], options: PoolOptions): Promise<void> {
  const waiting = runs.values();
  let last: Promise<void> = Promise.resolve();
  const serve = async () => {
    for (const run of waiting) {
      if (options.signal.aborted) return;
      const outcome = await runInProcess(await options.taskOf(run), options);
      options.told(run, outcome);
      last = last.then(() => options.ended(run, outcome));
      await last;
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, serve));
}

/** Beside this file, which is TypeScript in the project and JavaScript in the package. */
const worker = fileURLToPath(new URL(`./sweep-worker${extname(import.meta.url)}`, import.meta.url));

/** Every process loads the same code: what Node makes of it is kept where Node keeps such by default, half of a process's start. */
const environment = { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...process.env };

function runInProcess(task: SweepTask, { signal, told }: PoolOptions): Promise<SweepOutcome> {
  return new Promise((resolve) => {
    const child: ChildProcess = fork(worker, [JSON.stringify(task)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: environment,
    });
    let outcome: SweepOutcome | undefined;
    let said = "";
    const stop = () => child.connected && child.send("stop");
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    child.stderr?.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-2000);
    });
    child.on("message", (message: SweepMessage) => {
      if (message.kind === "finished" || message.kind === "stopped" || message.kind === "failed") outcome = message;
      else told(task.run, message);
    });
    child.on("error", (problem) => {
      outcome ??= { kind: "failed", text: problem.message };
    });
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", stop);
      resolve(outcome ?? describeEnd(code, by, said.trim()));
    });
  });
}

/** Of a process that told nothing. Ctrl-C reaches it before it listens, too. */
function describeEnd(code: number | null, by: NodeJS.Signals | null, said: string): SweepOutcome {
  if (by === "SIGINT" || by === "SIGTERM" || by === "SIGHUP") return { kind: "stopped" };
  return { kind: "failed", text: `its process ended ${by === null ? `with code ${code}` : `by ${by}`}${said === "" ? "" : `\n${said}`}` };
}
