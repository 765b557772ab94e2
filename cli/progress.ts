// Progress of a training run: a bar where a terminal shows it, one plain line now and then where not.
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import { printDiagnostic } from "../ir/diagnostic.ts";
import type { EvaluationMetrics, StepMetrics, TrainProgress } from "../runtime/index.ts";
import type { Output } from "./output.ts";

/** Plain lines: at most this many for a whole run, beside those of evaluations. */
const plainLines = 20;

/** What `train` is to show, and what else is said meanwhile. Call `close` at the end, also after an error: it gives the terminal its cursor back. */
export interface Progress extends TrainProgress {
  note(line: string): void;
  close(): void;
}

export function trainProgress(output: Output): Progress {
  return output.terminal === undefined ? plainProgress(output) : barProgress(output.terminal);
}

function plainProgress(output: Output): Progress {
  let steps = 1;
  let every = 1;
  return {
    started(run) {
      steps = run.steps;
      every = Math.max(1, Math.ceil((steps - run.fromStep) / plainLines));
      if (run.resumedFrom !== undefined) output.note(resumedLine(run));
    },
    stepped(metrics) {
      if (metrics.step % every === 0 || metrics.step === 1) output.note(stepLine(metrics, steps));
    },
    evaluated: (metrics) => output.note(evaluationLine(metrics)),
    warned: (problem) => output.diagnostics([problem]),
    note: (line) => output.note(line),
    close: () => undefined,
  };
}

function barProgress(stream: NodeJS.WritableStream): Progress {
  const format = " {bar} {value}/{total} steps  loss {loss}  {speed}/s  {eta_formatted} left";
  // One bar, but a MultiBar: it alone lets lines stand above.
  const bars = new MultiBar(
    { format, stream, fps: 8, hideCursor: true, clearOnComplete: true, gracefulExit: false, etaBuffer: 50 },
    Presets.shades_classic,
  );
  let bar: SingleBar | undefined;
  const note = (line: string) => bars.log(`${line}\n`);
  return {
    started(run) {
      if (bar === undefined) bar = bars.create(run.steps, run.fromStep, { loss: "-", speed: "-" });
      else bar.update(run.fromStep);
      if (run.resumedFrom !== undefined) note(resumedLine(run));
    },
    stepped: (metrics) => bar?.update(metrics.step, { loss: metrics.loss.toFixed(4), speed: speedOf(metrics) }),
    evaluated: (metrics) => note(evaluationLine(metrics)),
    warned: (problem) => note(`${printDiagnostic(problem)}\n`),
    note,
    close() {
      // Lines that wait for the next time the bar is drawn.
      if (bar !== undefined) bars.update();
      bars.stop();
    },
  };
}

const resumedLine = ({ fromStep, resumedFrom }: { readonly fromStep: number; readonly resumedFrom?: string }): string =>
  `resuming at step ${fromStep} from ${resumedFrom ?? "the start"}`;

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

const evaluationLine = (metrics: EvaluationMetrics): string => `held out at step ${metrics.step}: ${heldOutWords(metrics)}`;

/** `loss 2.3512, accuracy 41.20 %`, as far as there is either. */
export function heldOutWords({ val_loss: loss, val_accuracy: accuracy }: EvaluationMetrics): string {
  const parts = [
    ...(loss === undefined ? [] : [`loss ${loss.toFixed(4)}`]),
    ...(accuracy === undefined ? [] : [`accuracy ${percent(accuracy)}`]),
  ];
  return parts.join(", ");
}

export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function speedOf({ examples_per_s: examples, tokens_per_s: tokens, step_ms: stepMs }: StepMetrics): string {
  if (tokens !== undefined) return `${Math.round(tokens)} tokens`;
  if (examples !== undefined) return `${Math.round(examples)} examples`;
  return `${(1000 / stepMs).toFixed(1)} steps`;
}
