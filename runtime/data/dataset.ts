// What a data source yields: examples in memory, split into training and held-out ones.
import type { Scalar, Type } from "../../ir/type.ts";
import type { HostArray } from "../values.ts";
import type { Tokenizer, Tokens } from "./tokenizer.ts";

export type Split = "training" | "held-out";

/** What one example contributes to one array: its element type, its shape, and the value that marks an absent example (padding) for the graph. */
export interface Field {
  readonly scalar: Scalar;
  readonly shape: readonly number[];
  readonly padding: number;
}

/** Examples in memory, in a fixed order for each split. */
export interface Dataset {
  readonly fields: readonly Field[];
  /** Number of examples of a split; of training examples in an epoch. */
  count(split: Split): number;
  /** Copy the part of an example that belongs to field `field` into `out` at element `at`. */
  copy(split: Split, example: number, field: number, out: HostArray, at: number): void;
  /**
   * An epoch's training examples in the order of training, as `copy` takes them: `count("training")` numbers that depend on seed and epoch
   * alone. Without it every epoch is a permutation of the numbers below the count.
   */
  order?(seed: number, epoch: number): Uint32Array;
  /** What speed is counted in, and how many of them one example is: `example` or `token`. */
  readonly unit: "example" | "token";
  readonly unitsPerExample: number;
  /** The text that examples are windows of, where they are. */
  readonly corpus?: TokenCorpus;
}

/** A text as tokens, split once for all runs: what comes first is trained on, the end is held out. */
export interface TokenCorpus {
  readonly tokenizer: Tokenizer;
  readonly training: Tokens;
  readonly heldOut: Tokens;
  /** Bytes of UTF-8 that the held-out tokens stand for: losses under different tokenizers compare per byte. */
  readonly heldOutBytes: number;
}

export type Argument = string | number | boolean;
export type Arguments = Readonly<Record<string, Argument>>;

/** An array that a recipe asks for: a batch of it, so the type's first axis is the batch. No type: the entry does not read it. */
export interface WantedArray {
  readonly name: string;
  readonly type?: Type;
  /** Its numbers choose rows of a table with this many. */
  readonly below?: number;
}

export interface DataSource {
  readonly name: string;
  readonly summary: string;
  /** Read the data. Throws a DiagnosticError for wrong arguments, data that is not there, or data that is not as the recipe wants it. */
  open(args: readonly Argument[], named: Arguments, wanted: readonly WantedArray[]): Promise<Dataset>;
}
