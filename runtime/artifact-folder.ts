// Compiled artifacts on disk: a folder with `artifact.json`, kernels as text and constants as bytes.
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ArtifactManifest, CompiledArtifact } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";

/** Write an artifact. Kernels and constants first: a folder with an `artifact.json` is whole. */
export async function writeArtifact(artifact: CompiledArtifact, folder: string): Promise<void> {
  for (const [path, content] of artifact.files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "artifact.json"), `${JSON.stringify(artifact.manifest, null, 1)}\n`);
}

/** Read an artifact. Throws a DiagnosticError `bad-artifact` where the folder holds none, one of another version, or lacks a file that it names. */
export async function readArtifact(folder: string): Promise<CompiledArtifact> {
  const bad = (message: string, help: readonly string[] = []): never => {
    throw new DiagnosticError([error("bad-artifact", `${folder}: ${message}`, undefined, "", help)]);
  };
  const read = async (path: string): Promise<Uint8Array> => {
    try {
      return await readFile(join(folder, path));
    } catch (problem) {
      return bad(`cannot read ${path} (${problem instanceof Error ? problem.message : problem})`);
    }
  };
  let manifest: ArtifactManifest;
  try {
    manifest = JSON.parse(new TextDecoder().decode(await read("artifact.json"))) as ArtifactManifest;
  } catch (problem) {
    if (problem instanceof DiagnosticError) throw problem;
    return bad(`artifact.json is not JSON (${problem instanceof Error ? problem.message : problem})`);
  }
  if (manifest.format !== "bitloom-artifact") bad("artifact.json is no Bitloom artifact");
  if (manifest.version !== 1)
    bad(`the artifact has version ${manifest.version}, this Bitloom reads version 1`, ["compile the model again"]);
  const files = new Map<string, string | Uint8Array>();
  for (const target of manifest.targets) {
    for (const { file } of target.kernels) if (!files.has(file)) files.set(file, new TextDecoder().decode(await read(file)));
    for (const { file } of target.constants) if (!files.has(file)) files.set(file, await read(file));
  }
  return { manifest, files };
}

/** `sha256-...` over the manifest and the files in order of path: equal artifacts have equal hashes. */
export function artifactHash({ manifest, files }: CompiledArtifact): string {
  const hash = createHash("sha256").update(JSON.stringify(manifest));
  for (const path of [...files.keys()].sort()) hash.update(`\n${path}\n`).update(files.get(path) ?? "");
  return `sha256-${hash.digest("hex")}`;
}
