// Files that are either whole or not there: written under a temporary name, synced, renamed.
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Write a file; readers see the old content or the new one, never a part, also after a power cut. */
export async function writeFileDurably(path: string, content: string | Uint8Array): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  try {
    await writeSynced(partial, content);
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (problem) {
    await rm(partial, { force: true });
    throw problem;
  }
}

/** Write a folder of files at once; a folder that is there already is replaced. */
export async function writeFolderDurably(path: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    for (const [name, content] of Object.entries(files)) await writeSynced(join(partial, name), content);
    await syncFolder(partial);
    await rm(path, { recursive: true, force: true });
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (problem) {
    await rm(partial, { recursive: true, force: true });
    throw problem;
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
