// Facts about the table of passes: one name in three spellings, a file and a folder of file tests each.
import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Pass } from "../../passes/pass.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { findPass, passes } from "../../passes/registry.ts";

const camelCase = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

describe.each(passes.map((pass) => [pass.name, pass] as const))("%s", (name, pass) => {
  test("is exported from the file of its name", async () => {
    const file: Readonly<Record<string, unknown>> = await import(`../../passes/${name}.ts`);
    expect(file[camelCase(name)]).toBe(pass);
    expect(findPass(name)).toBe(pass);
  });

  test("has file tests", () => {
    const folder = new URL(`../filetests/${name}/`, import.meta.url);
    expect(existsSync(folder)).toBe(true);
    expect(readdirSync(folder).length).toBeGreaterThan(0);
  });

  test("says what it does, and every option has a value that nobody needs to give", () => {
    expect(pass.summary).toMatch(/^[A-Z].*\.$/);
    for (const kind of Object.values(pass.options)) expect(kind.fallback).toBeDefined();
  });
});

test("the table is in alphabetical order, and the pipeline uses nothing else", () => {
  const names = passes.map((p) => p.name);
  expect(names).toEqual([...new Set(names)].sort());
  const used = new Set<Pass>(pipeline.map((s) => s.pass));
  expect([...used].every((p) => passes.includes(p))).toBe(true);
});
