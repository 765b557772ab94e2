// Progress of a training run: a bar where a terminal shows it, one plain line now and then where not.
import { Presets, SingleBar } from "cli-progress";
import type { EvaluationMetrics, StepMetrics, TrainProgress } from "../runtime/index.ts";
import type { Output } from "./output.ts";

/** Plain lines: at most this many for a whole run, beside those of evaluations. */
const plainLines = 20;

/** What `train` is to show; call `close` at the end, also after an error, to give the terminal its cursor back. */
export function trainProgress(output: Output): TrainProgress & { close(): void } {
  return output.terminal === undefined ? plainProgress(output) : barProgress(output, output.terminal);
}

function plainProgress(output: Output): TrainProgress & { close(): void } {
  let steps = 1;
  let every = 1;
  return {
    started(run) {
      steps = run.steps;
      every = Math.max(1, Math.ceil((steps - run.fromStep) / plainLines));
      if (run.resumedFrom !== undefined) output.note(`resuming at step ${run.fromStep} from ${run.resumedFrom}`);
    },
    stepped(metrics) {
      if (metrics.step % every === 0 || metrics.step === 1) output.note(stepLine(metrics, steps));
    },
    evaluated: (metrics) => output.note(evaluationLine(metrics)),
    close: () => undefined,
  };
}

function barProgress(output: Output, stream: NodeJS.WritableStream): TrainProgress & { close(): void } {
  const format = " {bar} {value}/{total} steps  loss {loss}  {speed}/s  {eta_formatted} left";
  const bar = new SingleBar(
    { format, stream, fps: 8, hideCursor: true, clearOnComplete: true, gracefulExit: false, etaBuffer: 50 },
    Presets.shades_classic,
  );
  // A line above the bar: the bar draws itself again on the line below.
  const above = (line: string) => {
    stream.write("\r\u001b[K");
    output.note(line);
  };
  return {
    started(run) {
      if (run.resumedFrom !== undefined) output.note(`resuming at step ${run.fromStep} from ${run.resumedFrom}`);
      bar.start(run.steps, run.fromStep, { loss: "-", speed: "-" });
    },
    stepped: (metrics) => bar.update(metrics.step, { loss: metrics.loss.toFixed(4), speed: speedOf(metrics) }),
    evaluated: (metrics) => above(evaluationLine(metrics)),
    close: () => bar.stop(),
  };
}

function stepLine(metrics: StepMetrics, steps: number): string {
  const { step, loss, lr, grad_norm: norm, ok } = metrics;
  return [
    `step ${String(step).padStart(String(steps).length)}/${steps}`,
    `loss ${loss.toFixed(4)}`,
    ...(norm === undefined ? [] : [`grad ${norm.toPrecision(3)}`]),
    ...(lr === undefined ? [] : [`lr ${lr.toExponential(2)}`]),
    `${speedOf(metrics)}/s`,
    ...(ok === false ? ["not finite: nothing changed"] : []),
  ].join("  ");
}

function evaluationLine({ step, val_loss: loss, val_accuracy: accuracy }: EvaluationMetrics): string {
  const parts = [
    ...(loss === undefined ? [] : [`loss ${loss.toFixed(4)}`]),
    ...(accuracy === undefined ? [] : [`accuracy ${percent(accuracy)}`]),
  ];
  return `held out at step ${step}: ${parts.join(", ")}`;
}

export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function speedOf({ examples_per_s: examples, tokens_per_s: tokens, step_ms: stepMs }: StepMetrics): string {
  if (tokens !== undefined) return `${Math.round(tokens)} tokens`;
  if (examples !== undefined) return `${Math.round(examples)} examples`;
  return `${(1000 / stepMs).toFixed(1)} steps`;
}
