// `bitloom explain`: what a diagnostic's code means, with a wrong text and its correction.
import { Command } from "commander";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import type { Explanation } from "../ir/errors/explanation.ts";
import { diagnosticCodes, errorAreas, explanationOf } from "../ir/errors/table.ts";
import { didYouMean } from "../ir/nearest.ts";
import { jsonOption } from "./options.ts";
import type { Output } from "./output.ts";

export function explainCommand(output: Output): Command {
  return new Command("explain")
    .description("Say what a diagnostic's code means, with a wrong text and its correction; without a code, list all.")
    .argument("[code]", "what stands in brackets behind `error` or `warning`: `shape-mismatch`")
    .addOption(jsonOption())
    .action((code: string | undefined) => (code === undefined ? listCodes(output) : explainCode(code, output)));
}

function listCodes(output: Output): void {
  output.result({
    codes: errorAreas.flatMap(({ title, entries }) =>
      Object.entries<Explanation>(entries).map(([code, { meaning }]) => ({ code, area: title, meaning })),
    ),
  });
  const width = Math.max(...diagnosticCodes.map((code) => code.length));
  for (const { title, entries } of errorAreas) {
    output.say(output.strong(title));
    for (const [code, { meaning }] of Object.entries<Explanation>(entries)) output.say(`  ${code.padEnd(width)}  ${meaning}`);
    output.say("");
  }
  output.say("`bitloom explain CODE` says more about one of them.");
}

function explainCode(given: string, output: Output): void {
  // People copy the brackets along: `[shape-mismatch]`, `error[shape-mismatch]:`.
  const code = /^(?:error|warning)?\[([^\]]*)\]:?$/.exec(given)?.[1] ?? given;
  const explanation = explanationOf(code);
  if (explanation === undefined) {
    const near = didYouMean(code, diagnosticCodes);
    const help = near.length > 0 ? near : ["`bitloom explain` lists all codes"];
    throw new DiagnosticError([error("unknown-code", `there is no code \`${code}\``, undefined, "", help)]);
  }
  const { meaning, text, example } = explanation;
  output.result({ code, ...explanation });
  output.say(`${output.strong(code)}: ${meaning}`);
  output.say("");
  for (const line of wrap(text)) output.say(line);
  if (example === undefined) return;
  for (const side of ["wrong", "right"] as const) {
    output.say("");
    output.say(output.strong(side === "wrong" ? "Wrong:" : "Right:"));
    output.say("");
    for (const line of example[side].trimEnd().split("\n")) output.say(line === "" ? "" : `    ${line}`);
  }
}

const lineWidth = 100;

/** Lines of whole words. */
function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > lineWidth) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
