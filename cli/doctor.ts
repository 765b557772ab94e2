// `bitloom doctor`: what this machine offers (Node, adapters, subgroups) and what mends each problem.
import { Command } from "commander";
import { DiagnosticError } from "../ir/diagnostic.ts";
import {
  type AdapterChoice,
  type AdapterDescription,
  bestSubgroups,
  Device,
  probeSubgroups,
  type SubgroupSupport,
} from "../runtime/index.ts";
import { jsonOption } from "./options.ts";
import type { Output } from "./output.ts";

export function doctorCommand(output: Output): Command {
  return new Command("doctor")
    .description("Show Node, GPU adapters, their limits, and which kernels are right on them; say what mends each problem.")
    .addOption(jsonOption())
    .action(() => doctor(output));
}

/** What was found for one way to choose an adapter. */
interface Examination {
  readonly choice: AdapterChoice;
  readonly adapter?: AdapterDescription;
  readonly subgroups?: SubgroupSupport;
  readonly missing?: string;
  readonly help?: readonly string[];
}

async function doctor(output: Output): Promise<void> {
  const examinations: Examination[] = [];
  for (const choice of ["auto", "hardware", "lavapipe", "swiftshader"] satisfies AdapterChoice[]) examinations.push(await examine(choice));
  output.result({ node: process.versions.node, platform: `${process.platform}-${process.arch}`, adapters: examinations });

  output.say(`${output.strong("Node")} ${process.versions.node} on ${process.platform}-${process.arch}`);
  const chosen = examinations[0];
  if (chosen?.adapter === undefined) output.say(`${output.strong("No GPU adapter")}: training and benchmarks cannot run; compiling works.`);
  const told = new Set<string>();
  for (const { choice, adapter, subgroups, missing, help } of examinations) {
    output.say("");
    if (adapter === undefined || subgroups === undefined) {
      output.say(`${output.strong(`--adapter ${choice}`)}: none (${missing ?? "unknown"})`);
      for (const line of help ?? []) output.say(`  help: ${line}`);
      continue;
    }
    output.say(
      `${output.strong(`--adapter ${choice}`)}: ${adapter.name}, ${adapter.isSoftware ? "software (computes on the CPU)" : "hardware"}`,
    );
    if (told.has(adapter.driver + adapter.name)) {
      output.say("  as above");
      continue;
    }
    told.add(adapter.driver + adapter.name);
    for (const line of describe(adapter, subgroups)) output.say(`  ${line}`);
  }
}

async function examine(choice: AdapterChoice): Promise<Examination> {
  let device: Device;
  try {
    device = await Device.open({ adapter: choice });
  } catch (problem) {
    if (!(problem instanceof DiagnosticError)) throw problem;
    const [diagnostic] = problem.diagnostics;
    return { choice, missing: diagnostic?.message.replace(/^no GPU adapter for `\w+`: /, "") ?? "unknown", help: diagnostic?.help ?? [] };
  }
  try {
    return { choice, adapter: device.adapter, subgroups: await probeSubgroups(device) };
  } finally {
    device.dispose();
  }
}

function describe(adapter: AdapterDescription, support: SubgroupSupport): readonly string[] {
  const { path, size } = bestSubgroups(support);
  const sizes =
    adapter.subgroupMinSize === adapter.subgroupMaxSize
      ? `${adapter.subgroupMinSize}`
      : `${adapter.subgroupMinSize} to ${adapter.subgroupMaxSize}`;
  const lines = [
    `driver     ${adapter.driver}${adapter.vendor === "" ? "" : ` (${adapter.vendor})`}`,
    `features   ${adapter.features.join(", ") || "none of those that kernels use"}`,
    `subgroups  size ${sizes}; kernels use ${path === "none" ? "none" : `path \`${path}\` of size ${size}`}`,
    `           forced ${support.forced.join(", ") || "no"}; fixed ${support.fixed ?? "no"}; any ${support.any > 0 ? `up to ${support.any}` : "no"}; none yes`,
    ...support.problems.map((problem) => `           ${problem}`),
  ];
  const limits = Object.entries(adapter.limits);
  const width = Math.max(...limits.map(([name]) => name.length));
  lines.push(
    ...limits.map(([name, value], i) => `${i === 0 ? "limits     " : "           "}${name.padEnd(width)}  ${amount(name, value)}`),
  );
  return lines;
}

function amount(name: string, value: number): string {
  const isBytes = name.includes("BufferSize") || name.includes("BindingSize") || name.includes("StorageSize");
  if (!isBytes || value < 1024) return String(value);
  return value >= 2 ** 20 ? `${Math.floor(value / 2 ** 20)} MiB` : `${Math.floor(value / 1024)} KiB`;
}
