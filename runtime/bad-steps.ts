// Steps whose loss or gradient is not finite: counted, looked into once in a row, and an end of the run where there is no other kind any more.
import type { CheckedArtifact } from "../ir/artifact.ts";
import { type Diagnostic, DiagnosticError, error, warning } from "../ir/diagnostic.ts";
import type { Batches } from "./data/batches.ts";
import { describeCause, findCause, loggedCause, type NonFiniteCause } from "./non-finite.ts";
import type { Session } from "./session.ts";

/** After this many in a row the run has failed. */
const limit = 25;
/** After a bad step this many steps run one at a time, so that another bad one is looked into on the very state that it had. */
const carefulSteps = 50;

export interface Counts {
  readonly skipped: number;
  readonly skippedInRow: number;
}

export interface Examined {
  readonly diagnostic: Diagnostic;
  /** For the metrics; absent where no cause was found. */
  readonly logged?: object;
}

export class BadSteps {
  #skipped: number;
  #inRow: number;
  #careful = 0;
  /** Looked into in this row: found, or how often in vain. */
  #found: Diagnostic | undefined;
  #inVain = 0;
  readonly #compile: (() => CheckedArtifact) | undefined;
  #checked: CheckedArtifact | undefined;
  #cannot = false;

  constructor({ skipped, skippedInRow }: Counts, compile: (() => CheckedArtifact) | undefined) {
    this.#skipped = skipped;
    this.#inRow = skippedInRow;
    this.#compile = compile;
  }

  get counts(): Counts {
    return { skipped: this.#skipped, skippedInRow: this.#inRow };
  }

  get isCareful(): boolean {
    return this.#careful > 0;
  }

  /** Count a step that is done. Throws a DiagnosticError `not-finite` where it is one bad step too many. */
  count(ok: boolean, step: number): void {
    if (ok) {
      this.#inRow = this.#inVain = 0;
      this.#found = undefined;
      this.#careful = Math.max(0, this.#careful - 1);
      return;
    }
    this.#skipped++;
    this.#inRow++;
    this.#careful = carefulSteps;
    if (this.#inRow >= limit) throw new DiagnosticError([hopeless(this.#inRow, step, this.#found)]);
  }

  /**
   * Look into the bad step that was counted last, `step` from 0: the first time in a row, and once more where nothing was found then. A failure to look
   * is told once and does not stop the run; the loss of the device does.
   */
  async examine(session: Session, batches: Batches, seed: number, step: number): Promise<Examined | undefined> {
    if (this.#compile === undefined || this.#cannot || this.#found !== undefined || this.#inVain > 1) return undefined;
    // A run that goes on in the midst of bad steps has told of them before.
    if (this.#inRow !== 1 + this.#inVain) return undefined;
    try {
      this.#checked ??= this.#compile();
      const cause = await this.#causeIn(session, this.#checked, batches, seed, step);
      const diagnostic = describeCause(cause, step + 1);
      if (cause === undefined) this.#inVain++;
      else this.#found = diagnostic;
      return { diagnostic, ...(cause === undefined ? {} : { logged: { step: step + 1, non_finite: loggedCause(cause) } }) };
    } catch (problem) {
      session.device.assertHealthy();
      this.#cannot = true;
      const reason = problem instanceof DiagnosticError ? problem.diagnostics[0]?.message : String(problem);
      return { diagnostic: warning("not-finite", `step ${step + 1} was not finite, and cannot be looked into: ${reason}`) };
    }
  }

  /** In the first micro-batch that has one; its examples count from the first of the step. */
  async #causeIn(
    session: Session,
    checked: CheckedArtifact,
    batches: Batches,
    seed: number,
    step: number,
  ): Promise<NonFiniteCause | undefined> {
    const parts = session.artifact.manifest.run?.accumulate ?? 1;
    for (let part = 0; part < parts; part++) {
      const cause = await findCause(session, checked, batches.training(seed, step * parts + part), batches.size, step);
      if (cause !== undefined) return cause.kind === "data" ? { ...cause, row: part * batches.size + cause.row } : cause;
    }
    return undefined;
  }
}

function hopeless(inRow: number, step: number, cause: Diagnostic | undefined): Diagnostic {
  const message = `loss or gradient were not finite for ${inRow} steps in a row, up to step ${step}; no step of them changed the weights`;
  const help = ["lower the learning rate (`--set schedule.peak=...`) or use more bits"];
  return error(
    "not-finite",
    message,
    cause?.primary?.span,
    cause?.primary?.message,
    cause === undefined ? help : [`the first: ${cause.message}`, ...help],
  );
}
