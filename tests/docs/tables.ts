// The reference page, made from the registries: ops, passes, quantizers, data sources, commands.
import type { Command } from "commander";
import { Output } from "../../cli/output.ts";
import { makeProgram } from "../../cli/program.ts";
import { type Op, variadicName } from "../../ir/op.ts";
import { ops } from "../../ir/ops/table.ts";
import { quantizers } from "../../ir/quant/table.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { passes } from "../../passes/registry.ts";
import { dataSources } from "../../runtime/index.ts";

/** `docs/reference.md` as it must be. */
export function referencePage(): string {
  return `# Reference

Made from the tables in the sources; \`BLESS=1 npm test -- tests/docs\` writes it anew.

## Ops

${table(["op", "operands", "attributes", "what it computes", "gradient", "becomes"], ops.map(opRow))}

## Passes

In the order of the pipeline; a pass may run several times.

${table(["pass", "what it does", "needs", "leaves"], orderedPasses().map(passRow))}

## Quantizers

${quantizers.map(quantizerSection).join("\n\n")}

## Data sources

${table(
  ["source", "what it yields"],
  dataSources.map(({ name, summary }) => [code(name), summary]),
)}

## Commands

${commandsOf(makeProgram(new Output(false)))
  .map(commandSection)
  .join("\n\n")}
`;
}

const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function opRow({ signature, vjp, lower }: Op): readonly string[] {
  const { name, operands, results, attrs, summary, forms } = signature;
  const variadic = variadicName(operands);
  const named = results.length > 1 ? `${code(name)} → ${results.join(", ")}` : code(name);
  const until = forms.length === 4 ? "" : ` (only in ${forms.join(", ")})`;
  return [
    named,
    variadic === undefined ? operands.join(", ") : `${variadic}...`,
    Object.keys(attrs).map(code).join(", "),
    `${summary}${until}`,
    vjp === "none" ? "none" : "yes",
    lower.kind === "kernel" ? `kernel ${code(lower.family)}` : lower.kind,
  ];
}

const orderedPasses = () => [...new Set([...pipeline.map(({ pass }) => pass), ...passes])];

const passRow = ({ name, summary, needs, leaves }: (typeof passes)[number]): readonly string[] => [
  code(name),
  summary,
  needs.length === 4 ? "any form" : needs.join(", "),
  leaves === "same" ? "the same" : leaves,
];

function quantizerSection({ name, summary, source, settings, grid }: (typeof quantizers)[number]): string {
  const rows = Object.entries(settings).map(([setting, { describe, fallback }]) => [
    code(setting),
    describe,
    fallback === undefined ? "must be given" : code(String(fallback)),
  ]);
  return `### ${code(name)}\n\n${summary} Grid ${code(grid)}. Source: ${source}.\n\n${table(["setting", "what it is", "default"], rows)}`;
}

const commandsOf = (program: Command): readonly Command[] =>
  program.commands.flatMap((command) => (command.commands.length > 0 ? commandsOf(command) : [command]));

function commandSection(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  const args = command.registeredArguments.map((a) => (a.required ? `<${a.name()}>` : `[${a.name()}]`));
  const rows = [
    ...command.registeredArguments.map((a, i) => [code(args[i] ?? ""), a.description]),
    ...command.options.map((o) => [code(o.flags), describeOption(o)]),
  ];
  return `### ${code([...names, ...args].join(" "))}\n\n${command.description()}\n\n${table(["argument", "what it is"], rows)}`;
}

function describeOption({ description, argChoices, defaultValue }: Command["options"][number]): string {
  const choices = argChoices === undefined ? "" : `: ${argChoices.map(code).join(", ")}`;
  const fallback =
    defaultValue === undefined || (Array.isArray(defaultValue) && defaultValue.length === 0)
      ? ""
      : ` (default ${code(String(defaultValue))})`;
  return description.replaceAll("|", "\\|") + choices + fallback;
}
