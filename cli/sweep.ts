// `bitloom sweep`: a grid of training runs, each in a process of its own, and one table of what they came to.
import { basename, join } from "node:path";
import { Command } from "commander";
import { type PlannedRun, planSweep, type SweepRun } from "../experiments/sweep/plan-sweep.ts";
import { SweepFolder } from "../experiments/sweep/sweep-folder.ts";
import { printBytes } from "../ir/byte-size.ts";
import { DiagnosticError, error, hasErrors } from "../ir/diagnostic.ts";
import type { AdapterChoice } from "../runtime/index.ts";
import { readSource } from "./files.ts";
import { lockFolder } from "./folder-lock.ts";
import { interruptible } from "./interruptible.ts";
import { adapterOption, jsonOption, memoryOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";
import { printFlops } from "./plan.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";
import { runPool, type SweepOutcome } from "./sweep-pool.ts";
import { SweepProgress } from "./sweep-progress.ts";
import { aligned } from "./table.ts";

interface SweepFlags extends ScheduleFlags {
  readonly out?: string;
  readonly jobs: number;
  readonly dryRun?: true;
  readonly overwrite?: true;
  readonly memory?: number;
  readonly adapter: AdapterChoice;
}

export function sweepCommand(output: Output): Command {
  return new Command("sweep")
    .description("Train a grid of runs (policies, sizes, lengths, seeds, settings) in processes of their own, into one table of results.")
    .argument("<file>", "sweep file (.json), as docs/sweeps.md describes it; `-` for the standard input")
    .option("--out <folder>", "folder for the runs and `results.jsonl` (default: runs/ and the file's name); what is done there stays done")
    .option("--jobs <n>", "runs at a time; a software adapter uses all cores for one", wholeNumber(1), 1)
    .option("--dry-run", "list the runs with what they will cost, and run nothing")
    .option("--overwrite", "begin all runs of the sweep again")
    .addOption(memoryOption())
    .addOption(schedulesOption())
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((file: string, flags: SweepFlags) => sweep(file, flags, output));
}

async function sweep(file: string, flags: SweepFlags, output: Output): Promise<void> {
  const source = await readSource(file);
  schedulesGiven(flags);
  const { value: planned, diagnostics } = await planSweep(source, { costs: flags.dryRun === true, read: readSource });
  if (planned === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
  output.diagnostics(diagnostics);
  const folder = new SweepFolder(flags.out ?? join("runs", file === "-" ? "sweep" : basename(file, ".json")));
  const runs = planned.map(({ run }) => run);
  if (flags.dryRun === true) return tellPlan(planned, folder, output);

  await folder.make();
  using lock = await lockFolder(folder.path);
  if (lock === undefined) {
    const help = ["wait for it, or name another folder with `--out`"];
    throw new DiagnosticError([error("sweep-runs", `another process sweeps into \`${folder.path}\``, undefined, "", help)]);
  }
  if (flags.overwrite === true) for (const run of runs) await folder.remove(run);
  const changed = folder.changed(runs);
  if (hasErrors(changed)) throw new DiagnosticError(changed);
  output.diagnostics(changed);
  const outcomes = await runAll(runs, folder, flags, output);
  await folder.writeTable(runs);
  tellOutcome(runs, outcomes, folder, output);
}

async function runAll(
  runs: readonly SweepRun[],
  folder: SweepFolder,
  flags: SweepFlags,
  output: Output,
): Promise<ReadonlyMap<SweepRun, SweepOutcome>> {
  const left = runs.filter((run) => folder.resultOf(run) === undefined);
  const progress = new SweepProgress(runs, left, output);
  const outcomes = new Map<SweepRun, SweepOutcome>();
  // Before anything runs, so that a table of an earlier grid is none of this one.
  await folder.writeTable(runs);
  await interruptible(
    () => output.note("stopping after the steps under way; Ctrl-C again to quit at once"),
    (signal) =>
      runPool(left, {
        jobs: flags.jobs,
        signal,
        async taskOf(run) {
          await folder.begin(run);
          return {
            run,
            folder: folder.folderOf(run),
            adapter: flags.adapter,
            ...(flags.memory === undefined ? {} : { memory: flags.memory }),
            ...(flags.schedules === undefined ? {} : { schedules: flags.schedules }),
          };
        },
        told: (run, message) => progress.told(run, message),
        async ended(run, outcome) {
          outcomes.set(run, outcome);
          if (outcome.kind !== "finished") return;
          await folder.finish(run, outcome.loss);
          await folder.writeTable(runs);
        },
      }),
  );
  return outcomes;
}

type Status = "done" | "failed" | "stopped" | "waiting";

function tellOutcome(runs: readonly SweepRun[], outcomes: ReadonlyMap<SweepRun, SweepOutcome>, folder: SweepFolder, output: Output): void {
  const rows = runs.map((run) => {
    const loss = folder.resultOf(run)?.loss;
    const outcome = outcomes.get(run);
    const status: Status =
      loss !== undefined ? "done" : outcome?.kind === "failed" ? "failed" : outcome?.kind === "stopped" ? "stopped" : "waiting";
    return { run, status, ...(loss === undefined ? {} : { loss }), ...(outcome?.kind === "failed" ? { problem: outcome.text } : {}) };
  });
  const count = (status: Status) => rows.filter((row) => row.status === status).length;
  const failed = rows.filter(({ status }) => status === "failed");
  const help = [
    `failed: ${failed.map(({ run }) => `\`${run.name}\``).join(", ")}`,
    "the same command tries them again from their checkpoints",
  ];
  const problems = failed.length === 0 ? [] : [error("failed-runs", `${failed.length} of ${runs.length} runs failed`, undefined, "", help)];
  const result = {
    runs: rows.map(({ run, ...rest }) => ({ run: run.name, folder: folder.folderOf(run), ...run.row, ...rest })),
    done: count("done"),
    failed: count("failed"),
    table: folder.table,
  };
  output.result(result, problems);
  const lines = rows.map(({ run: { name, row }, status, loss }) => [
    name,
    row.p,
    shortNumber(row.bits),
    String(row.n),
    String(row.d),
    loss?.toFixed(4) ?? status,
  ]);
  for (const line of aligned([["run", "precision", "bits", "n", "d", "loss"], ...lines])) output.say(line);
  output.say(output.strong(`${count("done")} of ${runs.length} runs are done; the table is ${folder.table}`));
  // For machines they are told already, and what is left of them is the exit code.
  if (problems.length > 0) throw new DiagnosticError(output.isJson ? [] : problems);
  if (count("done") < runs.length) output.say("go on with the same command");
}

function tellPlan(planned: readonly PlannedRun[], folder: SweepFolder, output: Output): void {
  const rows = planned.map(({ run, cost }) => {
    const status = folder.resultOf(run) !== undefined ? "done" : folder.isBegun(run) ? "begun" : "";
    return { run, status, flops: cost?.flops ?? 0, peakBytes: cost?.peakBytes ?? 0 };
  });
  const left = rows.filter(({ status }) => status !== "done");
  const flops = left.reduce((sum, row) => sum + row.flops, 0);
  output.result({ runs: rows.map(({ run, ...rest }) => ({ ...run, ...rest })), left: left.length, flops, folder: folder.path });
  const lines = rows.map(({ run: { name, row, steps }, status, ...cost }) => [
    name,
    row.p,
    shortNumber(row.bits),
    String(row.n),
    String(row.d),
    String(steps),
    printFlops(cost.flops),
    printBytes(cost.peakBytes),
    status,
  ]);
  for (const line of aligned([["run", "precision", "bits", "n", "d", "steps", "work", "memory", ""], ...lines])) output.say(line);
  output.say(output.strong(`${left.length} of ${rows.length} runs to do, ${printFlops(flops)} in all; nothing was run`));
}

const shortNumber = (value: number): string => String(Number(value.toPrecision(4)));
