// What a data source yields: examples in memory, split into training and held-out ones.
import type { Scalar } from "../../ir/type.ts";
import type { HostArray } from "../values.ts";

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
  /** Number of examples of a split. */
  count(split: Split): number;
  /** Copy the part of an example that belongs to field `field` into `out` at element `at`. */
  copy(split: Split, example: number, field: number, out: HostArray, at: number): void;
  /** What speed is counted in, and how many of them one example is: `example` or `token`. */
  readonly unit: "example" | "token";
  readonly unitsPerExample: number;
}

export type Argument = string | number | boolean;

export interface DataSource {
  readonly name: string;
  readonly summary: string;
  /** Read the data. Throws a DiagnosticError for wrong arguments or data that is not there. */
  open(args: readonly Argument[], named: Readonly<Record<string, Argument>>): Promise<Dataset>;
}
