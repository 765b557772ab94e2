// The process of one subject: makes its work ready, then answers one round at a time until its standard input ends.
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { DiagnosticError, printDiagnostic } from "../ir/diagnostic.ts";
import type { AdapterChoice } from "../runtime/index.ts";
import { type Answer, answerDescriptor, type RoundAnswer, type RoundRequest } from "./protocol.ts";
import type { Library, Prepare, Prepared } from "./subject.ts";
import { timeRuns } from "./time-runs.ts";

// The parent's own arguments (bench/subject-process.ts), so they are as it writes them.
const [library, variant = "", work = "", adapter = "auto"] = process.argv.slice(2);

const answers = createWriteStream("", { fd: answerDescriptor });
const answer = (message: Answer): Promise<void> => new Promise((resolve) => answers.write(`${JSON.stringify(message)}\n`, () => resolve()));

/** Torch is a script of its own (bench/subjects/torch.py). */
async function preparation(name: Exclude<Library, "torch">): Promise<Prepare> {
  switch (name) {
    case "bitloom":
      return (await import("./subjects/bitloom.ts")).prepare;
    case "jax-js":
      return (await import("./subjects/jax.ts")).prepare;
    case "tfjs":
      return (await import("./subjects/tfjs.ts")).prepare;
    case "onnxruntime":
      return (await import("./subjects/onnxruntime.ts")).prepare;
    default:
      return name satisfies never;
  }
}

async function serve(): Promise<void> {
  const prepare = await preparation(library as Exclude<Library, "torch">);
  const prepared = await prepare({ variant, work, adapter: adapter as AdapterChoice });
  const start = performance.now();
  await prepared.run();
  const firstMs = performance.now() - start;
  const parameters = prepared.parameters?.();
  await answer({ kind: "ready", adapter: prepared.adapter, firstMs, ...(parameters === undefined ? {} : { parameters }) });
  for await (const line of createInterface({ input: process.stdin })) await answer(await round(prepared, JSON.parse(line)));
}

async function round(prepared: Prepared, length: RoundRequest): Promise<RoundAnswer> {
  const { ms, cpuMs, last } = await timeRuns(() => prepared.run(), length);
  return { kind: "round", ms, cpuMs, ...(last === undefined ? {} : { loss: last }) };
}

try {
  await serve();
} catch (problem) {
  const message =
    problem instanceof DiagnosticError
      ? problem.diagnostics.map(printDiagnostic).join("\n")
      : problem instanceof Error
        ? problem.message
        : String(problem);
  await answer({ kind: "failed", message });
}
// Libraries leave timers and devices behind that would keep the process.
process.exit(0);
