// `bitloom plan`: what a model will take and do on an adapter, before anything runs.
import { Command } from "commander";
import { type BufferSummary, type EntryFusion, type MemoryTrade, type PlanSummary, portable, summarizePlan } from "../compiler/index.ts";
import type { ArtifactManifest } from "../ir/artifact.ts";
import { printBytes } from "../ir/byte-size.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { didYouMean } from "../ir/nearest.ts";
import type { PlacedPlan } from "../ir/plan.ts";
import { printPlan } from "../ir/text/print-plan.ts";
import type { AdapterChoice } from "../runtime/index.ts";
import { compileFrom, type SourceFlags, targetsHere } from "./compilation.ts";
import { readSource } from "./files.ts";
import { fusionLines, scheduledFusions } from "./fusion.ts";
import { adapterOption, contextOption, jsonOption, memoryOption, packedOption, policyOption, setOption } from "./options.ts";
import type { Output } from "./output.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";
import { aligned } from "./table.ts";

interface PlanFlags extends SourceFlags, ScheduleFlags {
  readonly entry: readonly string[];
  readonly adapter: AdapterChoice;
  readonly portable?: true;
  readonly summary?: true;
  readonly fusion?: true;
  readonly packed?: true;
  readonly memory?: number;
}

export function planCommand(output: Output): Command {
  return new Command("plan")
    .description("Print the kernel plan of a model before anything runs: dispatches, bytes of every buffer, peak, lower bound, FLOPs.")
    .argument("<file>", "model file (.loom) or IR (.loomir), `-` for a model on the standard input")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(contextOption())
    .addOption(packedOption())
    .option("--entry <name>", "plan this entry alone; may be repeated (default: all whose sizes are known)", collect, [])
    .addOption(memoryOption())
    .addOption(schedulesOption())
    .addOption(adapterOption())
    .option("--portable", "plan for the portable target, without looking for an adapter")
    .option("--summary", "leave out the dispatches and print the figures alone")
    .option("--fusion", "print instead which instructions share kernels, which do not, and why")
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: PlanFlags) => plan(file, recipe, flags, output));
}

const collect = (name: string, before: readonly string[]): readonly string[] => [...before, name.replace(/^@/, "")];

async function plan(file: string, recipe: string | undefined, flags: PlanFlags, output: Output): Promise<void> {
  const source = await readSource(file);
  const schedules = schedulesGiven(flags);
  const [target = portable] = flags.portable === true ? [] : await targetsHere(flags.adapter, output);
  const seen = new Set<string>();
  const wanted = (name: string): boolean => {
    seen.add(name);
    return flags.entry.includes(name);
  };
  let placed: Placed | undefined;
  const fusions: EntryFusion[] = [];
  const { manifest } = await compileFrom(
    source,
    recipe,
    flags,
    {
      targets: [target],
      portable: false,
      ...schedules,
      ...(flags.packed === true ? { packed: "read" as const } : {}),
      ...(flags.fusion === true ? { explain: (fusion) => fusions.push(fusion) } : {}),
      planned: (made, trade) => {
        placed = { plan: made, trade };
      },
      ...(flags.memory === undefined ? {} : { memory: flags.memory }),
      ...(flags.entry.length === 0 ? {} : { entries: wanted }),
    },
    output,
  );
  const missing = flags.entry.find((name) => !seen.has(name));
  if (missing !== undefined) throw unknownEntry(missing, [...seen]);
  if (placed === undefined) throw new Error("a compilation without a plan");
  if (flags.fusion === true) tellFusion(fusions, placed.plan, manifest, output);
  else tell(placed, manifest, flags, output);
}

function tellFusion(
  fusions: readonly EntryFusion[],
  placed: PlacedPlan,
  { model, policy, recipe }: ArtifactManifest,
  output: Output,
): void {
  const compiled = new Set(placed.entries.map(({ name }) => name));
  const entries = scheduledFusions(
    fusions.filter(({ entry }) => compiled.has(entry)),
    placed,
  );
  if (entries.length === 0) {
    const message = "the module's instructions have numbers of kernels already: what decided them is not known any more";
    throw new DiagnosticError([error("wrong-file", message, undefined, "", ["give the model, or a dump from before `fuse`"])]);
  }
  output.result({ model, policy, recipe, target: placed.target.name, entries });
  if (output.isJson) return;
  output.say(output.strong(titleOf(model, recipe, policy, placed.target.name)));
  for (const each of entries) for (const line of ["", ...fusionLines(each)]) output.say(line);
}

