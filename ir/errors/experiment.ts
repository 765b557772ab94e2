// Diagnostic codes of experiments: results, fits and plots.
import { explain, sh } from "./explanation.ts";

export const experimentErrors = explain({
  "bad-results": {
    meaning: "A file of results has a line that is no row of results.",
    text: 'Every line that is not blank holds one object, such as `{"p": "quest_w4a4", "bits": 4, "n": 917504, "d": 614400, "loss": 1.939, "seed": 0}`. docs/scaling-law.md says what its fields mean.',
    example: sh("bitloom fit package.json", "bitloom fit --published"),
  },
  "no-metrics": {
    meaning: "A folder holds no metrics of a run.",
    text: "`bitloom train` writes `metrics.jsonl` into the folder that `--out` names, or runs/RECIPE.",
  },
  "too-few-runs": {
    meaning: "There are too few runs to fit a scaling law.",
    text: "The law has five parameters and one for each precision but the reference, so that many losses are the least; and it tells what size is worth from what tokens are worth by runs that differ in them.",
  },
  "unknown-precision": {
    meaning: "No run has the precision that a fit is to measure others by.",
    text: "`--reference` names one of the precisions `p` of the results. Without it that of the most bits is taken, where only one has so many.",
    example: sh("bitloom fit --published --resamples 0 --reference bf16", "bitloom fit --published --resamples 0 --reference 16"),
  },
});
