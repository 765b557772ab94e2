// docs/passes.md and docs/commands.md say what the registries say.
import type { Command } from "commander";
import { test } from "vitest";
import { Output } from "../../cli/output.ts";
import { makeProgram } from "../../cli/program.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { passes } from "../../passes/registry.ts";
import { dataSources } from "../../runtime/index.ts";
import { expectGenerated } from "../support/generated.ts";

test("docs/passes.md", () => {
  const inOrder = [...new Set([...pipeline.map(({ pass }) => pass), ...passes])];
  const rows = inOrder.map(({ name, summary, needs, leaves }) => [
    code(name),
    summary,
    needs.length === 4 ? "any" : needs.join(", "),
    leaves === "same" ? "the same" : leaves,
  ]);
  expectGenerated(
    "docs/passes.md",
    `# Passes

Generated from the pipeline (\`passes/pipeline.ts\`); a test compares it.

${table(["Pass", "Meaning", "Takes form", "Leaves form"], rows)}

They run in this order: ${pipeline.map(({ pass }) => code(pass.name)).join(", ")}.
`,
  );
});

test("docs/commands.md", () => {
  expectGenerated(
    "docs/commands.md",
    `# Commands

Generated from the command line (\`cli/program.ts\`); a test compares it. In the sources a command is \`npm run bitloom -- COMMAND\`.

${leaves(makeProgram(new Output(false)))
  .map(section)
  .join("\n\n")}

## Data sources

What a recipe's \`data\` names, from \`runtime/data/source.ts\`.

${table(
  ["Source", "Yields"],
  dataSources.map(({ name, summary }) => [code(`${name}()`), summary]),
)}
`,
  );
});

const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll("|", "\\|");

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows.map((row) => row.map(cell))].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The commands that do something: `bench matmul`, not `bench`. */
const leaves = (command: Command): readonly Command[] => (command.commands.length === 0 ? [command] : command.commands.flatMap(leaves));

function section(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  const args = command.registeredArguments.map((a) => {
    const name = a.name() + (a.variadic ? "..." : "");
    return a.required ? `<${name}>` : `[${name}]`;
  });
  const rows = [
    ...command.registeredArguments.map((a, i) => [code(args[i] ?? ""), a.description]),
    ...command.options.map((o) => [code(o.flags), describe(o)]),
  ];
  return `## ${code([...names, ...args].join(" "))}\n\n${command.description()}\n\n${table(["Argument", "Meaning"], rows)}`;
}

function describe({ description, argChoices, defaultValue, defaultValueDescription, mandatory }: Command["options"][number]): string {
  const choices = argChoices === undefined ? "" : `: ${argChoices.map(code).join(", ")}`;
  const isPlain = typeof defaultValue === "string" || typeof defaultValue === "number";
  return `${description}${choices}${isPlain ? ` (default ${defaultValueDescription ?? code(String(defaultValue))})` : ""}${mandatory ? "; must be given" : ""}`;
}
