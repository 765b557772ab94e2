// `bitloom doctor` and `bitloom bench`: what the machine offers, and how fast compiled kernels are on it.
import { expect, test } from "vitest";
import { cli, startCli } from "./run-cli.ts";

test("doctor tells people about every way to choose an adapter, and what mends what is missing", async () => {
  const { code, out } = await cli("doctor");
  expect(code).toBe(0);
  expect(out).toContain(`Node ${process.versions.node} on ${process.platform}-${process.arch}`);
  for (const choice of ["auto", "hardware", "lavapipe", "swiftshader"]) expect(out).toContain(`--adapter ${choice}: `);
  expect(out).toContain("--adapter swiftshader: SwiftShader, software (computes on the CPU)");
  expect(out).toMatch(/subgroups +size 4; kernels use path `\w+` of size 4/);
  // No adapter is both lavapipe and hardware.
  expect(out).toMatch(/^ {2}help: /m);
});

test("doctor tells machines the same, and the process ends by itself", async () => {
  const { code, out } = await startCli(["doctor", "--json"]).said;
  expect(code).toBe(0);
  const { node, adapters } = JSON.parse(out);
  expect(node).toBe(process.versions.node);
  const swiftshader = adapters.find(({ choice }: { readonly choice: string }) => choice === "swiftshader");
  expect(swiftshader).toMatchObject({ adapter: { isSoftware: true, subgroupMinSize: 4 }, subgroups: { fixed: 4 } });
});

test("bench matmul measures the compiled kernel in nine rounds, and the one without subgroups in turn", async () => {
  const { code, out } = await cli("bench", "matmul", "--shape", "64x64x64", "--adapter", "swiftshader", "--json");
  expect(code).toBe(0);
  const result = JSON.parse(out);
  expect(result).toMatchObject({
    adapter: "SwiftShader",
    shape: "64x64x64",
    layout: "nn",
    target: "swiftshader-sg4",
    baseline: { target: "swiftshader-plain" },
  });
  for (const { gflops, cpuSeconds } of [result, result.baseline]) {
    expect(gflops.min).toBeGreaterThan(0);
    expect(gflops.median).toBeGreaterThanOrEqual(gflops.min);
    expect(gflops.max).toBeGreaterThanOrEqual(gflops.median);
    expect(cpuSeconds).toBeGreaterThan(0);
  }
});
