// What the parent and a subject's process say to each other: one JSON object a line, requests on its standard input, answers on descriptor 3.

/** How long a round is: runs until this much time has passed, and no more runs than this. At least one. */
export interface RoundLength {
  readonly leastMs: number;
  readonly mostRuns: number;
}

export interface RoundRequest extends RoundLength {
  readonly kind: "round";
}

/** Comes once, after the first runs: the subject has compiled everything, and waits for rounds. */
export interface ReadyAnswer {
  readonly kind: "ready";
  /** What computes: `lavapipe`, `CPU`. */
  readonly adapter: string;
  /** Wall time of the first run, compilation included; imports, opening the device and making the data are not. */
  readonly firstMs: number;
  /** Trained numbers, where the work is a training step: they must be equally many everywhere. */
  readonly parameters?: number;
}

export interface RoundAnswer {
  readonly kind: "round";
  /** Wall time of each run. */
  readonly ms: readonly number[];
  /** CPU time of the process in each run, the driver's threads included. */
  readonly cpuMs: readonly number[];
  /** Of the last run, where the work has one. */
  readonly loss?: number;
}

/** The last answer of a subject that cannot go on. */
export interface FailedAnswer {
  readonly kind: "failed";
  readonly message: string;
}

export type Answer = ReadyAnswer | RoundAnswer | FailedAnswer;

/** Descriptor of the answers: libraries print what they like on the standard output. */
export const answerDescriptor = 3;
