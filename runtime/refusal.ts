// What the operating system refuses, as opposed to a bug: a missing right, a full disk, a file where a folder should be, a folder that is gone.

const fileInTheWay = ["a file stands where a folder is needed: name another one"];

const refusals: Readonly<Record<string, readonly string[]>> = {
  EACCES: ["the rights do not allow it: name another folder"],
  EDQUOT: ["the quota is used up: free some space, or name a folder on another disk"],
  EEXIST: [],
  EFBIG: ["files may not grow that large here (`ulimit -f`)"],
  EIO: ["the disk has a fault, or was taken away"],
  EISDIR: [],
  ELOOP: [],
  EMFILE: ["too many files are open (`ulimit -n`)"],
  ENAMETOOLONG: [],
  ENFILE: [],
  ENOENT: [],
  ENOSPC: ["the disk is full: free some space, or name a folder on another disk"],
  ENOTDIR: fileInTheWay,
  EPERM: ["the rights do not allow it: name another folder"],
  EROFS: ["this file system can only be read: name another folder"],
};

/** Whether a file operation failed for a reason that is the user's to mend. */
export const isRefusal = (problem: unknown): problem is NodeJS.ErrnoException =>
  problem instanceof Error && "syscall" in problem && "code" in problem && Object.hasOwn(refusals, String(problem.code));

/** What mends it, where something can be said. */
export function refusalHelp({ code, syscall }: NodeJS.ErrnoException): readonly string[] {
  if (syscall === "mkdir" && (code === "EEXIST" || code === "ENOTDIR")) return ["a file stands where a folder is needed: name another one"];
  return refusals[code ?? ""] ?? [];
}
