// Files that are either whole or not there: written under a temporary name, synced, renamed; and what killed writes leave is cleaned up.
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Write a file; readers see the old content or the new one, never a part, also after a power cut. */
export async function writeFileDurably(path: string, content: string | Uint8Array): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  try {
    await writeSynced(partial, content);
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (problem) {
    await removeQuietly(partial);
    throw problem;
  }
}

/**
 * Write a folder of files at once. One that is there already is moved aside until the new one stands, so that a process killed in between
 * leaves one or the other to {@link cleanLeftovers}.
 */
export async function writeFolderDurably(path: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  const replaced = `${path}.replaced-${process.pid}`;
  try {
    await rm(partial, { recursive: true, force: true });
    await makeFolder(partial);
    for (const [name, content] of Object.entries(files)) await writeSynced(join(partial, name), content);
    await syncFolder(partial);
    const moved = await moveIfThere(path, replaced);
    try {
      await rename(partial, path);
    } catch (problem) {
      if (moved) await rename(replaced, path);
      throw problem;
    }
    await syncFolder(dirname(path));
    if (moved) await rm(replaced, { recursive: true, force: true });
  } catch (problem) {
    await removeQuietly(partial);
    throw problem;
  }
}

/** Make a folder and those above it. Node's own way says ENOENT of a file system that can only be read. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (problem) {
    if (hasCode(problem, "EEXIST") && (await stat(path)).isDirectory()) return;
    if (!hasCode(problem, "ENOENT") || dirname(path) === path) throw problem;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}

/** Remove a folder so that it is whole or gone, but never half there under its name. */
export async function removeFolderDurably(path: string): Promise<void> {
  const doomed = `${path}.partial-${process.pid}`;
  await rm(doomed, { recursive: true, force: true });
  await rename(path, doomed);
  await rm(doomed, { recursive: true, force: true });
}

/**
 * Remove what killed processes left half written in a folder, and put back what they had moved aside. What a process that is alive
 * writes at this moment is left alone.
 */
export async function cleanLeftovers(folder: string): Promise<void> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch {
    return;
  }
  const there = new Set(names);
  for (const name of names) {
    const [, target, kind, pid] = /^(.+)\.(partial|replaced)-(\d+)$/.exec(name) ?? [];
    if (target === undefined || isAnotherAlive(Number(pid))) continue;
    if (kind === "replaced" && !there.has(target)) await rename(join(folder, name), join(folder, target));
    else await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Answers whether there was something to move. */
async function moveIfThere(path: string, to: string): Promise<boolean> {
  try {
    await rename(path, to);
    return true;
  } catch (problem) {
    if (hasCode(problem, "ENOENT")) return false;
    throw problem;
  }
}

const hasCode = (problem: unknown, code: string): boolean => problem instanceof Error && "code" in problem && problem.code === code;

/** What stopped the writing is the problem to tell, not that its leftovers cannot be removed either. */
const removeQuietly = (path: string): Promise<void> => rm(path, { recursive: true, force: true }).catch(() => undefined);

function isAnotherAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (problem) {
    return hasCode(problem, "EPERM");
  }
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename lasts once its folder is on disk. Windows cannot open folders, and needs no sync there. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
