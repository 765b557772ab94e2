// `npm run bench`: the options, and the session that they ask for.
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { adapterOption, collect, jsonOption, wholeNumber } from "../cli/options.ts";
import { Output, type Stream } from "../cli/output.ts";
import { tellProblem } from "../cli/run.ts";
import { aligned } from "../cli/table.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { suggest } from "../ir/nearest.ts";
import { type AdapterChoice, describeAdapter } from "../runtime/index.ts";
import { benchmarks } from "./benchmarks.ts";
import { installCommand, notInstalled, whyMissing } from "./peers.ts";
import { loadNow, reportOf, writeReport } from "./report.ts";
import type { Row } from "./rows.ts";
import type { Growth } from "./scaling/measure.ts";
import { type Subject, subjects } from "./subject.ts";
import { adapterLine, sayGrowth, sayWork } from "./tables.ts";

const allSubjects: readonly Subject[] = Object.values(subjects);

interface BenchFlags {
  readonly only: readonly string[];
  readonly subject: readonly string[];
  readonly rounds: number;
  readonly list?: true;
  readonly adapter: AdapterChoice;
  readonly out: string;
}

/** Run one command line. Never throws; answers the exit code, as the command line's own `run` does. */
export async function runBench(args: readonly string[], out?: Stream, err?: Stream): Promise<number> {
  const output = new Output(args.includes("--json"), out, err);
  const program = new Command("bench")
    .usage("[options]")
    .description("Measure the same work on Bitloom and on its peers, in turns, and write the results.")
    .addOption(new Option("--only <work>", "run this work alone; may be repeated").argParser(oneOf("work", benchmarks)).default([]))
    .addOption(
      new Option("--subject <name>", "in works with several subjects, run this one alone; may be repeated")
        .argParser(oneOf("subject", allSubjects))
        .default([]),
    )
    .addOption(new Option("--rounds <n>", "rounds of each subject, in turn with the others'").argParser(wholeNumber(1)).default(5))
    .addOption(adapterOption())
    .option("--out <folder>", "where the results go", join(import.meta.dirname, "results"))
    .option("--list", "list the works and end")
    .addOption(jsonOption())
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.raw(text), writeErr: (text) => output.note(text), outputError: () => undefined })
    .action((flags: BenchFlags) => (flags.list === true ? list(output) : bench(flags, output)));
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (problem) {
    return tellProblem(problem, output);
  }
}

/** A parser of names that may be repeated, each of which there is. */
const oneOf =
  (what: string, all: readonly { readonly name: string }[]) =>
  (name: string, before: readonly string[]): readonly string[] => {
    const known = all.map((each) => each.name);
    if (!known.includes(name)) throw new InvalidArgumentError([`There is no ${what} \`${name}\`.`, ...suggest(name, known)].join("\n"));
    return collect(name, before);
  };

function list(output: Output): void {
  output.result({ works: benchmarks.map(({ name, summary }) => ({ name, summary })) });
  for (const line of aligned(benchmarks.map(({ name, summary }) => [name, summary]))) output.say(line.trimStart());
}

async function bench({ only, subject, rounds, adapter, out }: BenchFlags, output: Output): Promise<void> {
  const chosen = only.length === 0 ? benchmarks : benchmarks.filter(({ name }) => only.includes(name));
  const named = subject.length === 0 ? allSubjects : allSubjects.filter(({ name }) => subject.includes(name));
  const description = await describeAdapter({ adapter });
  if ("missing" in description)
    throw new DiagnosticError([error("no-adapter", `no GPU adapter for \`${adapter}\`: ${description.missing}`)]);
  const started = { date: new Date(), load: loadNow() };
  if (named.some((each) => whyMissing(each)?.startsWith(notInstalled) === true))
    output.note(`peers are not installed, and are left out: \`${installCommand}\` installs them`);
  output.say(`${adapterLine(description)}; load ${started.load}; ratio = median of the row / median of the first row`);
  const rows: Row[] = [];
  const growth: Growth[] = [];
  const progress = (words: string) => output.note(words);
  try {
    for (const benchmark of chosen) {
      const measured = await benchmark.run({
        adapter,
        adapterName: description.name,
        rounds,
        subjects: named.map(({ name }) => name),
        progress,
      });
      rows.push(...measured.rows);
      sayWork(benchmark, measured.rows, output);
      if (measured.growth === undefined) continue;
      growth.push(...measured.growth);
      sayGrowth(measured.growth, output);
    }
  } finally {
    // A session takes many minutes: what was measured before something failed is kept.
    const report = reportOf(description, started, rounds, { rows, growth });
    const path = await writeReport(report, out);
    output.result(report);
    output.say(`\nload ${report.load[1]}; written to ${path}`);
  }
}
