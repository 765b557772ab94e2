// Runs one work on all its subjects, one round of each in turn, so that what else the machine does hits all alike.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AdapterChoice } from "../runtime/index.ts";
import { environmentOf, whyMissing } from "./peers.ts";
import type { ReadyAnswer, RoundAnswer } from "./protocol.ts";
import { type MeasuredRow, type Row, ratioOf, rounded, spreadOf } from "./rows.ts";
import type { Subject } from "./subject.ts";
import { SubjectFailure, SubjectProcess } from "./subject-process.ts";
import type { Work } from "./works.ts";

export interface CompareOptions {
  /** The choice, and the name of what it leads to. */
  readonly adapter: AdapterChoice;
  readonly adapterName: string;
  readonly rounds: number;
  /** Subjects to run; default: all. */
  readonly subjects?: readonly string[];
  /** Told what is under way. */
  readonly progress?: (words: string) => void;
}

/** Long enough for three steps of the GPT here, short enough that peers alternate often. */
const roundLength = { leastMs: 600, mostRuns: 20 };

/** What one subject gave so far. */
interface Tally {
  readonly subject: Subject;
  process?: SubjectProcess;
  ready?: ReadyAnswer;
  loss?: number;
  readonly ms: number[];
  readonly cpuMs: number[];
  /** Why there is no more to come. */
  failure?: string;
}

export async function compareWork(work: Work, options: CompareOptions): Promise<readonly Row[]> {
  const chosen = work.subjects.filter(({ name }) => options.subjects?.includes(name) !== false);
  const tallies = chosen.map((subject): Tally => {
    const failure = whyMissing(subject);
    return { subject, ms: [], cpuMs: [], ...(failure === undefined ? {} : { failure }) };
  });
  const folder = await mkdtemp(join(tmpdir(), "bitloom-bench-"));
  const environment = { ...(await environmentOf(options.adapter)), ...cacheEnvironment(work, folder) };
  const start = (subject: Subject) =>
    SubjectProcess.start(subject, { task: work.task ?? work.name, adapter: options.adapter, environment });
  try {
    const turn = work.fresh === undefined ? steadyRound : freshRound;
    // A warm cache is one that a run has filled: that run does not count.
    const unmeasured = work.fresh === "warm" ? 1 : 0;
    for (let round = -unmeasured; round < options.rounds; round++) {
      for (const tally of tallies) {
        if (tally.failure !== undefined) continue;
        options.progress?.(
          `${work.name}: ${tally.subject.name}, ${round < 0 ? "filling the cache" : `round ${round + 1} of ${options.rounds}`}`,
        );
        await guarded(tally, () => turn(tally, () => start(tally.subject), round >= 0));
      }
    }
  } finally {
    for (const tally of tallies) await tally.process?.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return rowsOf(work, tallies, options.adapterName);
}

/** The process stays, with all it has compiled. */
async function steadyRound(tally: Tally, start: () => Promise<SubjectProcess>): Promise<void> {
  if (tally.process === undefined) {
    tally.process = await start();
    tally.ready = tally.process.ready;
    // One more before it counts: pools fill, and some libraries compile at the second run again.
    await tally.process.round({ leastMs: 0, mostRuns: 1 });
  }
  record(tally, await tally.process.round(roundLength));
}

/** A process for this round alone, of which the first run counts. */
async function freshRound(tally: Tally, start: () => Promise<SubjectProcess>, counts: boolean): Promise<void> {
  const process = await start();
  await process.stop();
  if (!counts) return;
  tally.ready = process.ready;
  tally.ms.push(process.ready.firstMs);
}

function record(tally: Tally, { ms, cpuMs, loss }: RoundAnswer): void {
  tally.ms.push(...ms);
  tally.cpuMs.push(...cpuMs);
  if (loss !== undefined) tally.loss = loss;
}

/** A subject that fails is out; the others go on. */
async function guarded(tally: Tally, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (problem) {
    if (!(problem instanceof SubjectFailure)) throw problem;
    tally.failure = problem.message;
  }
}

/** Mesa's shader cache: none, or one of this session alone. SwiftShader keeps none in files. */
function cacheEnvironment({ fresh }: Work, folder: string): Readonly<Record<string, string>> {
  switch (fresh) {
    case "cold":
      return { MESA_SHADER_CACHE_DISABLE: "true" };
    case "warm":
      return { MESA_SHADER_CACHE_DIR: folder };
    case undefined:
      return {};
    default:
      return fresh satisfies never;
  }
}

function rowsOf(work: Work, tallies: readonly Tally[], adapterName: string): readonly Row[] {
  const base = tallies.find(({ subject }) => subject === work.subjects[0]);
  const baseSpread = base === undefined || base.ms.length === 0 || base.failure !== undefined ? undefined : spreadOf(base.ms);
  return tallies.map((tally): Row => {
    const { subject, ready, ms, cpuMs, loss } = tally;
    const failure = tally.failure ?? wrongWork(work, ready);
    const adapter = ready?.adapter ?? (subject.device === "cpu" ? "CPU" : adapterName);
    const about = { work: work.name, subject: subject.name, adapter };
    if (failure !== undefined || ready === undefined) return { ...about, missing: failure ?? "gave nothing" };
    const spread = spreadOf(ms);
    const row: MeasuredRow = { ...about, ms: spread, ratio: ratioOf(spread, baseSpread), runs: ms.length };
    return {
      ...row,
      ...(cpuMs.length === 0 ? {} : { cpuMs: rounded(Math.min(...cpuMs)) }),
      ...(work.fresh === undefined ? { firstMs: rounded(ready.firstMs) } : {}),
      ...(ready.parameters === undefined ? {} : { parameters: ready.parameters }),
      ...(loss === undefined ? {} : { loss }),
    };
  });
}

function wrongWork({ parameters }: Work, ready: ReadyAnswer | undefined): string | undefined {
  const counted = ready?.parameters;
  return parameters === undefined || counted === undefined || counted === parameters
    ? undefined
    : `does another work: it trains ${counted} numbers, not ${parameters}`;
}
