// A session: an artifact on a device, its state initialised, its entries ready to run.
import { type CompiledArtifact, calibrateEntry, type SlabRange, type StateRecord, type TargetRecord } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { hostValue } from "../ir/host.ts";
import { parseType } from "../ir/parse-type.ts";
import type { Type } from "../ir/type.ts";
import { Arena } from "./arena.ts";
import { bindEntries, makePipelines, type ReadyEntry, uploadConstants, warm } from "./bind.ts";
import type { Device } from "./device.ts";
import { initialValues } from "./init.ts";
import { Readback } from "./readback.ts";
import { checkInto, readRun } from "./run-outputs.ts";
import { encodeDispatches, type TimestampMode } from "./submit.ts";
import { chooseTarget } from "./target.ts";
import { arrayName, fromStored, type HostArray, hostLength, isArrayOf, storedBytes, toStored, wholeWords } from "./values.ts";

export interface SessionOptions {
  /** For the initial values of state; default 0. */
  readonly seed?: number;
  /** Bytes of adapter memory that the session may take. Default: three quarters of the machine's free memory on a software adapter, no limit on others. */
  readonly memoryBudget?: number;
  /** Use the target of this name instead of the first that fits. */
  readonly target?: string;
  /** Measure time on the adapter (needs `timestamp-query`); see {@link RunResult}. */
  readonly timestamps?: TimestampMode;
  /** Told after each kernel that is ready. */
  readonly onKernel?: (ready: number, total: number) => void;
}

/** Arrays by input name (`source: "data"`); numbers for host scalars, which otherwise follow their rule at `step`. */
export type Inputs = Readonly<Record<string, HostArray | number>>;
export type Outputs = Readonly<Record<string, HostArray>>;

export interface RunOptions {
  /** 0-based step at which host scalars are computed; default 0. */
  readonly step?: number;
  /** What nobody will read is not copied out; `read` then gives no outputs, and fills no array. */
  readonly unread?: true;
  /**
   * Outputs of these names are written into these arrays when they are read, and are them: a loop that reads much then allocates nothing. A later
   * run into the same arrays replaces what they hold.
   */
  readonly into?: Outputs;
}

export interface RunResult {
  readonly outputs: Outputs;
  /** With timestamps: milliseconds of the whole entry, or of each dispatch. */
  readonly gpuMs?: readonly number[];
}

/** A run that was submitted; its results may be read while later runs are under way. */
export interface PendingRun {
  /** Call once. */
  read(): Promise<RunResult>;
}

export class Session {
  readonly device: Device;
  readonly artifact: CompiledArtifact;
  readonly target: TargetRecord;
  readonly #arena: Arena;
  readonly #readback: Readback;
  readonly #entries: ReadonlyMap<string, ReadyEntry>;
  readonly #state: ReadonlyMap<string, { readonly record: StateRecord; readonly type: Type }>;
  /** State that entry `calibrate` measures, and whether it has been measured or given since it was initialised. */
  readonly #measured: ReadonlySet<string>;
  #isCalibrated = false;

  private constructor(
    device: Device,
    artifact: CompiledArtifact,
    target: TargetRecord,
    arena: Arena,
    entries: ReadonlyMap<string, ReadyEntry>,
  ) {
    this.device = device;
    this.artifact = artifact;
    this.target = target;
    this.#arena = arena;
    this.#entries = entries;
    this.#readback = new Readback(device);
    const state = artifact.manifest.state.map((record) => [record.name, { record, type: parseType(record.type) }] as const);
    this.#state = new Map(state);
    this.#measured = new Set(artifact.manifest.entries[calibrateEntry]?.updates);
  }

