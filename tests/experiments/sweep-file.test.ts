// Sweep files that are wrong: every problem is marked in the file itself, also where the compiler or the file system has it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { planSweep } from "../../experiments/sweep/plan-sweep.ts";
import { DiagnosticError, error, printDiagnostic } from "../../ir/diagnostic.ts";

const read = async (path: string) => {
  if (path.endsWith("none.loom")) throw new DiagnosticError([error("unknown-file", `there is no file \`${path}\``)]);
  return { path, text: readFileSync(path, "utf8") };
};

const planned = (text: string) => planSweep({ path: join(import.meta.dirname, "../../models/sweep.json"), text }, { read });

/** All that is said of a sweep file. */
async function saidOf(text: string): Promise<string> {
  try {
    const { diagnostics } = await planned(text);
    return diagnostics
      .map(printDiagnostic)
      .join("\n")
      .replaceAll(/ +--> .*\//g, " --> ");
  } catch (problem) {
    if (problem instanceof DiagnosticError) return problem.message.replaceAll(/ +--> .*\//g, " --> ");
    throw problem;
  }
}

const sweep = (fields: string): string => `{\n  "model": "llama.loom",\n${fields}\n}`;

test("bits of a policy are those that its packed file has", async () => {
  const policies = ["float", "quest(w = 4, a = none)", "ternary", "fp4", "pruned", "sparse_2_4()", "prune_4_8()", "adabin"];
  const { value = [] } = await planned(sweep(`  "policies": ${JSON.stringify(policies)},\n  "sizes": ["demo"]`));
  expect(value.map(({ run: { row } }) => row.bits)).toEqual([32, 4, 2, 4, 2.5, 5, 32, 1]);
});

describe("no JSON", () => {
  test.each([
    [
      "a word",
      sweep('  "policies": [float],\n  "sizes": ["demo"]'),
      3,
      "[float]",
      "float",
      "this is no value of JSON; a text stands in double quotes",
    ],
    ["a comma too many", sweep('  "sizes": ["demo"],'), 4, "}", "}", "the name of a field must stand here, in double quotes"],
    ["a comma too few", sweep('  "sizes": ["demo" "tiny"]'), 3, '"tiny"', '"tiny"', "a `,` must stand here"],
    ["no colon", sweep('  "sizes" ["demo"]'), 3, "[", "[", "a `:` must stand here"],
    ["a comment", sweep("  // ten runs"), 3, "// ten runs", "// ten runs", "JSON has no comments"],
    ["a text that stays open", sweep('  "sizes": ["demo]'), 3, '"demo]', '"demo]', "this text does not end on its line"],
    ["more behind it", '{}\n"more"', 2, '"more"', '"more"', "nothing more may stand here"],
  ])("%s", async (_, text, line, from, marked, words) => {
    const said = await saidOf(text);
    const column = (text.split("\n")[line - 1] ?? "").indexOf(from) + 1 + from.indexOf(marked);
    expect(said).toContain(`error[bad-sweep]: a sweep file is not JSON\n --> sweep.json:${line}:${column}\n`);
    expect(said).toContain(`| ${" ".repeat(column - 1)}${"^".repeat(marked.length)} ${words}\n`);
  });

  test("a field twice", async () => {
    const said = await saidOf(sweep('  "policies": ["float"],\n  "sizes": ["demo", { "recipe": "demo", "recipe": "tiny" }]'));
    expect(said).toMatch(/ --> sweep\.json:4:41\n.*\n.*\n.*\| +\^{16} it stands above already\n/);
  });

  test("nothing", async () => {
    expect(await saidOf("")).toContain(" --> sweep.json:1:1");
    expect(await saidOf("[]")).toContain("^^ it must be an object, not []");
  });
});

describe("what the compiler finds in a run stands in the sweep file", () => {
  const rest = '  "policies": ["float"],\n  "sizes": ["demo"]';
  test.each([
    ["a policy", '  "sizes": ["demo"], "policies": ["float", "quest(w = 4, b = 4)"]', "wrong-argument", "b = 4"],
    ["a policy with a name", '  "sizes": ["demo"], "policies": [{ "policy": "quest_w9a9", "p": "x" }]', "unknown-policy", "quest_w9a9"],
    ["a recipe", '  "policies": ["float"], "sizes": ["demo", "dem"]', "unknown-recipe", '"dem"'],
    ["an override of all", `${rest}, "set": ["schedule.peek=1"]`, "unknown-setting", "peek"],
    [
      "an override of a size",
      '  "policies": ["float"], "sizes": [{ "recipe": "demo", "set": ["model.dimm=3"] }]',
      "wrong-argument",
      "dimm",
    ],
    ["an axis", `${rest}, "vary": { "schedule.peek": [0.5] }`, "unknown-setting", "peek"],
    ["a value of an axis", `${rest}, "vary": { "recipe.dim": [64, "many"] }`, "type-mismatch", "many"],
    ["the model", '  "policies": ["float"], "sizes": ["demo"]', "unknown-file", '"model": "none.loom"', "none.loom"],
  ])("%s", async (_, fields, code, marked, model = "llama.loom") => {
    const said = await saidOf(sweep(fields).replace("llama.loom", model));
    expect(said).toContain(`error[${code}]`);
    const [, line = "", marks = ""] = /\n *\d+ \| (.*)\n *\| ( *\^+)/.exec(said.slice(said.indexOf("--> sweep.json"))) ?? [];
    expect(line.slice(marks.indexOf("^"), marks.length)).toBe(marked);
  });

  test("a length that the model refuses is marked beside the place in the model", async () => {
    const said = await saidOf(sweep(`${rest},\n  "steps": [100, 7]`));
    expect(said).toContain("error[constant]: `7 / 10` is not an integer\n --> llama.loom:");
    expect(said).toMatch(/ --> sweep\.json:5:18\n +\|\n *5 \| {3}"steps": \[100, 7\]\n +\| +- in the run `float-demo-7-s0`\n/);
  });
});
