// `--memory`: what does not fit is refused before anything is allocated, with what is large and what would fit.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseBytes, printBytes } from "../../ir/byte-size.ts";
import { cli } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "bitloom-memory-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const stack = ["tests/scale/stack.loom", "residual", "--set", "model.depth=4"] as const;
const peakOf = async (...more: readonly string[]): Promise<number> => {
  const { out } = await cli("plan", ...stack, "--portable", "--json", ...more);
  return JSON.parse(out).peakBytes;
};

test("a plan within the budget is printed, one above it is refused with planned figures for what would fit", async () => {
  const peak = await peakOf();
  const fits = await cli("plan", ...stack, "--portable", "--summary", "--memory", String(peak));
  expect(fits.code).toBe(0);
  const refused = await cli("plan", ...stack, "--portable", "--memory", String(peak - 1));
  expect(refused.code).toBe(1);
  expect(refused.out).toBe("");
  expect(refused.err).toContain(
    `error[memory-budget]: the plan for portable needs ${printBytes(peak)}, the budget is ${printBytes(peak - 1)}`,
  );
  expect(refused.err).toMatch(/help: the largest buffers at the fullest moment: `%\w+` f32\[4, 16, 64\] 16\.0 KiB of `layers\.\d+\.mixer/);
  const remat = await peakOf("--set", "remat=auto", "--memory", String(peak - 1));
  expect(remat).toBeLessThan(peak);
  expect(refused.err).toContain(`help: \`--set 'remat=auto'\` takes ${printBytes(remat)}\n`);
  const half = await peakOf("--set", "data.batch=2");
  expect(refused.err).toContain(`help: \`--set 'data.batch=2'\` takes ${printBytes(half)}\n`);
  const parts = await peakOf("--set", "data.batch=2", "--set", "accumulate=2");
  expect(refused.err).toContain(
    `help: \`--set 'remat=auto'\` with \`--set 'data.batch=2'\` with \`--set 'accumulate=2'\` takes ${printBytes(parts)}\n`,
  );
});

test("`remat auto` computes again what a budget asks for, and says what the least is", async () => {
  const plain = await peakOf();
  const auto = [...stack, "--portable", "--set", "remat=auto"] as const;
  const without = JSON.parse((await cli("plan", ...auto, "--json")).out);
  expect(without.peakBytes).toBe(plain);
  const { curve, chosen } = without.trade;
  expect(curve[0]).toEqual(chosen);
  expect(curve[0]).toEqual({ peakBytes: plain, extraShare: 0, repeated: 0 });
  for (const [i, point] of curve.slice(1).entries()) {
    expect(point.peakBytes).toBeLessThan(curve[i].peakBytes);
    expect(point.repeated).toBeGreaterThan(0);
  }
  const least = curve.at(-1);
  expect(least.peakBytes).toBeLessThan(0.8 * plain);
  const middle = Math.floor((plain + least.peakBytes) / 2);
  const fitted = JSON.parse((await cli("plan", ...auto, "--json", "--memory", String(middle))).out);
  expect(fitted.peakBytes).toBeLessThanOrEqual(middle);
  expect(fitted.trade.chosen.extraShare).toBeLessThan(least.extraShare);
  const shown = await cli("plan", ...auto, "--summary", "--memory", String(middle));
  expect(shown.out).toMatch(/\+\d+\.\d %\s+\d+ dispatches again\s+<- this plan/);
  const refused = await cli("plan", ...auto, "--memory", String(least.peakBytes - 1));
  expect(refused.code).toBe(1);
  expect(refused.err).toContain(`error[memory-budget]: the plan for portable needs ${printBytes(least.peakBytes)}`);
  expect(refused.err).toContain("help: that is the least that recomputation (`remat auto`) leads to");
  expect(refused.err).toContain("help: `--set 'data.batch=2'` with `--set 'accumulate=2'` takes ");
});

test("fewer bits are proposed where nothing is quantized", async () => {
  const peak = await peakOf("--policy", "float");
  const { err } = await cli("plan", ...stack, "--portable", "--policy", "float", "--memory", String(peak - 1));
  expect(err).toContain(`help: \`--policy 'quest(w = 4, a = 4)'\` takes ${printBytes(await peakOf("--policy", "quest(w = 4, a = 4)"))}\n`);
});

test("state that does not fit by itself leaves nothing to propose", async () => {
  const { err } = await cli("plan", ...stack, "--portable", "--memory", "64KiB");
  expect(err).toContain("help: state alone is more than that: only a smaller model fits");
  expect(err).not.toContain("takes");
});

test("train and compile refuse before they write anything", async () => {
  for (const command of [
    ["train", ...stack, "--out", join(folder, "run")],
    ["compile", ...stack, "-o", join(folder, "artifact")],
  ]) {
    const { code, err } = await cli(...command, "--memory", "64KiB");
    expect(code).toBe(1);
    expect(err).toContain("error[memory-budget]: the plan for ");
  }
  expect(existsSync(join(folder, "run"))).toBe(false);
  expect(existsSync(join(folder, "artifact"))).toBe(false);
});

test("a budget that is no size is a usage error", async () => {
  const { code, err } = await cli("plan", ...stack, "--memory", "much");
  expect(code).toBe(2);
  expect(err).toContain("It must be a size, such as 512MiB or 4GiB.");
});

describe("sizes", () => {
  test.each([
    ["512MiB", 512 * 2 ** 20],
    ["1.5 GiB", 1.5 * 2 ** 30],
    ["2gb", 2e9],
    ["64_000", 64_000],
    ["1e6", 1e6],
    ["3K", 3000],
  ])("%s", (text, bytes) => expect(parseBytes(text)).toBe(bytes));
  test.each(["", "MiB", "-1MiB", "12foo", "0", "1e400"])("%j is none", (text) => expect(parseBytes(text)).toBeUndefined());
  test.each([
    [96, "96 B"],
    [1536, "1.50 KiB"],
    [128 * 2 ** 20, "128 MiB"],
    [12.25 * 2 ** 30, "12.3 GiB"],
  ])("%i", (bytes, text) => expect(printBytes(bytes)).toBe(text));
});
