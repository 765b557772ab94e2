// Wrong words on the command line and wrong input: kind messages, and the exit codes that scripts rely on.
import { describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

describe("usage (exit code 2)", () => {
  test("a misspelt option gets a suggestion", async () => {
    const { code, out, err } = await cli("train", "models/mlp.loom", "digits", "--polcy", "float");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("error[usage]: unknown option '--polcy'");
    expect(err).toContain("help: Did you mean --policy?");
  });

  test("a misspelt command gets a suggestion", async () => {
    const { code, err } = await cli("trian", "models/mlp.loom");
    expect(code).toBe(2);
    expect(err).toContain("error[usage]: unknown command 'trian'");
    expect(err).toContain("help: Did you mean train?");
  });

  test("a missing argument is named", async () => {
    const { code, err } = await cli("compile");
    expect(code).toBe(2);
    expect(err).toContain("error[usage]: missing required argument 'file'");
  });

  test("an adapter that is no choice lists the choices", async () => {
    const { code, err } = await cli("train", "models/mlp.loom", "digits", "--adapter", "cuda");
    expect(code).toBe(2);
    expect(err).toContain("Allowed choices are auto, hardware, lavapipe, swiftshader.");
  });

  test("a shape that is none says what one looks like", async () => {
    const { code, err } = await cli("bench", "matmul", "--shape", "1024x256");
    expect(code).toBe(2);
    expect(err).toContain("It must look like 1024x256x768: rows, summed length, columns.");
  });
});

describe("wrong input (exit code 1)", () => {
  test("a file that is not there: the nearest one is named", async () => {
    const { code, out, err } = await cli("ir", "models/mpl.loom", "digits");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe("error[unknown-file]: there is no file `models/mpl.loom`\nhelp: did you mean `models/mlp.loom`?\n\n");
  });

  test("a folder where a file must stand", async () => {
    const { code, err } = await cli("fit", "docs/examples");
    expect(code).toBe(1);
    expect(err).toMatch(/^error\[unknown-file\]: `docs\/examples` is a folder\nhelp: it holds .*`sweep\.json`/);
    expect((await cli("sweep", "docs/examples/swep.json")).err).toContain("help: did you mean `docs/examples/sweep.json`?");
  });

  test("a folder that is not there", async () => {
    const { code, err } = await cli("ir", "modles/mlp.loom", "digits");
    expect(code).toBe(1);
    expect(err).toContain("help: there is no folder `modles` either");
  });

  test("a misspelt recipe gets a suggestion", async () => {
    const { code, err } = await cli("ir", "models/mlp.loom", "digit");
    expect(code).toBe(1);
    expect(err).toContain("error[unknown-recipe]");
    expect(err).toContain("help: did you mean `digits`?");
  });

  test("a misspelt policy points into the option's text", async () => {
    const { code, err } = await cli("ir", "models/mlp.loom", "digits", "--policy", "qest_w4a4");
    expect(code).toBe(1);
    expect(err).toContain("--> --policy:1:1");
    expect(err).toContain("help: did you mean `quest_w4a4`?");
  });

  test("a setting that is none of the recipe's", async () => {
    const { code, err } = await cli("ir", "models/mlp.loom", "digits", "--set", "shedule.peak=1e-3");
    expect(code).toBe(1);
    expect(err).toContain("error[wrong-override]: `shedule.peak` names nothing in the recipe `digits`");
  });

  test("a form that is none", async () => {
    const { code, err } = await cli("ir", "models/mlp.loom", "digits", "--until", "quantised");
    expect(code).toBe(1);
    expect(err).toContain("error[unknown-form]: no form or pass is called `quantised`");
    expect(err).toContain("help: did you mean `quantized`?");
  });

  test("--json gives diagnostics as one object, with places", async () => {
    const { code, out, err } = await cli("ir", "models/mlp.loom", "digits", "--policy", "qest_w4a4", "--json");
    expect({ code, err }).toEqual({ code: 1, err: "" });
    const { diagnostics } = JSON.parse(out);
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toMatchObject({
      severity: "error",
      labels: [{ path: "--policy", line: 1, column: 1, endLine: 1, endColumn: 10 }],
    });
    expect(diagnostics[0].help).toEqual(["did you mean `quest_w4a4`?"]);
  });
});

describe("help and version (exit code 0)", () => {
  test("every command explains itself", async () => {
    for (const command of [[], ["train"], ["compile"], ["ir"], ["bench", "matmul"], ["doctor"]]) {
      const { code, out } = await cli(...command, "--help");
      expect(code).toBe(0);
      expect(out).toContain(`Usage: ${["bitloom", ...command].join(" ")}`);
    }
  });

  test("the version is the package's", async () => {
    const { code, out } = await cli("--version");
    expect(code).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
