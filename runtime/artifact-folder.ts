// Compiled artifacts on disk: a folder with `artifact.json`, kernels as text and constants as bytes.
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ArtifactManifest, CompiledArtifact } from "../ir/artifact.ts";
import { DiagnosticError, error, Rejection } from "../ir/diagnostic.ts";
import { checkManifest } from "./artifact-check.ts";

/** Write an artifact. Kernels and constants first: a folder with an `artifact.json` is whole. */
export async function writeArtifact(artifact: CompiledArtifact, folder: string): Promise<void> {
  for (const [path, content] of artifact.files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "artifact.json"), `${JSON.stringify(artifact.manifest, null, 1)}\n`);
}

/**
 * Read an artifact. Throws a DiagnosticError `bad-artifact` that names the place where the folder holds none, one of another version, one whose
 * manifest cannot be run, or where a file that it names is missing or was changed.
 */
export async function readArtifact(folder: string): Promise<CompiledArtifact> {
  const bad = (message: string, help: readonly string[] = []): never => {
    throw new DiagnosticError([error("bad-artifact", `${folder}: ${message}`, undefined, "", help)]);
  };
  const read = async (path: string): Promise<Uint8Array> => {
    const bytes = await readFile(join(folder, path)).catch((problem: unknown) => bad(`cannot read ${path} (${wordsOf(problem)})`));
    const [, hash] = /(?:^|[-/])([0-9a-f]{8})\.(?:wgsl|bin)$/.exec(path) ?? [];
    if (hash !== undefined && !createHash("sha256").update(bytes).digest("hex").startsWith(hash))
      bad(`${path} was changed or damaged: its name ends in the hash of what was written`, again);
    return bytes;
  };
  const manifest = parseManifest(new TextDecoder().decode(await read("artifact.json")), bad);
  const files = new Map<string, string | Uint8Array>();
  for (const target of manifest.targets) {
    for (const { file } of target.kernels) if (!files.has(file)) files.set(file, new TextDecoder().decode(await read(file)));
    for (const { file, range } of target.constants) {
      const bytes = files.get(file) ?? (await read(file));
      if (bytes.length > range[2] || bytes.length % 4 !== 0) bad(`${file} has ${bytes.length} bytes, its place ${range[2]}`, again);
      files.set(file, bytes);
    }
  }
  return { manifest, files };
}

const again = ["compile the model again"];
const wordsOf = (problem: unknown): string => (problem instanceof Error ? problem.message : String(problem));

function parseManifest(text: string, bad: (message: string, help?: readonly string[]) => never): ArtifactManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (problem) {
    return bad(`artifact.json is not JSON (${wordsOf(problem)})`);
  }
  const { format, version } = typeof json === "object" && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
  if (format !== "bitloom-artifact") return bad("artifact.json is no Bitloom artifact");
  if (version !== 1) return bad(`the artifact has version ${JSON.stringify(version)}, this Bitloom reads version 1`, again);
  try {
    return checkManifest(json);
  } catch (problem) {
    if (problem instanceof Rejection) return bad(`artifact.json: ${problem.message}`, again);
    throw problem;
  }
}

/** `sha256-...` over the manifest and the files in order of path: equal artifacts have equal hashes. */
export function artifactHash({ manifest, files }: CompiledArtifact): string {
  const hash = createHash("sha256").update(JSON.stringify(manifest));
  for (const path of [...files.keys()].sort()) hash.update(`\n${path}\n`).update(files.get(path) ?? "");
  return `sha256-${hash.digest("hex")}`;
}
