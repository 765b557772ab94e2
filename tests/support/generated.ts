// Pages that are generated from registries: compared in tests, rewritten with BLESS=1.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** Compare a page (path from the project's root) with what its registry says now. */
export function expectGenerated(path: string, text: string): void {
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  if (process.env["BLESS"] === "1") writeFileSync(file, text);
  expect(text, `${path} is out of date: run the tests with BLESS=1`).toBe(readFileSync(file, "utf8"));
}
