// The reference page says what the registries say.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { referencePage } from "./tables.ts";

test("docs/reference.md is up to date (BLESS=1 writes it)", () => {
  const path = join(import.meta.dirname, "../../docs/reference.md");
  if (process.env["BLESS"] === "1") writeFileSync(path, referencePage());
  expect(existsSync(path) ? readFileSync(path, "utf8") : "").toBe(referencePage());
});
