// Evaluation: the `eval` entry over the held-out split.
import type { RunRecord } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { Batches } from "./data/batches.ts";
import type { Dataset } from "./data/dataset.ts";
import type { PendingRun, Session } from "./session.ts";

/** Held-out metrics. `loss` is the mean over all targets in nats; `accuracy` is between 0 and 1. */
export interface Evaluation {
  readonly loss?: number;
  readonly accuracy?: number;
  /** Targets counted for the metric that counted the most. */
  readonly targets: number;
}

type Metrics = NonNullable<RunRecord["evaluate"]>["metrics"];

/**
 * Run `eval` over as many held-out batches as the metrics ask for (all by default, else evenly spaced ones, always the same) and average. The entry gives `loss_sum`, `correct` and `targets` of a
 * batch. Padding of the last batch must not count: classification ignores targets below zero; where the loss has no such rule, an incomplete last
 * batch is left out. Throws a DiagnosticError `no-entry` where the artifact has no `eval`, and `data-shape` where nothing is left to evaluate.
 */
export async function evaluate(session: Session, dataset: Dataset, data: RunRecord["data"], metrics: Metrics): Promise<Evaluation> {
  const entry = session.artifact.manifest.entries["eval"];
  if (entry === undefined) throw new DiagnosticError([error("no-entry", "the artifact has no entry `eval`: its recipe evaluates nothing")]);
  const batches = new Batches(dataset, data, entry);
  const usable = (await countsPadding(session, batches)) ? batches.wholeHeldOutCount : batches.heldOutCount;
  if (usable === 0)
    throw new DiagnosticError([
      error("data-shape", `the held-out examples do not fill a batch of ${batches.size}, and the loss cannot tell padding`),
    ]);
  const wanted = metrics.map(({ metric, batches: count }) => ({ metric, chosen: evenlySpaced(Math.min(count ?? usable, usable), usable) }));
  const sums = wanted.map(() => ({ value: 0, targets: 0 }));
  const collect = async (index: number, run: PendingRun) => {
    const { outputs } = await run.read();
    const scalar = (name: string) => outputs[name]?.[0] ?? missing(name);
    for (const [i, { metric, chosen }] of wanted.entries()) {
      const sum = sums[i];
      if (sum === undefined || !chosen.has(index)) continue;
      sum.value += scalar(metric === "loss" ? "loss_sum" : "correct");
      sum.targets += scalar("targets");
    }
  };
  // One batch is uploaded while the one before it is computed.
  let ahead: { readonly index: number; readonly run: PendingRun } | undefined;
  for (const index of [...new Set(wanted.flatMap(({ chosen }) => [...chosen]))].sort((a, b) => a - b)) {
    const run = session.submit("eval", batches.heldOut(index));
    if (ahead !== undefined) await collect(ahead.index, ahead.run);
    ahead = { index, run };
  }
  if (ahead !== undefined) await collect(ahead.index, ahead.run);
  const result: { loss?: number; accuracy?: number; targets: number } = { targets: 0 };
  for (const [i, { metric }] of wanted.entries()) {
    const { value, targets } = sums[i] ?? { value: 0, targets: 0 };
    result[metric] = value / targets;
    result.targets = Math.max(result.targets, targets);
  }
  return result;
}

/** `count` of the numbers below `all`: the beginning of a text says little about the whole. */
const evenlySpaced = (count: number, all: number): ReadonlySet<number> =>
  new Set(Array.from({ length: count }, (_, i) => Math.floor((i * all) / count)));

/** Whether the last batch is incomplete and the entry counts targets in rows of padding: asked with a batch of nothing else. */
async function countsPadding(session: Session, batches: Batches): Promise<boolean> {
  if (batches.wholeHeldOutCount === batches.heldOutCount) return false;
  const { targets } = await session.run("eval", batches.heldOut(batches.heldOutCount));
  return (targets?.[0] ?? missing("targets")) > 0;
}

const missing = (name: string): never => {
  throw new DiagnosticError([error("bad-artifact", `entry \`eval\` has no output \`${name}\``)]);
};
