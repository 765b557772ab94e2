// The file tests: run with BLESS=1 to write what is printed now beside each case.
import { describe, expect, test } from "vitest";
import { caseNames, runCase } from "./file-cases.ts";

const bless = process.env["BLESS"] === "1";

describe("cases/*.loom", () => {
  test("there are cases", () => expect(caseNames.length).toBeGreaterThan(10));

  test.each(caseNames)("%s", (name) => {
    const { actual, expected, bless: write } = runCase(name);
    if (bless) write();
    else expect(actual).toBe(expected);
  });
});
