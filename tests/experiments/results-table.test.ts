// Results files: rows read back as they were written, and what is no row is pointed at.
import { expect, test } from "vitest";
import { questResults } from "../../experiments/published.ts";
import { parseResults, printRow } from "../../experiments/results-table.ts";
import { printDiagnostic } from "../../ir/diagnostic.ts";

const parse = (...lines: readonly string[]) => {
  const { value, diagnostics } = parseResults({ path: "results.jsonl", text: lines.join("\n") });
  return { rows: value, said: diagnostics.map(printDiagnostic).join("\n") };
};

test("rows are read as they were written; other fields and blank lines are left alone", () => {
  const { rows, said } = parse(...questResults.rows.map(printRow), "", "  ");
  expect(said).toBe("");
  expect(rows).toEqual(questResults.rows);
  const row = { p: "float", bits: 32, n: 917504, d: 4915200, loss: 1.9, seed: 1 };
  expect(parse(`${JSON.stringify({ ...row, run: "runs/a" })}\r`).rows).toEqual([row]);
});

test("the published table is whole: 104 runs, each once", () => {
  expect(questResults.rows.length).toBe(104);
  expect(new Set(questResults.rows.map(({ p, n, d }) => `${p} ${n} ${d}`)).size).toBe(104);
  expect(Object.values(questResults.source).join(" ")).toContain("arXiv:2502.05003");
});

test("a wrong field is marked where it stands", () => {
  const { said } = parse(
    '{"p": "4", "bits": 4, "n": 1000, "d": 20000, "loss": 2}',
    '{"p": "4", "bits": 4, "n": 1000, "d": -20000, "loss": 2}',
  );
  const frame = [
    "error[bad-results]: a line is no row of results",
    " --> results.jsonl:2:34",
    "  |",
    '2 | {"p": "4", "bits": 4, "n": 1000, "d": -20000, "loss": 2}',
    "  |                                  ^^^^^^^^^^^ `d` must be above 0, not -20000",
  ];
  expect(said).toContain(frame.join("\n"));
});

test("a missing field, a text for a number, a list, a cut line", () => {
  expect(parse('{"p": "4", "bits": 4, "n": 1000, "d": 20000}').said).toContain("`loss` must be a finite number, not missing");
  expect(parse('{"p": "4", "bits": "4", "n": 1000, "d": 20000, "loss": 2}').said).toMatch(
    /\n {2}\| {12}\^{11} `bits` must be a finite number, not "4"\n/,
  );
  expect(parse("[1, 2]").said).toContain("a line must be a JSON object");
  expect(parse('{"p": "4", "bits": 4, "n"').said).toContain("error[bad-results]: a line is not JSON\n --> results.jsonl:1:1");
  expect(parse("").said).toContain("error[bad-results]: `results.jsonl` has no rows");
});

test("a precision with two numbers of bits is marked with its first row", () => {
  const { said } = parse(
    '{"p": "4", "bits": 4, "n": 1000, "d": 20000, "loss": 2}',
    '{"p": "4", "bits": 3, "n": 1000, "d": 20000, "loss": 2}',
  );
  expect(said).toContain("precision `4` has other bits or another series than above");
  expect(said).toContain("- its first row");
});

test("every wrong line is named in one run", () => {
  const { said } = parse("{", "{}", "1");
  expect(said.match(/results\.jsonl:\d/g)).toEqual(["results.jsonl:1", "results.jsonl:2", "results.jsonl:3"]);
});

test("of a file of another kind the first lines stand for all", () => {
  const { said } = parse(...Array.from({ length: 100 }, () => "use std.{Linear}"));
  expect(said.match(/a line is not JSON/g)?.length).toBe(8);
  expect(said).toContain("error[bad-results]: `results.jsonl` has 92 more lines that are no rows of results");
});
