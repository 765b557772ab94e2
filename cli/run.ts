// From arguments to an exit code: 0 fine, 1 the user's input is wrong, 2 usage, 70 a bug of ours.
import { CommanderError } from "commander";
import { CompilerCrash, pipelineComment } from "../compiler/index.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { isRefusal, refusalHelp } from "../runtime/index.ts";
import { ModuleFolder } from "./module-files.ts";
import { Output, type Stream } from "./output.ts";
import { makeProgram } from "./program.ts";

const exitCodes = { fine: 0, wrongInput: 1, usage: 2, bug: 70 } as const;

/** Run one command line (without `node` and the script). Never throws, and never ends the process. */
export async function run(args: readonly string[], out?: Stream, err?: Stream): Promise<number> {
  const output = new Output(args.includes("--json"), out, err);
  try {
    await makeProgram(output).parseAsync(args, { from: "user" });
    return exitCodes.fine;
  } catch (problem) {
    return tellProblem(problem, output);
  }
}

/** Say what went wrong, whatever was thrown; answers the exit code. A crash of the compiler leaves its reproducer in `folder`. */
export async function tellProblem(problem: unknown, output: Output, folder = "."): Promise<number> {
  if (problem instanceof CommanderError) return tellUsage(problem, output);
  if (problem instanceof DiagnosticError) {
    output.diagnostics(problem.diagnostics);
    return exitCodes.wrongInput;
  }
  if (isRefusal(problem)) {
    output.diagnostics([error("file-system", problem.message, undefined, "", refusalHelp(problem))]);
    return exitCodes.wrongInput;
  }
  const help = ["this is a bug of Bitloom's, not of your model"];
  if (problem instanceof CompilerCrash) help.push(await writeReproducer(problem, folder));
  output.diagnostics([error("bug", problem instanceof Error ? problem.message : String(problem), undefined, "", help)]);
  if (problem instanceof Error) output.note((problem.cause instanceof Error ? problem.cause.stack : problem.stack) ?? "");
  return exitCodes.bug;
}

function tellUsage(problem: CommanderError, output: Output): number {
  // Help and version that were asked for come this way too, with code 0 and already printed.
  if (problem.exitCode === 0) return exitCodes.fine;
  if (problem.code === "commander.help") return exitCodes.usage;
  const [message = "", ...help] = problem.message.replace(/^error: /, "").split("\n");
  output.diagnostics([
    error(
      "usage",
      message,
      undefined,
      "",
      help.map((line) => line.replace(/^\((.*)\)$/, "$1")).filter((line) => line !== ""),
    ),
  ]);
  return exitCodes.usage;
}

/** `crash.loomir`: the module that the failed stage was given, under the pipeline that fails on it. */
async function writeReproducer({ module, pipeline, stage }: CompilerCrash, inFolder: string): Promise<string> {
  const folder = new ModuleFolder(inFolder, "crash.safetensors");
  const path = await folder.write("crash.loomir", module, { before: pipeline === "" ? "" : pipelineComment(pipeline) });
  await folder.close();
  return `see it again with \`bitloom ${pipeline === "" ? "compile" : "ir"} ${path}\` (it fails in ${stage}), and please report it with that file`;
}
