// What made a step's loss or gradient infinite or not a number: the step runs again on the same state, with a check behind every op.
import type { CheckedArtifact, FiniteCheck } from "../ir/artifact.ts";
import type { Diagnostic } from "../ir/diagnostic.ts";
import { warning } from "../ir/diagnostic.ts";
import { positionAt } from "../ir/source.ts";
import type { Batch } from "./data/batches.ts";
import { Session } from "./session.ts";

/** The first value of a step that is not finite. */
export type NonFiniteCause =
  /** The data itself. `row` counts the examples of the batch from 0. */
  | { readonly kind: "data"; readonly array: string; readonly row: number }
  /** State that was not finite before the step. */
  | { readonly kind: "state"; readonly check: FiniteCheck; readonly count: number }
  | { readonly kind: "op"; readonly check: FiniteCheck; readonly count: number };

/**
 * Run a step again on a session's present state, which stays as it is. `batchSize` is the number of examples in the batch. Answers the first
 * value that made loss or gradient not finite, or undefined where both are finite.
 */
export async function findCause(
  session: Session,
  { artifact, checks, decisive }: CheckedArtifact,
  batch: Batch,
  batchSize: number,
  step: number,
): Promise<NonFiniteCause | undefined> {
  const entry = artifact.manifest.entries["train"];
  const inputs = Object.entries(batch).filter(([name]) => entry?.inputs.some((input) => input.name === name));
  for (const [array, values] of inputs) {
    const at = values instanceof Float32Array ? values.findIndex((value) => !Number.isFinite(value)) : -1;
    if (at >= 0) return { kind: "data", array, row: Math.floor((at * batchSize) / values.length) };
  }
  using checked = await Session.open(artifact, session.device);
  for (const { name } of artifact.manifest.state) checked.writeState(name, await session.readState(name));
  const outputs = await checked.run("train", Object.fromEntries(inputs), { step });
  const countOf = (output: string): number => outputs[output]?.[0] ?? 0;
  const check = firstCulprit(checks, decisive, (output) => countOf(output) > 0);
  return check && { kind: check.state === undefined ? "op" : "state", check, count: countOf(check.output) };
}

/**
 * The first value that is bad although its operands are good, of those from which a way over bad values leads to what decides: an infinity that a
 * `select` leaves out does no harm.
 */
function firstCulprit(
  checks: readonly FiniteCheck[],
  decisive: readonly string[],
  isBad: (output: string) => boolean,
): FiniteCheck | undefined {
  const byOutput = new Map(checks.map((check) => [check.output, check]));
  const reached = new Set(decisive.filter(isBad));
  // A set's iteration goes on to what is added meanwhile.
  for (const output of reached) for (const operand of byOutput.get(output)?.operands ?? []) if (isBad(operand)) reached.add(operand);
  return checks.find(({ output, operands }) => reached.has(output) && !operands.some(isBad));
}

/** What stands of a cause in `metrics.jsonl`: nothing that another order of reading results could change. */
export function loggedCause(cause: NonFiniteCause): object {
  if (cause.kind === "data") return { array: cause.array, row: cause.row };
  const { output, op, state, instance, at } = cause.check;
  if (state !== undefined) return { state };
  const place = at === undefined ? undefined : positionAt(at.source, at.start);
  return {
    op,
    value: output,
    ...(instance === undefined ? {} : { instance }),
    ...(at === undefined || place === undefined ? {} : { at: `${at.source.path}:${place.line}:${place.column}` }),
  };
}

/** The cause in words, with its place in the model and what mends it. `step` counts from 1. */
export function describeCause(cause: NonFiniteCause | undefined, step: number): Diagnostic {
  const happened = `step ${step} had a loss or a gradient that is not finite, and changed nothing`;
  if (cause === undefined)
    return warning("not-finite", `${happened}; run again with a check behind every op, every value was finite`, [
      "the weights may have moved one step meanwhile; steps now run one at a time for a while, so that the next such step is looked at as it was",
    ]);
  switch (cause.kind) {
    case "data":
      return warning(
        "not-finite",
        `${happened}: example ${cause.row} of its batch holds a value in \`${cause.array}\` that is not finite`,
        ["clean the data: what it holds must be finite"],
      );
    case "state":
      return warning("not-finite", `${happened}: ${elements(cause.count)} of \`${cause.check.state}\` were not finite before it`, [
        "earlier steps did that: go back to a checkpoint before with `--resume STEP`, with a lower learning rate (`--set schedule.peak=...`)",
      ]);
    case "op": {
      const { op, output, instance, at } = cause.check;
      const where = instance === undefined ? "" : ` in \`${instance}\``;
      const message = `${happened}: \`${op}\`${where} is the first op whose result is not finite (${elements(cause.count)} of %${output})`;
      const help = [
        "what it was given is finite: lower the learning rate (`--set schedule.peak=...`), warm up longer, or bound its operands",
      ];
      return { ...warning("not-finite", message, help), ...(at === undefined ? {} : { primary: { span: at, message: "" } }) };
    }
    default:
      return cause satisfies never;
  }
}

const elements = (count: number): string => `${count} element${count === 1 ? "" : "s"}`;
