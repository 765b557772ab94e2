// What a sweep tells while it goes on: a line where a run begins and ends, and now and then one of where it stands.
import type { SweepRun } from "../experiments/sweep/plan-sweep.ts";
import type { Output } from "./output.ts";
import type { SweepMessage } from "./sweep-pool.ts";

const everySeconds = 20;

interface Going {
  readonly startedAt: number;
  readonly fromStep: number;
  toldAt: number;
}

export class SweepProgress {
  readonly #output: Output;
  readonly #numbers: ReadonlyMap<SweepRun, string>;
  readonly #going = new Map<SweepRun, Going>();
  /** Of the work that is left, in parameters times tokens: how much of it is done since the beginning. */
  readonly #work: number;
  readonly #beganAt = performance.now();
  #done = 0;

  constructor(runs: readonly SweepRun[], left: readonly SweepRun[], output: Output) {
    this.#output = output;
    this.#numbers = new Map(runs.map((run, i) => [run, `[${String(i + 1).padStart(String(runs.length).length)}/${runs.length}]`]));
    this.#work = left.reduce((sum, run) => sum + workOf(run), 0);
    if (left.length < runs.length) output.note(`${runs.length - left.length} of ${runs.length} runs are done already`);
  }

  told(run: SweepRun, message: SweepMessage): void {
    const now = performance.now();
    switch (message.kind) {
      case "started": {
        const { fromStep, steps } = message;
        this.#going.set(run, { startedAt: now, fromStep, toldAt: now });
        return this.#note(run, fromStep === 0 ? `${steps} steps` : `resuming at step ${fromStep} of ${steps}`);
      }
      case "stepped": {
        const going = this.#going.get(run);
        if (going === undefined || now - going.toldAt < 1000 * everySeconds) return;
        going.toldAt = now;
        const speed = (message.step - going.fromStep) / (now - going.startedAt);
        const left = speed > 0 ? `, ${duration((run.steps - message.step) / speed)} left` : "";
        return this.#note(run, `step ${message.step}/${run.steps}, loss ${message.loss?.toFixed(4) ?? "not finite"}${left}`);
      }
      case "warned":
        return this.#output.note(`${this.#head(run)}\n${message.text}\n`);
      case "finished": {
        this.#done += workOf(run);
        const rest = ((now - this.#beganAt) * (this.#work - this.#done)) / this.#done;
        const more = this.#done < this.#work ? `; about ${duration(rest)} for the rest` : "";
        const took = this.#going.get(run);
        const after = took === undefined ? "" : ` after ${duration(now - took.startedAt)}`;
        return this.#note(run, `held-out loss ${message.loss.toFixed(4)}${after}${more}`);
      }
      case "stopped":
        return this.#note(
          run,
          message.step === undefined ? "stopped before it began" : `stopped after step ${message.step}, which is saved`,
        );
      case "failed":
        return this.#output.note(`${this.#head(run)} failed\n${message.text}\n`);
      default:
        return message satisfies never;
    }
  }

  #note(run: SweepRun, text: string): void {
    this.#output.note(`${this.#head(run)}: ${text}`);
  }

  #head = (run: SweepRun): string => `${this.#numbers.get(run) ?? ""} ${run.name}`;
}

const workOf = ({ row }: SweepRun): number => row.n * row.d;

/** `12.3 s`, `4.5 min`, `2.1 h` */
function duration(ms: number): string {
  if (ms < 90_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 90 * 60_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
