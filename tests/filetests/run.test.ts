// Runs every file test: text in, text out. `BLESS=1` writes what the cases give into their files; the diff is the review.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { hasErrors } from "../../ir/diagnostic.ts";
import { blessed, problemsOf, readCase, withoutComments } from "./case-file.ts";
import { subtests } from "./subtests/table.ts";

const root = import.meta.dirname;
const bless = process.env["BLESS"] === "1";

const paths = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.(loomir|loom|plan)$/.test(path))
  .map((path) => relative(root, join(root, path)).replaceAll("\\", "/"))
  .sort();

test("there are file tests", () => {
  expect(paths.length).toBeGreaterThan(0);
});

describe.each([...new Set(paths.map((p) => p.slice(0, p.lastIndexOf("/"))))])("%s", (folder) => {
  test.each(paths.filter((p) => p.slice(0, p.lastIndexOf("/")) === folder))("%s", (path) => {
    runCase(path);
  });
});

function runCase(path: string): void {
  const file = join(root, path);
  const text = readFileSync(file, "utf8");
  const given = readCase(path, text);
  const subtest = subtests.find((s) => s.name === given.subtest);
  if (subtest === undefined) throw new Error(`no subtest \`${given.subtest}\`; there are ${subtests.map((s) => s.name).join(", ")}`);
  const outcome = subtest.run(given.input, given.argument);
  const inputIsOutput = subtest.roundTrip === true && outcome.output === withoutComments(given.input);
  if (bless) {
    const next = blessed(given, outcome, inputIsOutput);
    if (next !== text) writeFileSync(file, next);
    return;
  }
  expect(Object.fromEntries(problemsOf(given.input, outcome.diagnostics)), "problems by line").toEqual(Object.fromEntries(given.problems));
  if (hasErrors(outcome.diagnostics)) {
    expect(given.output, "a case with errors has no output").toBeUndefined();
    return;
  }
  // A subtest without output is content with having no problems.
  if (outcome.output === undefined) expect(given.output).toBeUndefined();
  else
    expect(outcome.output).toBe(
      given.output ?? (subtest.roundTrip === true ? withoutComments(given.input) : "(no expected output: run with BLESS=1)"),
    );
}
