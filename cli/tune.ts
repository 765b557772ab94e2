// `bitloom tune`: measures which schedules a model's kernels are fastest with on this machine's adapter, and writes them as a table.
import { existsSync } from "node:fs";
import { access, constants, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { dirname } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { printTable, type Schedules, schedulesAsOn, schedulesFrom, shippedSchedules, shippedTables } from "../compiler/index.ts";
import type { PlacedPlan, Schedule, Target } from "../ir/plan.ts";
import type { Source } from "../ir/source.ts";
import { printSchedule } from "../ir/text/plan-records.ts";
import { type AdapterChoice, Device } from "../runtime/index.ts";
import { type Compiled, leastSpeed, type TunedKey, type TuneResult, tune } from "../tuner/tune.ts";
import type { StepComparison, StepSpeed } from "../tuner/whole-step.ts";
import { compileFrom, type SourceFlags } from "./compilation.ts";
import { readSource } from "./files.ts";
import { interruptible } from "./interruptible.ts";
import { adapterOption, contextOption, jsonOption, policyOption, setOption } from "./options.ts";
import type { Output } from "./output.ts";
import { readTable } from "./schedules.ts";
import { aligned } from "./table.ts";
import { targetOf } from "./target.ts";

interface TuneFlags extends SourceFlags {
  readonly adapter: AdapterChoice;
  readonly budget: number;
  readonly from: string;
  readonly against?: string;
  readonly output?: string;
}

export function tuneCommand(output: Output): Command {
  return new Command("tune")
    .description(
      "Measure which schedules a model's kernels are fastest with on this machine's adapter, and write a table for `--schedules`.",
    )
    .argument("<file>", "model file (.loom) or IR (.loomir), `-` for a model on the standard input")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(contextOption())
    .addOption(new Option("--budget <time>", "how long to measure (`120s`, `10min`)").argParser(duration).default(120_000, "120s"))
    .addOption(
      new Option(
        "--from <schedules>",
        "where to begin: a table's file, whose entries are kept and bettered; `defaults`, the shipped tables and the rules; `rules` alone; or what another class of adapters has (`lavapipe`, `swiftshader`, `gpu`)",
      ).default("defaults"),
    )
    .addOption(new Option("--against <schedules>", "in the end compare the whole step with these too; named as for `--from`"))
    .addOption(new Option("-o, --output <file>", "table to write (default: schedules-CLASS.json)"))
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: TuneFlags) => tuneModel(file, recipe, flags, output));
}

/** `90s`, `2min`, in milliseconds. */
function duration(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|min)?$/.exec(text) ?? [];
  const ms = Number(number) * ({ ms: 1, s: 1000, min: 60_000 }[unit] ?? 1000);
  if (number === undefined || ms <= 0) throw new InvalidArgumentError("It must be a time, such as 120s or 10min.");
  return ms;
}

async function tuneModel(file: string, recipe: string | undefined, flags: TuneFlags, output: Output): Promise<void> {
  const source = await readSource(file);
  const start = schedulesNamed(flags.from);
  // Before the minutes that measuring takes, not after.
  if (flags.output !== undefined) await access(dirname(flags.output), constants.W_OK);
  const against = flags.against === undefined ? {} : { against: schedulesNamed(flags.against) };
  // A compile time from Mesa's cache on disk says nothing. The driver reads this when it is brought up.
  process.env["MESA_SHADER_CACHE_DISABLE"] ??= "true";
  using device = await Device.open({ adapter: flags.adapter });
  const { name, driver, isSoftware, adapterClass } = device.adapter;
  output.note(`adapter: ${name}${isSoftware ? ", software: it computes on the CPU" : ""} (${driver})`);
  const target = await targetOf(device);
  const dropped: Dropped[] = [];
  const result = await interruptible(
    () => output.note("stopping after this key; Ctrl-C again to quit at once"),
    (signal) =>
      tune(device, {
        target,
        start,
        ...against,
        signal,
        budgetMs: flags.budget,
        compile: compiler(source, recipe, flags, target, output),
        progress: {
          started: (keys) => output.note(`${keys} keys to tune in ${flags.budget / 1000} s`),
          tuned: (key) => output.note(tunedLine(key)),
          dropped: (key, schedule, reason) => {
            dropped.push({ key, schedule, reason });
            output.note(`  left aside: ${text(schedule)} for ${key}: ${reason}`);
          },
          left: (key, reason) => output.note(`${key}: left as it is, ${reason}`),
        },
      }),
  );
  const path = flags.output ?? `schedules-${adapterClass}.json`;
  await writeFile(path, printTable(result.table));
  tell(result, dropped, path, flags, output);
}

