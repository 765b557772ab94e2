// Locks on folders that end with the process that holds them, however it ends: a local socket that nobody else can listen on.
import { createHash } from "node:crypto";
import { realpathSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** What holds a folder; disposing lets it go. */
export type FolderLock = Disposable;

/** Take a folder that exists; undefined where another process has it for longer than `patienceMs`. */
export async function lockFolder(folder: string, patienceMs = 0): Promise<FolderLock | undefined> {
  const address = addressOf(folder);
  for (const until = performance.now() + patienceMs; ; await setTimeout(50)) {
    const lock = await listenOn(address);
    if (lock !== undefined) return lock;
    if (performance.now() >= until) return undefined;
  }
}

/** Names outside the file system where there are such: they vanish with their process. */
function addressOf(folder: string): string {
  const name = `bitloom-${createHash("sha256").update(realpathSync(folder)).digest("hex").slice(0, 24)}`;
  if (process.platform === "linux") return `\0${name}`;
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), name);
}

function listenOn(address: string): Promise<FolderLock | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on("error", (problem: NodeJS.ErrnoException) => {
      if (problem.code !== "EADDRINUSE") reject(problem);
      else if (process.platform === "linux" || process.platform === "win32") resolve(undefined);
      else isHeld(address).then((held) => resolve(held ? undefined : listenAgain(address)), reject);
    });
    server.listen(address, () => {
      // A lock keeps nobody alive.
      server.unref();
      resolve({ [Symbol.dispose]: () => void server.close() });
    });
  });
}

/** Of a socket in the file system, which a killed process leaves behind. */
function isHeld(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.on("connect", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("close", () => socket.destroy());
  });
}

function listenAgain(address: string): Promise<FolderLock | undefined> {
  rmSync(address, { force: true });
  return listenOn(address);
}
