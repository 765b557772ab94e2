// `bitloom explain`: an entry, the list, a misspelt code, and a reader that has seen enough.
import { expect, test } from "vitest";
import { diagnosticCodes } from "../../ir/errors/table.ts";
import { cli, startCli } from "./run-cli.ts";

test("a code: what it means, a wrong text and its correction", async () => {
  const { code, out } = await cli("explain", "never-matches");
  expect(code).toBe(0);
  expect(out).toMatch(/^never-matches: A rule can never decide, because earlier rules take all that it matches\.\n\n/);
  expect(out.indexOf("Wrong:")).toBeGreaterThan(0);
  expect(out.indexOf("Right:")).toBeGreaterThan(out.indexOf("Wrong:"));
  for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
});

test("the brackets of a message may come along", async () => {
  const plain = await cli("explain", "syntax");
  expect(await cli("explain", "error[syntax]:")).toEqual(plain);
  expect(await cli("explain", "[syntax]")).toEqual(plain);
});

test("without a code: all of them, with their meanings", async () => {
  const { out } = await cli("explain");
  for (const code of diagnosticCodes) expect(out).toMatch(new RegExp(`^  ${code} +[A-Z\`]`, "m"));
  const { codes } = JSON.parse((await cli("explain", "--json")).out) as { readonly codes: readonly { readonly code: string }[] };
  expect(codes.map(({ code }) => code)).toEqual(diagnosticCodes);
});

test("a misspelt code", async () => {
  const { code, err } = await cli("explain", "shape-mismach");
  expect({ code, err }).toEqual({
    code: 1,
    err: "error[unknown-code]: there is no code `shape-mismach`\nhelp: did you mean `shape-mismatch`?\n\n",
  });
});

test("a pipe that closes early is no error", async () => {
  const { child, said } = startCli(["explain"]);
  child.stdout?.destroy();
  const { code, err } = await said;
  expect({ code, err }).toEqual({ code: 0, err: "" });
});
