// The file tests: run with BLESS=1 to write what is printed now beside each case.
import { describe, expect, test } from "vitest";
import { brokenNames, caseNames, runCase } from "./file-cases.ts";

const bless = process.env["BLESS"] === "1";

describe("cases/**/*.loom", () => {
  test("there are cases", () => expect(caseNames.length).toBeGreaterThan(10));

  test.each(caseNames)("%s", (name) => {
    const { actual, expected, bless: write } = runCase(name);
    if (bless) write();
    else expect(actual).toBe(expected);
  });
});

describe("cases/broken/*.loom", () => {
  const problems = brokenNames.map((name) => ({ name, diagnostics: runCase(name).diagnostics }));

  test("are many, of many kinds, and some have several problems", () => {
    expect(brokenNames.length).toBeGreaterThanOrEqual(40);
    expect(new Set(problems.flatMap(({ diagnostics }) => diagnostics.map(({ code }) => code))).size).toBeGreaterThan(30);
    expect(problems.filter(({ diagnostics }) => diagnostics.length > 1).length).toBeGreaterThan(15);
  });

  test("every problem has its place: a line, and marks of some width on it or at its end", () => {
    for (const { name, diagnostics } of problems) {
      for (const { message, primary } of diagnostics) {
        expect(primary, `${name}: ${message}`).toBeDefined();
        const { source, start, end } = primary!.span;
        expect(start).toBeLessThanOrEqual(end);
        expect(source.text.slice(start, end).split("\n").length, `${name}: ${message}`).toBeLessThanOrEqual(1);
      }
    }
  });

  test("most problems come with help, or with a second place that explains them", () => {
    const all = problems.flatMap(({ diagnostics }) => diagnostics);
    const explained = all.filter(
      ({ help, secondary, primary }) => help !== undefined || secondary !== undefined || primary?.message !== "",
    );
    expect(explained.length / all.length).toBeGreaterThan(0.8);
  });
});
