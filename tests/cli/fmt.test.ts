// `bitloom fmt`: files in place, folders, standard streams, `--check`, and files that must be left alone.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli, startCli } from "./run-cli.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-fmt-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const untidy = "// kept\nmodule   M { a=B(1)  b = C( ) } // too\n";
const tidy = "// kept\nmodule M {\n  a = B(1)\n  b = C()\n} // too\n";
const broken = "module M(  {\n";

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
const read = (path: string): string => readFileSync(path, "utf8");

test("formats in place, and says what it changed", async () => {
  const [a, b] = [write("a.loom", untidy), write("b.loom", tidy)];
  expect(await cli("fmt", a, b)).toEqual({ code: 0, out: `formatted ${a}\n1 file is formatted already\n`, err: "" });
  expect([read(a), read(b)]).toEqual([tidy, tidy]);
  expect((await cli("fmt", a, b)).out).toBe("2 files are formatted already\n");
});

test("a folder: the model files below it", async () => {
  mkdirSync(join(folder, "inner"));
  const [a, b, other] = [write("a.loom", untidy), write("inner/b.loom", untidy), write("inner/notes.txt", untidy)];
  expect((await cli("fmt", folder)).out).toBe(`formatted ${a}\nformatted ${b}\n`);
  expect([read(a), read(b), read(other)]).toEqual([tidy, tidy, untidy]);
});

test("--check changes nothing, and points at the first line that would change", async () => {
  const a = write("a.loom", untidy);
  const { code, err } = await cli("fmt", "--check", a);
  expect(code).toBe(1);
  expect(err).toContain(`error[not-formatted]: this file is not formatted\n --> ${a}:2:1\n`);
  expect(err).toContain(`help: run \`bitloom fmt ${a}\``);
  expect(read(a)).toBe(untidy);
  expect((await cli("fmt", "--check", write("b.loom", tidy))).code).toBe(0);
});

test("a file with syntax errors is left alone with its diagnostics; the others are formatted", async () => {
  const [a, b] = [write("a.loom", broken), write("b.loom", untidy)];
  const { code, out, err } = await cli("fmt", a, b);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain("error[syntax]");
  expect(err).toContain(`--> ${a}:1:`);
  expect(err).toContain(`formatted ${b}`);
  expect([read(a), read(b)]).toEqual([broken, tidy]);
});

test("what is no model file, and what is not there", async () => {
  const a = write("a.loomir", "loomir 1\n");
  const { code, err } = await cli("fmt", a, join(folder, "b.loom"));
  expect(code).toBe(1);
  expect(err).toContain("error[wrong-file]");
  expect(err).toContain("error[unknown-file]");
  expect(read(a)).toBe("loomir 1\n");
});

test("--json", async () => {
  const a = write("a.loom", untidy);
  expect(JSON.parse((await cli("fmt", a, "--json")).out)).toEqual({ files: [{ path: a, changed: true }] });
  const { code, out } = await cli("fmt", "--check", write("b.loom", untidy), "--json");
  expect(code).toBe(1);
  expect(JSON.parse(out).diagnostics[0]).toMatchObject({ code: "not-formatted", labels: [{ line: 2, column: 1 }] });
});

test("`-` reads the standard input and writes the standard output", async () => {
  const formats = async (input: string, ...flags: readonly string[]) => {
    const { child, said } = startCli(["fmt", "-", ...flags]);
    child.stdin?.end(input);
    return said;
  };
  expect(await formats(untidy)).toMatchObject({ code: 0, out: tidy, err: "" });
  expect(await formats("")).toMatchObject({ code: 0, out: "", err: "" });
  expect(await formats(broken)).toMatchObject({ code: 1, out: "" });
  expect(await formats(untidy, "--check")).toMatchObject({ code: 1, out: "" });
});
