// Artifacts in folders.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { artifactHash, readArtifact, writeArtifact } from "../../runtime/artifact-folder.ts";
import { scaleKernel, vectorArtifact } from "../support/vector-artifact.ts";

describe("artifacts on disk", () => {
  it("come back as they were, with the same hash", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bitloom-artifact-"));
    try {
      const artifact = vectorArtifact();
      await writeArtifact(artifact, folder);
      const back = await readArtifact(folder);
      expect(back.manifest).toEqual(artifact.manifest);
      expect([...back.files].map(([path, content]) => [path, typeof content === "string" ? content : [...content]])).toEqual(
        [...artifact.files].map(([path, content]) => [path, typeof content === "string" ? content : [...content]]),
      );
      expect(artifactHash(back)).toBe(artifactHash(artifact));
      expect(artifactHash(vectorArtifact({ kernel: `${scaleKernel}\n` }))).not.toBe(artifactHash(artifact));

      await rm(join(folder, "kernels/count.wgsl"));
      await expect(readArtifact(folder)).rejects.toThrow("cannot read kernels/count.wgsl");
      await writeFile(join(folder, "artifact.json"), "{");
      await expect(readArtifact(folder)).rejects.toThrow("error[bad-artifact]");
      await writeFile(join(folder, "artifact.json"), JSON.stringify({ ...artifact.manifest, version: 2 }));
      await expect(readArtifact(folder)).rejects.toThrow("version 2");
      await writeFile(join(folder, "artifact.json"), "{}");
      await expect(readArtifact(folder)).rejects.toThrow("no Bitloom artifact");
      await expect(readArtifact(join(folder, "none"))).rejects.toThrow("cannot read artifact.json");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
