// SwiftShader from npm: unpacks the software Vulkan driver that `@sparticuz/chromium` ships, for machines without a GPU.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { access, chmod, constants, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

export interface SwiftShader {
  /** The driver's description, for the Vulkan loader. */
  readonly driverFile: string;
  /** A Vulkan loader to use where the system has none. */
  readonly loaderFile: string;
}

const wanted = ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"] as const;

/**
 * The unpacked driver, or the reason why there is none. Unpacks once into `cacheFolder` (about 7 MB; default `~/.cache/bitloom`, or a
 * private folder under the system's temporary folder); processes that race end with one whole copy, because the folder appears by rename.
 */
export async function findSwiftShader(cacheFolder?: string): Promise<SwiftShader | { readonly missing: string }> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return { missing: `SwiftShader is on npm for linux-x64 alone, this is ${process.platform}-${process.arch}` };
  const archivePath = findArchive();
  if (archivePath === undefined) return { missing: "the optional package @sparticuz/chromium is not installed" };
  const archive = await readFile(archivePath);
  const name = `swiftshader-${createHash("sha256").update(archive).digest("hex").slice(0, 16)}`;
  const parent = cacheFolder ?? (await defaultCacheFolder());
  const folder = join(parent, name);
  if (!existsSync(join(folder, "vk_swiftshader_icd.json"))) await unpack(archive, parent, folder);
  return { driverFile: join(folder, "vk_swiftshader_icd.json"), loaderFile: join(folder, "libvulkan.so.1") };
}

/** The package exports its entry point alone, so the archive is found by walking up from there. */
function findArchive(): string | undefined {
  let folder: string;
  try {
    folder = dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium"));
  } catch {
    return undefined;
  }
  for (;;) {
    const path = join(folder, "bin", "swiftshader.tar.br");
    if (existsSync(path)) return path;
    const up = dirname(folder);
    if (up === folder) return undefined;
    folder = up;
  }
}

/** The libraries are loaded into the process, so a folder that another user could write to must never be used. */
async function defaultCacheFolder(): Promise<string> {
  const home = join(homedir(), ".cache", "bitloom");
  try {
    await mkdir(home, { recursive: true });
    await access(home, constants.W_OK);
    return home;
  } catch {
    const uid = process.getuid?.() ?? 0;
    const shared = join(tmpdir(), `bitloom-${uid}`);
    await mkdir(shared, { recursive: true, mode: 0o700 });
    const { uid: owner, mode } = await stat(shared);
    return owner === uid && (mode & 0o022) === 0 ? shared : mkdtemp(join(tmpdir(), "bitloom-"));
  }
}

async function unpack(archive: Uint8Array, parent: string, folder: string): Promise<void> {
  const files = readTar(brotliDecompressSync(archive));
  await mkdir(parent, { recursive: true });
  const partial = await mkdtemp(join(parent, "unpack-"));
  try {
    for (const name of wanted) {
      const bytes = files.get(name);
      if (bytes === undefined) throw new Error(`@sparticuz/chromium's SwiftShader archive has no ${name}`);
      await writeFile(join(partial, name), bytes);
      await chmod(join(partial, name), 0o755);
    }
    await rename(partial, folder);
  } catch (problem) {
    await rm(partial, { recursive: true, force: true });
    // Another process was first: its copy is as good.
    if (!existsSync(join(folder, "vk_swiftshader_icd.json"))) throw problem;
  }
}

/** The regular files of a ustar archive, by name. */
function readTar(tar: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (from: number, length: number) => new TextDecoder().decode(tar.subarray(from, from + length)).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12).trim(), 8);
    const type = text(at + 156, 1);
    if (type === "" || type === "0") files.set(text(at, 100).replace(/^\.\//, ""), tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