const titleOf = (model: string, recipe: string | undefined, policy: string, target: string): string =>
  `${model}${recipe === undefined ? "" : `, recipe ${recipe}`}, policy ${policy}, target ${target}`;

function unknownEntry(name: string, known: readonly string[]): DiagnosticError {
  const near = didYouMean(name, known);
  const help = near.length > 0 ? near : [`there are ${known.map((entry) => `\`${entry}\``).join(", ")}`];
  return new DiagnosticError([error("no-entry", `no entry is called \`${name}\``, undefined, "", help)]);
}

interface Placed {
  readonly plan: PlacedPlan;
  readonly trade: () => MemoryTrade;
}

function tell(
  { plan: placed, trade }: Placed,
  { model, policy, recipe, targets }: ArtifactManifest,
  { summary: brief }: PlanFlags,
  output: Output,
): void {
  const summary = summarizePlan(placed);
  const kernels = targets[0]?.kernels.length ?? 0;
  const memory = trade();
  output.result({ model, policy, recipe, kernels, ...summary, trade: memory });
  if (output.isJson) return;
  const title = titleOf(model, recipe, policy, summary.target);
  const lines = [...summaryLines(summary, kernels), ...tradeLines(memory)];
  if (brief === true) {
    output.say(output.strong(title));
    for (const line of lines) output.say(line);
    return;
  }
  // As comments: the whole output is a plan that parses back.
  output.raw(`${printPlan(placed)}\n${[title, ...lines].map((line) => `// ${line}`.trimEnd()).join("\n")}`);
}

const largestShown = 12;

function summaryLines(summary: PlanSummary, kernels: number): readonly string[] {
  const { peakBytes, lowerBoundBytes, slabs, entries, buffers } = summary;
  const temporaries = buffers.filter(({ role }) => role === "temporary");
  return [
    `memory: ${printBytes(peakBytes)} at the peak, ${(peakBytes / lowerBoundBytes).toFixed(3)} times the lower bound of ${printBytes(lowerBoundBytes)}`,
    ...aligned(slabs.map(({ name, bytes }) => [name, printBytes(bytes)])),
    `kernels: ${kernels} distinct`,
    ...aligned(
      entries.map(({ name, dispatches, flops, families }) => [
        `@${name}`,
        `${dispatches} dispatches`,
        `${printFlops(flops)} a run`,
        Object.entries(families)
          .map(([family, count]) => `${count} ${family}`)
          .join(", "),
      ]),
    ),
    `largest of ${temporaries.length} buffers that share the arena:`,
    ...aligned(temporaries.slice(0, largestShown).map(describe)),
  ];
}

/** The curve between memory and time, with the plan's own place on it. Nothing where there is nothing to trade. */
function tradeLines({ curve, chosen }: MemoryTrade): readonly string[] {
  const isOnCurve = curve.some(({ peakBytes }) => peakBytes === chosen.peakBytes);
  const points = (isOnCurve ? curve : [...curve, chosen]).toSorted((a, b) => b.peakBytes - a.peakBytes);
  if (points.length === 1) return [];
  const percent = (share: number) => `+${(100 * share).toFixed(1)} %`;
  return [
    "memory against time, if more is computed again (`--set remat=auto --memory SIZE`), estimated:",
    ...aligned(
      points.map(({ peakBytes, extraShare, repeated }) => [
        printBytes(peakBytes),
        percent(extraShare),
        `${repeated} dispatches again`,
        peakBytes === chosen.peakBytes ? "<- this plan" : "",
      ]),
    ),
  ];
}

const describe = ({ entry, name, type, bytes, slab, offset, from, to, at, instance }: BufferSummary): readonly string[] => [
  `@${entry} ${name}`,
  type,
  printBytes(bytes),
  `at ${slab} + ${offset}`,
  `dispatches ${from} to ${to}`,
  [instance, at].filter((part) => part !== undefined).join(", "),
];

/** `1.25 GFLOP`: floating-point operations. */
export function printFlops(flops: number): string {
  const units = ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"];
  const at = Math.min(units.length - 1, flops < 1000 ? 0 : Math.floor(Math.log10(flops) / 3));
  return `${at === 0 ? flops : (flops / 1000 ** at).toFixed(2)} ${units[at]}`;
}
