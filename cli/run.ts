// From arguments to an exit code: 0 fine, 1 the user's input is wrong, 2 usage, 70 a bug of ours.
import { CommanderError } from "commander";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { CompilerCrash } from "../compiler/index.ts";
import { Output } from "./output.ts";
import { makeProgram } from "./program.ts";

export const exitCodes = { fine: 0, wrongInput: 1, usage: 2, bug: 70 } as const;

/** Run one command line (without `node` and the script). Never throws, and never ends the process. */
export async function run(args: readonly string[]): Promise<number> {
  const output = new Output(args.includes("--json"));
  try {
    await makeProgram(output).parseAsync(args, { from: "user" });
    return exitCodes.fine;
  } catch (problem) {
    if (problem instanceof CommanderError) return tellUsage(problem, output);
    if (problem instanceof DiagnosticError) {
      output.diagnostics(problem.diagnostics);
      return exitCodes.wrongInput;
    }
    tellBug(problem, output);
    return exitCodes.bug;
  }
}

function tellUsage(problem: CommanderError, output: Output): number {
  // Help and version that were asked for come this way too, with code 0 and already printed.
  if (problem.exitCode === 0) return exitCodes.fine;
  if (problem.code === "commander.help") return exitCodes.usage;
  const [message = "", ...help] = problem.message.replace(/^error: /, "").split("\n");
  output.diagnostics([error("usage", message, undefined, "", help.map((line) => line.replace(/^\((.*)\)$/, "$1")).filter((line) => line !== ""))]);
  return exitCodes.usage;
}

function tellBug(problem: unknown, output: Output): void {
  const help = ["this is a bug of Bitloom's, not of your model"];
  if (problem instanceof CompilerCrash) help.push(`reproduce it with \`bitloom ir ${problem.reproducer ?? "crash.loomir"}\``);
  output.diagnostics([error("bug", problem instanceof Error ? problem.message : String(problem), undefined, "", help)]);
  if (!output.isJson && problem instanceof Error && problem.stack !== undefined) output.note(problem.stack);
}