  /**
   * Choose a target, allocate, compile and warm every kernel, upload constants, initialise state. Throws a DiagnosticError where no target fits
   * (`no-target`) or memory does not suffice (`memory-budget`, `out-of-memory`), and a KernelError where the driver refuses a kernel.
   */
  static async open(artifact: CompiledArtifact, device: Device, options: SessionOptions = {}): Promise<Session> {
    const { manifest } = artifact;
    const target = await chooseTarget(manifest.targets, device, options.target);
    const arena = await Arena.allocate(device, target.slabs, manifest.state, options.memoryBudget ?? defaultMemoryBudget(device));
    try {
      const pipelines = await makePipelines(artifact, target, device, options.onKernel);
      const entries = await device.checked("binding the arena", () =>
        bindEntries(artifact, target, device, arena, pipelines, options.timestamps),
      );
      await warm(device, arena, entries);
      await uploadConstants(artifact, target, device, arena);
      const session = new Session(device, artifact, target, arena, entries);
      await session.initialise(options.seed ?? 0);
      return session;
    } catch (problem) {
      arena.destroy();
      throw problem;
    }
  }

  /** Bytes of the arena on the adapter. */
  get byteLength(): number {
    return this.#arena.byteLength;
  }

  /**
   * Whether quantizers have scales that begin with what entry `calibrate` measures, and neither has it run nor was any of them written: until
   * then they suit tensors of variance 1. {@link train} runs it on the first batch.
   */
  get needsCalibration(): boolean {
    return this.#measured.size > 0 && !this.#isCalibrated;
  }

  /** Set all state to its initial values; the same seed gives the same bits on every adapter. */
  async initialise(seed: number): Promise<void> {
    for (const { record, type } of this.#state.values()) {
      if (record.init === "zeros") this.#zero(record);
      else this.writeState(record.name, initialValues(record.name, type, record.init, seed));
    }
    this.#isCalibrated = false;
    await this.device.idle();
  }

  /** Run an entry and read its outputs. Shapes and types as the entry declares them; throws a DiagnosticError `bad-input` where the inputs differ. */
  async run(entry: string, inputs: Inputs = {}, options: RunOptions = {}): Promise<Outputs> {
    return (await this.submit(entry, inputs, options).read()).outputs;
  }

