// Runs the command line in this process or in one of its own, and keeps what it said.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { WriteStream } from "node:tty";
import { run } from "../../cli/run.ts";

export const projectRoot = join(import.meta.dirname, "../..");

export interface Said {
  readonly code: number | null;
  /** What ended the process, where no exit code did. */
  readonly signal?: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** In this process: quick, and errors of ours have stacks. */
export async function cli(...args: readonly string[]): Promise<Said> {
  const [out, err] = [new Kept(), new Kept()];
  const code = await run(args, out, err);
  return { code, out: out.text, err: err.text };
}

/** In a process of its own, as a user starts it: for signals, exit codes and a clean end. */
export function startCli(
  args: readonly string[],
  /** `detached`: with a process group of its own, which a test can end as a whole. */
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly detached?: true } = {},
): { readonly child: ChildProcess; readonly said: Promise<Said> } {
  const child = spawn(process.execPath, [join(projectRoot, "cli/main.ts"), ...args], {
    cwd: projectRoot,
    env: { ...process.env, NO_COLOR: "1" },
    ...options,
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const said = new Promise<Said>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, out, err }));
  });
  return { child, said };
}

/** A stream that keeps what is written to it; a terminal where told so. */
export class Kept extends PassThrough {
  readonly isTTY: boolean;
  readonly columns = 120;
  /** As a terminal answers: by TERM, NO_COLOR and what else the environment says. */
  readonly getColorDepth = WriteStream.prototype.getColorDepth;
  #text = "";

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
    this.on("data", (chunk) => {
      this.#text += chunk;
    });
  }

  get text(): string {
    return this.#text;
  }
}
