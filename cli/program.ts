// The command line's shape: every command with its arguments and options. What a command does stands in its own file.
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { benchCommand } from "./bench.ts";
import { compileCommand } from "./compile.ts";
import { doctorCommand } from "./doctor.ts";
import { evalCommand } from "./eval.ts";
import { explainCommand } from "./explain.ts";
import { explainPolicyCommand } from "./explain-policy.ts";
import { exportCommand } from "./export.ts";
import { fitCommand } from "./fit.ts";
import { fmtCommand } from "./fmt.ts";
import { generateCommand } from "./generate.ts";
import { irCommand } from "./ir.ts";
import { optCommand } from "./opt.ts";
import type { Output } from "./output.ts";
import { planCommand } from "./plan.ts";
import { plotCommand } from "./plot.ts";
import { runCommand } from "./run-entry.ts";
import { sweepCommand } from "./sweep.ts";
import { tokenizerCommand } from "./tokenizer.ts";
import { trainCommand } from "./train.ts";
import { tuneCommand } from "./tune.ts";
import { verifyCommand } from "./verify.ts";

const commands = [
  compileCommand,
  trainCommand,
  evalCommand,
  generateCommand,
  runCommand,
  planCommand,
  explainPolicyCommand,
  irCommand,
  optCommand,
  tokenizerCommand,
  tuneCommand,
  exportCommand,
  verifyCommand,
  sweepCommand,
  fitCommand,
  plotCommand,
  benchCommand,
  doctorCommand,
  explainCommand,
  fmtCommand,
];

/** The program, ready to parse. Usage errors are thrown as CommanderError; nothing ends the process. */
export function makeProgram(output: Output): Command {
  const program = new Command("bitloom")
    .description("Compile quantized models to WebGPU kernels, train, evaluate and use them, read their IR.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command");
  for (const make of commands) program.addCommand(make(output));
  for (const command of [program, ...program.commands.flatMap((c) => [c, ...c.commands])]) {
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => output.raw(text), writeErr: (text) => output.note(text), outputError: () => undefined });
  }
  return program;
}

/** `package.json` lies one folder up in the sources and two up in the built package. */
function packageVersion(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
      if (name === "bitloom") return version;
    } catch {
      // Look further up.
    }
  }
  return "unknown";
}