  /** Start a run: one submission. Runs execute in the order of their submission, each on the state that the one before left. */
  submit(entryName: string, inputs: Inputs = {}, options: RunOptions = {}): PendingRun {
    const entry = this.#entry(entryName);
    this.device.assertHealthy();
    if (entryName === calibrateEntry) this.#isCalibrated = true;
    const { into = {} } = options;
    checkInto(entryName, entry, into);
    this.#writeInputs(entryName, entry, inputs, options.step ?? 0);
    const { gpu } = this.device;
    const encoder = gpu.createCommandEncoder({ label: entryName });
    encodeDispatches(encoder, entry.dispatches, entry.timing);
    if (options.unread === true) {
      gpu.queue.submit([encoder.finish()]);
      return { read: () => Promise.resolve({ outputs: {} }) };
    }
    const { timing } = entry;
    if (timing !== undefined) encoder.resolveQuerySet(timing.querySet, 0, timing.querySet.count, timing.resolved, 0);
    const parts = entry.outputs.map(({ part }) => part);
    const pending = this.#readback.record(
      encoder,
      timing === undefined ? parts : [...parts, { buffer: timing.resolved, offset: 0, size: timing.querySet.count * 8 }],
    );
    gpu.queue.submit([encoder.finish()]);
    return { read: () => readRun(entry, pending, into) };
  }

  /** A tensor of state, in row-major order (packed types: words). Throws an Error for a name that the artifact does not have. */
  async readState(name: string): Promise<HostArray> {
    const { record, type } = this.#stateOf(name);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const [slab, offset, bytes] of piecesOf(record)) {
      const encoder = this.device.gpu.createCommandEncoder();
      const size = record.pieces === undefined ? storedBytes(type, bytes) : bytes;
      const pending = this.#readback.record(encoder, [{ buffer: this.#arena.buffer(slab), offset, size: wholeWords(size) }]);
      this.device.gpu.queue.submit([encoder.finish()]);
      parts.push(...(await pending.read((bytes) => bytes.slice(0, size))));
    }
    const [first = new Uint8Array(0), ...others] = parts;
    return fromStored(type, others.length === 0 ? first.buffer : await new Blob(parts).arrayBuffer());
  }

  /** Replace a tensor of state before the next run. Throws a DiagnosticError `bad-state` where type or length differ. */
  writeState(name: string, values: HostArray): void {
    const { record, type } = this.#stateOf(name);
    const length = hostLength(type, record.bytes);
    if (!isArrayOf(values, type, length)) {
      throw new DiagnosticError([
        error(
          "bad-state",
          `state \`${name}\` is ${record.type}: ${length} elements of ${arrayName(type)}, got ${values.length} of ${values.constructor.name}`,
        ),
      ]);
    }
    if (this.#measured.has(name)) this.#isCalibrated = true;
    const stored = toStored(type, values);
    let start = 0;
    for (const [slab, offset, bytes] of piecesOf(record)) {
      this.#write(this.#arena.buffer(slab), offset, record.pieces === undefined ? stored : stored.subarray(start, start + bytes));
      start += bytes;
    }
  }

  /** Free the session's memory. The device stays open. */
  dispose(): void {
    this.#arena.destroy();
    this.#readback.destroy();
    for (const { timing } of this.#entries.values()) {
      timing?.querySet.destroy();
      timing?.resolved.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #entry(name: string): ReadyEntry {
    const entry = this.#entries.get(name);
    if (entry === undefined)
      throw new DiagnosticError([
        error("no-entry", `the artifact has no entry \`${name}\``, undefined, "", [
          `its entries are ${[...this.#entries.keys()].join(", ")}`,
        ]),
      ]);
    return entry;
  }

  #stateOf(name: string) {
    const state = this.#state.get(name);
    if (state === undefined) throw new Error(`the artifact has no state \`${name}\``);
    return state;
  }

  #writeInputs(entryName: string, entry: ReadyEntry, inputs: Inputs, step: number): void {
    const bad = (message: string): never => {
      throw new DiagnosticError([error("bad-input", `entry \`${entryName}\`: ${message}`)]);
    };
    for (const name of Object.keys(inputs)) {
      if (!entry.inputs.some(({ record }) => record.name === name))
        bad(`no input \`${name}\`; its inputs are ${entry.inputs.map(({ record }) => record.name).join(", ") || "none"}`);
    }
    for (const { record, type, length, buffer, offset } of entry.inputs) {
      const given = inputs[record.name];
      if (record.source === "host") {
        const rule = this.artifact.manifest.host[record.name];
        if (typeof given === "object") bad(`\`${record.name}\` is a scalar of the host, got an array`);
        const value =
          typeof given === "number"
            ? given
            : rule === undefined
              ? bad(`\`${record.name}\` has no rule, and no value was given`)
              : hostValue(rule, step);
        this.#write(buffer, offset, toStored(type, Float32Array.of(value)));
      } else if (typeof given !== "object" || !isArrayOf(given, type, length)) {
        const got =
          given === undefined ? "nothing" : typeof given === "number" ? "a number" : `${given.length} of ${given.constructor.name}`;
        bad(`\`${record.name}\` is ${record.type}: ${length} elements of ${arrayName(type)}, got ${got}`);
      } else this.#write(buffer, offset, toStored(type, given));
    }
  }

  /** Dawn writes multiples of 4 bytes; slab ranges are padded to 16, so the tail of a narrow type has room. */
  #write(buffer: GPUBuffer, offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.byteLength % 4 === 0) this.device.gpu.queue.writeBuffer(buffer, offset, bytes);
    else {
      const padded = new Uint8Array(wholeWords(bytes.byteLength));
      padded.set(bytes);
      this.device.gpu.queue.writeBuffer(buffer, offset, padded);
    }
  }

  #zero(record: StateRecord): void {
    const encoder = this.device.gpu.createCommandEncoder();
    for (const [slab, offset, bytes] of piecesOf(record)) encoder.clearBuffer(this.#arena.buffer(slab), offset, wholeWords(bytes));
    this.device.gpu.queue.submit([encoder.finish()]);
  }
}

/** Where a state lies: in one place, or in runs of its rows. */
const piecesOf = ({ pieces, slab, offset, bytes }: StateRecord): readonly SlabRange[] => pieces ?? [[slab, offset, bytes]];

/** Bytes that a session takes at most where nothing is said: a software adapter takes them from the machine's own memory. */
export const defaultMemoryBudget = (device: Device): number =>
  device.adapter.isSoftware ? Math.floor(0.75 * process.availableMemory()) : Number.POSITIVE_INFINITY;
