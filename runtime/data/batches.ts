// Batches from a dataset: shuffled without end for training, once in fixed order for evaluation.
import type { EntryRecord, RunRecord } from "../../ir/artifact.ts";
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { parseType } from "../../ir/parse-type.ts";
import { elementCount, printType, type Type, tensor } from "../../ir/type.ts";
import { permutation } from "../philox.ts";
import { boundShape, type HostArray, newArray } from "../values.ts";
import type { Dataset, Split } from "./dataset.ts";

export type Batch = Readonly<Record<string, HostArray>>;

/**
 * Batches for one entry of an artifact. The arrays that a method returns are filled anew by the next call.
 */
export class Batches {
  /** Examples in a batch: the first dimension of the entry's data inputs. */
  readonly size: number;
  readonly #dataset: Dataset;
  readonly #inputs: readonly {
    readonly name: string;
    readonly field: number;
    readonly array: HostArray;
    readonly stride: number;
    readonly padding: number;
  }[];
  #epoch: { readonly seed: number; readonly index: number; readonly order: Uint32Array } = {
    seed: -1,
    index: -1,
    order: new Uint32Array(),
  };

  /** Throws a DiagnosticError `data-shape` where the source's arrays do not fit the entry's inputs. */
  constructor(dataset: Dataset, data: RunRecord["data"], entry: EntryRecord) {
    this.#dataset = dataset;
    const bad = (message: string): never => {
      throw new DiagnosticError([error("data-shape", message)]);
    };
    if (data.arrays.length !== dataset.fields.length)
      bad(`\`${data.source}\` yields ${dataset.fields.length} arrays, the recipe names ${data.arrays.length}: ${data.arrays.join(", ")}`);
    const inputs = entry.inputs.filter(({ source }) => source === "data").map(({ name, type }) => ({ name, type: parseType(type) }));
    const sizes = new Set(inputs.map(({ type }) => boundShape(type)[0] ?? 0));
    this.size = [...sizes][0] ?? 0;
    if (sizes.size !== 1 || this.size < 1)
      bad(
        `the entry's data inputs must agree in their first dimension, the batch: ${inputs.map(({ name, type }) => `${name}: ${printType(type)}`).join(", ")}`,
      );
    this.#inputs = inputs.map(({ name, type }) => {
      const field = data.arrays.indexOf(name);
      const given = dataset.fields[field];
      if (given === undefined) return bad(`\`${name}\` is no array of \`${data.source}\`: ${data.arrays.join(", ")}`);
      const offered: Type = tensor(given.scalar, [this.size, ...given.shape]);
      if (printType(offered) !== printType(type))
        return bad(`\`${name}\` is ${printType(type)}, \`${data.source}\` yields ${printType(offered)}`);
      const stride = elementCount(given.shape);
      return { name, field, stride, padding: given.padding, array: newArray(type, this.size * stride) };
    });
  }

  /**
   * The training batch of a 0-based step. Every epoch is an order of the training split that depends on seed and epoch alone; batches run on across
   * epochs, so a step's batch is a function of (seed, step) and a resumed run sees the same data.
   */
  training(seed: number, step: number): Batch {
    const count = this.#dataset.count("training");
    for (let row = 0; row < this.size; row++) {
      const position = step * this.size + row;
      const order = this.#order(seed, Math.floor(position / count));
      this.#fill("training", order[position % count] ?? 0, row);
    }
    return this.#batch();
  }

  /** Number of batches that hold the held-out split, the last one padded. */
  get heldOutCount(): number {
    return Math.ceil(this.#dataset.count("held-out") / this.size);
  }

  /** Number of batches that the held-out split fills. */
  get wholeHeldOutCount(): number {
    return Math.floor(this.#dataset.count("held-out") / this.size);
  }

  /** A batch of the held-out split, in fixed order; rows behind its end hold each field's padding (all of them behind the last batch). */
  heldOut(index: number): Batch {
    const count = this.#dataset.count("held-out");
    for (let row = 0; row < this.size; row++) {
      const example = index * this.size + row;
      if (example < count) this.#fill("held-out", example, row);
      else for (const { array, stride, padding } of this.#inputs) array.fill(padding, row * stride, (row + 1) * stride);
    }
    return this.#batch();
  }

  #order(seed: number, index: number): Uint32Array {
    if (this.#epoch.seed !== seed || this.#epoch.index !== index) {
      const order = this.#dataset.order?.(seed, index) ?? permutation(this.#dataset.count("training"), seed, `epoch ${index}`);
      this.#epoch = { seed, index, order };
    }
    return this.#epoch.order;
  }

  #fill(split: Split, example: number, row: number): void {
    for (const { field, array, stride } of this.#inputs) this.#dataset.copy(split, example, field, array, row * stride);
  }

  #batch(): Batch {
    return Object.fromEntries(this.#inputs.map(({ name, array }) => [name, array]));
  }
}
