// `bitloom bench`: speed of compiled kernels on this machine's adapter.
import { Command, InvalidArgumentError, Option } from "commander";
import { benchMatmul, type MatmulLayout, type MatmulResult, type MatmulShape, matmulLayouts } from "../bench/kernels/matmul.ts";
import { targetFor } from "../compiler/index.ts";
import { type AdapterChoice, Device } from "../runtime/index.ts";
import { adapterOption, jsonOption } from "./options.ts";
import type { Output } from "./output.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";
import { targetOf } from "./target.ts";

export function benchCommand(output: Output): Command {
  return new Command("bench").description("Measure the speed of compiled kernels.").addCommand(
    new Command("matmul")
      .description("Measure the f32 contraction that the compiler makes, in GFLOP/s: nine rounds after a warm-up.")
      .addOption(new Option("--shape <MxKxN>", "sizes of y[M, N] = a[M, K] b[K, N]").argParser(parseShape).makeOptionMandatory())
      .addOption(
        new Option("--layout <layout>", "which axes are summed over; `all` measures them in turn")
          .choices([...matmulLayouts, "all"])
          .default("nn"),
      )
      .addOption(schedulesOption())
      .addOption(adapterOption())
      .addOption(jsonOption())
      .action((flags: MatmulFlags) => matmul(flags, output)),
  );
}

interface MatmulFlags extends ScheduleFlags {
  readonly shape: MatmulShape;
  readonly layout: MatmulLayout | "all";
  readonly adapter: AdapterChoice;
}

async function matmul({ shape, layout, adapter: choice, ...flags }: MatmulFlags, output: Output): Promise<void> {
  const { schedules } = schedulesGiven(flags);
  using device = await Device.open({ adapter: choice });
  const { adapter } = device;
  const target = await targetOf(device);
  // The form without subgroups alternates with the best one: on a machine whose speed swings, only their ratio means something.
  const plain = targetFor(adapter, { path: "none", size: 1 });
  const targets = target.subgroups === "none" ? [target] : [target, plain];
  const layouts = layout === "all" ? matmulLayouts : [layout];
  const measured = await benchMatmul(device, targets, shape, layouts, schedules);
  const results = layouts.map((wanted) => withBaseline(measured.filter((result) => result.layout === wanted)));
  const { m, k, n } = shape;
  const about = { adapter: adapter.name, driver: adapter.driver, isSoftware: adapter.isSoftware, shape: `${m}x${k}x${n}` };
  const [only] = results;
  output.result(results.length === 1 && only !== undefined ? { ...about, ...only } : { ...about, results });
  output.say(`${adapter.name}${adapter.isSoftware ? " (software)" : ""}, f32, ${m} x ${k} x ${n}`);
  for (const { baseline, ...result } of results) {
    output.say(line(result));
    if (baseline !== undefined) output.say(line(baseline));
  }
}

interface ComparedResult extends MatmulResult {
  /** The kernel without subgroups, measured in turn with it. */
  readonly baseline?: MatmulResult;
}

function withBaseline([best, baseline]: readonly MatmulResult[]): ComparedResult {
  if (best === undefined) throw new Error("a layout was not measured");
  return baseline === undefined ? best : { ...best, baseline };
}

function line({ layout, target, gflops: { min, median, max }, cpuSeconds, gflopPerCpuSecond }: MatmulResult): string {
  const rates = `${median.toFixed(1)} GFLOP/s (${min.toFixed(1)} to ${max.toFixed(1)})`;
  return `  ${layout}  ${rates}, ${gflopPerCpuSecond.toFixed(1)} GFLOP per second of CPU time (${cpuSeconds.toFixed(1)} s), target ${target}`;
}

function parseShape(text: string): MatmulShape {
  const sizes = /^(\d+)x(\d+)x(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  const [m = 0, k = 0, n = 0] = sizes;
  if (m < 1 || k < 1 || n < 1) throw new InvalidArgumentError("It must look like 1024x256x768: rows, summed length, columns.");
  return { m, k, n };
}
