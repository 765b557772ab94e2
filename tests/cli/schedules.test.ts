// `--schedules`: a table of measured schedules as a file, on the command line.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { printTable } from "../../compiler/codegen/tuned-table.ts";
import { cli } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "bitloom-schedules-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);

const table = (adapterClass: string, subgroupSize: number) =>
  printTable({
    adapter: { class: adapterClass, subgroups: "fixed", subgroupSize, name: adapterClass, driver: "1" },
    entries: [],
  });

test("a damaged file, one that is not there, and one of another adapter are the user's mistakes", async () => {
  writeFileSync(path("damaged.json"), table("swiftshader", 4).slice(0, 100));
  const damaged = await cli("plan", "models/mlp.loom", "digits", "--portable", "--schedules", path("damaged.json"));
  expect(damaged.code).toBe(1);
  expect(damaged.err).toMatch(/^error\[bad-schedules\]: `.*damaged.json` is no table of schedules: it is not JSON/);
  const missing = await cli("compile", "models/mlp.loom", "digits", "--portable", "--schedules", path("missing.json"));
  expect(missing).toMatchObject({ code: 1, err: expect.stringContaining("error[unknown-file]: there is no file") });
  writeFileSync(path("other.json"), table("metal", 32));
  const foreign = await cli("plan", "models/mlp.loom", "digits", "--portable", "--schedules", path("other.json"));
  expect(foreign).toMatchObject({
    code: 1,
    err: expect.stringContaining("error[foreign-schedules]: the schedules are for metal with fixed"),
  });
});

test("the hash in the artifact is that of the table", async () => {
  const hashWith = async (name: string, ...more: readonly string[]) => {
    const { code, err } = await cli("compile", "models/mlp.loom", "digits", "--adapter", "swiftshader", "-o", path(name), ...more);
    expect({ code, err }).toMatchObject({ code: 0 });
    return JSON.parse(readFileSync(join(path(name), "artifact.json"), "utf8")).schedules;
  };
  const rules = await hashWith("rules", "--schedules", "rules");
  const key = { family: "dot", shape: "z0 m6 n8 k8", formats: "nt" } as const;
  const { adapter } = { adapter: { class: "swiftshader", subgroups: "fixed", subgroupSize: 4, name: "SwiftShader", driver: "1" } } as const;
  writeFileSync(path("mine.json"), printTable({ adapter, entries: [{ ...key, schedule: { kind: "dot", frame: "broadcast", rows: 1 } }] }));
  expect(await hashWith("mine", "--schedules", path("mine.json"))).not.toBe(rules);
});