/** A candidate that was left aside: wrong, refused, or slow to compile. */
interface Dropped {
  readonly key: string;
  readonly schedule: Schedule;
  readonly reason: string;
}

/** Throws a DiagnosticError for a file that is no table. */
function schedulesNamed(name: string): Schedules {
  if (name === "defaults") return shippedSchedules;
  if (name === "rules") return schedulesFrom([]);
  const isClass = ["gpu", ...shippedTables.map(({ adapter }) => adapter.class)].includes(name);
  return isClass && !existsSync(name) ? schedulesAsOn(name) : schedulesFrom([readTable(name)]);
}

/** Compiles the model with some schedules. What there is to say about it is said once. */
function compiler(
  source: Source,
  recipe: string | undefined,
  flags: TuneFlags,
  target: Target,
  output: Output,
): (schedules: Schedules) => Promise<Compiled> {
  let told = false;
  return async (schedules) => {
    let plan: PlacedPlan | undefined;
    const planned = (made: PlacedPlan) => {
      plan = made;
    };
    const artifact = await compileFrom(
      source,
      recipe,
      flags,
      { targets: [target], portable: false, schedules, planned },
      told ? silent : output,
    );
    told = true;
    if (plan === undefined) throw new Error("a compilation without a plan");
    return { artifact, plan };
  };
}

const silent: Pick<Output, "diagnostics"> = { diagnostics: () => undefined };

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const text = (schedule: Schedule): string => printSchedule(schedule).join(", ");
const isChanged = (key: TunedKey): boolean => text(key.best) !== text(key.default);

const tunedLine = (key: TunedKey): string =>
  isChanged(key)
    ? `${key.name}: ${key.gain.toFixed(2)} times faster with ${text(key.best)}, of ${key.candidates} candidates`
    : `${key.name}: none of ${key.candidates} candidates is faster`;

function tellStep({ sides: [before, after, other], rounds }: StepComparison, { from, against }: TuneFlags, output: Output): void {
  if (before === undefined || after === undefined) return;
  output.say(`the whole step, ${rounds} rounds in turn, load average ${loadavg()[0]?.toFixed(2)}:`);
  const line = (name: string, { ms, speed, cpuSpeed }: StepSpeed) => [
    name,
    `${ms.toFixed(2)} ms`,
    `speed ${speed.toFixed(3)}`,
    `by CPU time ${cpuSpeed.toFixed(3)}`,
  ];
  const rows = [line(`from ${from}`, before), line("tuned", after), ...(other === undefined ? [] : [line(`${against}`, other)])];
  for (const row of aligned(rows)) output.say(row);
  if (other === undefined) return;
  const [byClock, byCpu] = [after.speed / other.speed, after.cpuSpeed / other.cpuSpeed];
  output.say(`tuned to ${against}: ${byClock.toFixed(3)}, by CPU time ${byCpu.toFixed(3)}`);
}

function tell(
  { table, keys, keysInAll, step, isWithdrawn }: TuneResult,
  dropped: readonly Dropped[],
  path: string,
  flags: TuneFlags,
  output: Output,
): void {
  output.result({ file: path, adapter: table.adapter, entries: table.entries.length, keys, keysInAll, dropped, step, isWithdrawn });
  const head = ["key", "default", "best", "ratio", "share"];
  const rows = keys.map((key) => [
    key.name,
    text(key.default),
    isChanged(key) ? text(key.best) : "the same",
    key.gain.toFixed(2),
    percent(key.share),
  ]);
  for (const line of aligned([head, ...rows])) output.say(line);
  const covered = keys.reduce((sum, { share }) => sum + share, 0);
  output.say(`${keys.length} of ${keysInAll} keys were measured, ${percent(covered)} of the time`);
  if (step !== undefined) tellStep(step, flags, output);
  if (isWithdrawn) output.say(`slower than ${leastSpeed}: the table is as it was at the start`);
  output.say(output.strong(`wrote ${path}: ${table.entries.length} entries`));
}
