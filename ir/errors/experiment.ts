// Diagnostic codes of experiments: results, fits and plots.
import { explain, sh } from "./explanation.ts";

export const experimentErrors = explain({
  "bad-results": {
    meaning: "A file of results has a line that is no row of results.",
    text: 'Every line that is not blank holds one object, such as `{"p": "quest_w4a4", "bits": 4, "n": 851968, "d": 614400, "loss": 1.939, "seed": 0}`. docs/scaling-law.md says what its fields mean.',
    example: sh("bitloom fit package.json", "bitloom fit --published --resamples 0"),
  },
  "bad-sweep": {
    meaning: "A sweep file is not as it must be.",
    text: "It is a JSON object; docs/sweeps.md describes its fields. The message points at the one that is wrong.",
    example: sh("bitloom sweep package.json --dry-run", "bitloom sweep docs/examples/sweep.json --dry-run"),
  },
  "changed-sweep": {
    meaning: "A run of a sweep was begun with other settings than the sweep has now.",
    text: "Rows of one table must be what the sweep says, so its run neither counts nor goes on. The help lists what has changed. Sweep into another folder, or begin again with `--overwrite`.",
  },
  "failed-runs": {
    meaning: "Some runs of a sweep failed.",
    text: "Each said why when it did, and the others went on. Those that are done stay done: the same command tries the failed ones again, from their checkpoints.",
  },
  "no-metrics": {
    meaning: "A folder holds no metrics of a run, or none of those that a plot is of.",
    text: "`bitloom train` writes `metrics.jsonl` into the folder that `--out` names, or runs/RECIPE. Held-out losses and probes are in it where the run was asked for them.",
    example: sh("bitloom plot loss models", "bitloom plot bits --published"),
  },
  "sweep-runs": {
    meaning: "Two sweeps were to work in one folder.",
    text: "The other process must end first, or this one sweep into another folder.",
  },
  "too-few-runs": {
    meaning: "There are too few runs to fit a scaling law.",
    text: "The law has five parameters and one for each precision but the reference, so that many losses are the least; and it tells what size is worth from what tokens are worth by runs that differ in them. Runs that differ in seeds alone count once: P precisions at S sizes, each on T numbers of tokens, determine P S + T - 1 numbers.",
  },
  "uneven-evaluation": {
    meaning: "Runs of a sweep are evaluated on different numbers of held-out examples.",
    text: "An `eval` counts batches, and sizes of a model may have other batches. Losses differ a little by what they are means over; `heldOut` in the sweep file makes it the same for all.",
  },
  "unknown-precision": {
    meaning: "No run has the precision that a fit is to measure others by.",
    text: "`--reference` names one of the precisions `p` of the results. Without it that of the most bits is taken, where only one has so many.",
    example: sh("bitloom fit --published --resamples 0 --reference bf16", "bitloom fit --published --resamples 0 --reference 16"),
  },
});
