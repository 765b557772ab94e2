// A subject as its parent sees it: a child process that keeps its device, waits without computing, and answers one round at a time.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { AdapterChoice } from "../runtime/index.ts";
import { type Answer, answerDescriptor, type ReadyAnswer, type RoundAnswer, type RoundLength } from "./protocol.ts";
import type { Subject } from "./subject.ts";

export interface StartOptions {
  /** What the process does: the name of a work, or its `task`. */
  readonly task: string;
  readonly adapter: AdapterChoice;
  /** Added to the environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A subject that cannot go on: its own words. */
export class SubjectFailure extends Error {}

/** What a subject wrote to its standard error is shown only where it fails, and of that the end. */
const keptErrorCharacters = 2000;
/** A process that has nothing more to do and does not end. */
const endsWithinMs = 3000;

export class SubjectProcess {
  readonly ready: ReadyAnswer;
  readonly #child: ChildProcess;
  readonly #answers: Answers;

  private constructor(child: ChildProcess, answers: Answers, ready: ReadyAnswer) {
    this.#child = child;
    this.#answers = answers;
    this.ready = ready;
  }

  /** Start the process and wait for its first run. Throws a SubjectFailure where it cannot do the work. */
  static async start(subject: Subject, options: StartOptions): Promise<SubjectProcess> {
    const child = spawn(...commandOf(subject, options), {
      stdio: ["pipe", "ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.environment },
    });
    // A child that is gone takes no more requests: its end is told by the answers.
    child.stdin?.on("error", () => undefined);
    const answers = new Answers(child);
    try {
      const ready = await answers.next();
      if (ready.kind !== "ready") throw new SubjectFailure(ready.kind === "failed" ? ready.message : "answered out of turn");
      return new SubjectProcess(child, answers, ready);
    } catch (problem) {
      await end(child);
      throw problem;
    }
  }

  async round(length: RoundLength): Promise<RoundAnswer> {
    (this.#child.stdin as Writable).write(`${JSON.stringify({ kind: "round", ...length })}\n`);
    const answer = await this.#answers.next();
    if (answer.kind !== "round") throw new SubjectFailure(answer.kind === "failed" ? answer.message : "answered out of turn");
    return answer;
  }

  stop(): Promise<void> {
    return end(this.#child);
  }
}

/** Program, then arguments. */
function commandOf({ library, variant }: Subject, { task, adapter }: StartOptions): [string, string[]] {
  const here = import.meta.dirname;
  if (library === "torch") return [python, [join(here, "subjects/torch.py"), task]];
  return [process.execPath, [join(here, "subject-main.ts"), library, variant, task, adapter]];
}

/** The system's own Python: where distributions put PyTorch. */
export const python = "/usr/bin/python3";

/** The lines of descriptor 3, one at a time, and the end of the process as a failure. */
class Answers {
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<string>;

  constructor(child: ChildProcess) {
    this.#lines = createInterface({ input: child.stdio[answerDescriptor] as Readable })[Symbol.asyncIterator]();
    let words = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-keptErrorCharacters);
    });
    this.#ended = new Promise((resolve) => {
      child.on("error", (problem) => resolve(problem.message));
      child.on("close", (code, signal) => resolve(`ended with ${signal ?? `exit code ${code}`}${words === "" ? "" : `: ${words.trim()}`}`));
    });
  }

  async next(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new SubjectFailure(await this.#ended);
    return JSON.parse(value) as Answer;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.stdin?.end();
  const killer = setTimeout(() => child.kill("SIGKILL"), endsWithinMs);
  await gone;
  clearTimeout(killer);
}
