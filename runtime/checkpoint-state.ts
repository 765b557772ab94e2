// `state.json` of a checkpoint: where the run stood, what it ran, and what the files beside it must be.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DiagnosticError, error } from "../ir/diagnostic.ts";

/** Where a run stood, and what it ran. */
export interface CheckpointState {
  /** Steps done. */
  readonly step: number;
  readonly seed: number;
  /** Training examples seen. */
  readonly dataPosition: number;
  /** Steps so far that changed nothing because their loss or gradient was not finite. */
  readonly skipped: number;
  /** Those among them that came last, in a row. */
  readonly skippedInRow: number;
  readonly artifact: string;
  readonly schedules: string;
  readonly model: string;
  readonly policy: string;
  /** Empty where the artifact has no name for it. */
  readonly recipe: string;
  readonly adapter: { readonly name: string; readonly driver: string };
}

/** What a file was when it was written, so that damage shows. */
interface FileRecord {
  readonly bytes: number;
  readonly hash: string;
}

const format = "bitloom-checkpoint";
const version = 1;
export const stateFile = "state.json";

/** The text of `state.json` for a state and the files that are written beside it. */
export function printState(state: CheckpointState, files: Readonly<Record<string, Uint8Array>>): string {
  const records = Object.entries(files).map(([name, bytes]): [string, FileRecord] => [
    name,
    { bytes: bytes.byteLength, hash: hashOf(bytes) },
  ]);
  return `${JSON.stringify({ format, version, ...state, files: Object.fromEntries(records) }, null, 1)}\n`;
}

/** A checkpoint's state, and its files' bytes where they are as they were written. */
export class SavedState {
  readonly folder: string;
  readonly state: CheckpointState;
  readonly #files: ReadonlyMap<string, FileRecord>;

  private constructor(folder: string, state: CheckpointState, files: ReadonlyMap<string, FileRecord>) {
    this.folder = folder;
    this.state = state;
    this.#files = files;
  }

  /** Read `state.json`. Throws a DiagnosticError `bad-checkpoint` where it is missing, cut off, or lacks something, and says what. */
  static async read(folder: string): Promise<SavedState> {
    const path = join(folder, stateFile);
    const text = new TextDecoder().decode(await readBytes(path));
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (problem) {
      throw damaged(
        path,
        text === "" ? "is empty" : `is not JSON, perhaps cut off (${problem instanceof Error ? problem.message : problem})`,
      );
    }
    const fields = asRecord(json) ?? {};
    if (fields["format"] !== format) throw damaged(path, `is no \`state.json\` of a checkpoint: \`format\` is not "${format}"`);
    if (fields["version"] !== version) throw damaged(path, `has version ${fields["version"]}, this Bitloom reads version ${version}`);
    const wrong = [
      ...counts.filter((name) => !isCount(fields[name])).map((name) => `\`${name}\` is ${described(fields[name], "no whole number")}`),
      ...texts.filter((name) => typeof fields[name] !== "string").map((name) => `\`${name}\` is ${described(fields[name], "no text")}`),
      ...(isAdapter(fields["adapter"]) ? [] : [`\`adapter\` is ${described(fields["adapter"], "no name and driver")}`]),
      ...(isFiles(fields["files"]) ? [] : [`\`files\` is ${described(fields["files"], "no list of sizes and hashes")}`]),
    ];
    if (wrong.length > 0) throw damaged(path, wrong.join(", "));
    const { format: _, version: __, files, ...state } = fields;
    return new SavedState(folder, state as unknown as CheckpointState, new Map(Object.entries(files as Record<string, FileRecord>)));
  }

  /** The bytes of a file beside it. Throws a DiagnosticError `bad-checkpoint` where it is missing, or is not what was written. */
  async bytesOf(name: string): Promise<Uint8Array> {
    const path = join(this.folder, name);
    const record = this.#files.get(name);
    if (record === undefined) throw damaged(join(this.folder, stateFile), `has no size and hash of \`${name}\``);
    const bytes = await readBytes(path);
    if (bytes.byteLength < record.bytes) throw damaged(path, `is cut off: ${bytes.byteLength} of ${record.bytes} bytes are there`);
    if (bytes.byteLength > record.bytes) throw damaged(path, `has ${bytes.byteLength} bytes, ${record.bytes} were written`);
    if (hashOf(bytes) !== record.hash) throw damaged(path, "was changed or damaged: its hash is not that of what was written");
    return bytes;
  }

  /** What is wrong with the files, or undefined where all are as they were written. */
  static async damageOf(folder: string): Promise<string | undefined> {
    try {
      const saved = await SavedState.read(folder);
      for (const name of saved.#files.keys()) await saved.bytesOf(name);
      return undefined;
    } catch (problem) {
      if (problem instanceof DiagnosticError) return problem.diagnostics[0]?.message ?? "";
      throw problem;
    }
  }
}

const counts = ["step", "seed", "dataPosition", "skipped", "skippedInRow"] as const;
const texts = ["artifact", "schedules", "model", "policy", "recipe"] as const;

const damaged = (path: string, message: string): DiagnosticError =>
  new DiagnosticError([error("bad-checkpoint", `\`${path}\` ${message}`)]);

const described = (value: unknown, wrong: string): string => (value === undefined ? "missing" : wrong);

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (problem) {
    const code = problem instanceof Error && "code" in problem ? problem.code : undefined;
    throw damaged(path, code === "ENOENT" ? "is missing" : `cannot be read (${problem instanceof Error ? problem.message : problem})`);
  }
}

const hashOf = (bytes: Uint8Array): string => `sha256-${createHash("sha256").update(bytes).digest("hex")}`;

const asRecord = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

function isAdapter(value: unknown): boolean {
  const record = asRecord(value);
  return typeof record?.["name"] === "string" && typeof record["driver"] === "string";
}

function isFiles(value: unknown): boolean {
  const record = asRecord(value);
  return (
    record !== undefined &&
    Object.values(record).every((file) => isCount(asRecord(file)?.["bytes"]) && typeof asRecord(file)?.["hash"] === "string")
  );
}
