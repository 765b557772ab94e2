// Options that several commands share, and the parsers of their values.
import { InvalidArgumentError, Option } from "commander";
import { parseBytes } from "../ir/byte-size.ts";
import { type AdapterChoice, adapterChoices } from "../runtime/index.ts";

export const jsonOption = () => new Option("--json", "print the result as JSON, for machines");

export const adapterOption = () =>
  new Option("--adapter <which>", "which GPU adapter to use").choices(adapterChoices).default("auto" satisfies AdapterChoice);

export const policyOption = () =>
  new Option("--policy <policy>", "quantize by this policy instead of the recipe's: `quest_w4a4`, `'quest(w = 2, a = 4)'`");

export const setOption = () =>
  new Option(
    "--set <name=value>",
    "override a setting of the recipe (`schedule.peak=1e-3`), a parameter of the model, or bind a dimension (`B=1`); may be repeated",
  )
    .argParser(collect)
    .default([]);

export const contextOption = () =>
  new Option(
    "--context [n]",
    "also make the entries that continue a text, `prefill` and `decode`, whose cache holds n positions (default: as many as the recipe trains on)",
  ).argParser(wholeNumber(1));

export const weightsOption = () =>
  new Option("--weights <path>", "weights of the model: a safetensors file, or the folder of a checkpoint or of a run");

export const packedOption = () =>
  new Option(
    "--packed",
    "read the codes of quantized weights as state, as a packed file holds them, instead of rounding weights in every run",
  );

/** `--memory 512MiB` */
export const memoryOption = () =>
  new Option("--memory <size>", "refuse, before anything is allocated, what needs more memory than this (`512MiB`, `4GiB`)").argParser(
    memorySize,
  );

function memorySize(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined) throw new InvalidArgumentError("It must be a size, such as 512MiB or 4GiB.");
  return bytes;
}

export const seedOption = () =>
  new Option("--seed <n>", "seed of initial values and of the data's order (default: 0, or the resumed run's)").argParser(wholeNumber(0));

/** A parser of whole numbers from `least` up. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text.replaceAll("_", ""));
    if (!Number.isSafeInteger(value) || value < least || text.trim() === "")
      throw new InvalidArgumentError(`It must be a whole number, at least ${least}.`);
    return value;
  };

/** A parser of texts that may be repeated. */
export const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** A parser of numbers; who takes them says which ones make sense. */
export function anyNumber(text: string): number {
  const value = Number(text);
  if (Number.isNaN(value) || text.trim() === "") throw new InvalidArgumentError("It must be a number.");
  return value;
}
