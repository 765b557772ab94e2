// Diagnostic codes of running: devices, artifacts, data, weights and checkpoints.
import { explain, sh } from "./explanation.ts";

export const runErrors = explain({
  "bad-artifact": {
    meaning: "A folder holds no whole compiled artifact of this version.",
    text: "An artifact is a folder with `artifact.json` and the files that it names. Compile the model again with `bitloom compile`.",
  },
  "bad-checkpoint": {
    meaning: "A file of a checkpoint is missing, cut off or changed.",
    text: "`state.json` says how long each file was and holds its hash, and one of them is otherwise now. The help names the newest checkpoint before it that is intact; `--resume STEP` goes on from there, and writes the later ones again.",
  },
  "bad-input": {
    meaning: "An entry is run with inputs that it does not take.",
    text: "The message lists what the entry takes: names, types and numbers of elements.",
    example: sh(
      "bitloom run models/llama.loom logits --recipe demo --backend interpreter --input 'ids=[72, 105]'",
      "bitloom run models/llama.loom logits --recipe demo --backend interpreter --input 'ids=[[72, 105]]'",
    ),
  },
  "bad-packed": {
    meaning: "A packed file does not say what its codes mean, or what it says does not fit its tensors.",
    text: "A packed file is a safetensors file with `format`, `version`, `model`, `policy` and `codes` in its metadata, where `codes` declares bits, grid, rotation and row length of every quantized weight. Write it again with `bitloom export`.",
  },
  "bad-prompt": {
    meaning: "A text cannot be continued by this model.",
    text: "A prompt has at least one token, all of them known to the model, and fits into the context unless that slides (`--context`, `--context-end slide`).",
  },
  "bad-safetensors": {
    meaning: "A file is not a whole safetensors file.",
    text: "Eight bytes of header length, a JSON header, then the tensors' bytes without holes. A file that ends early was not copied or downloaded to its end.",
  },
  "bad-sampling": {
    meaning: "A setting of sampling makes no distribution to draw from.",
    text: "The temperature is a number from 0 up, top-k a whole number from 1 up, top-p above 0 and at most 1.",
  },
  "bad-source": {
    meaning: "A data source is given arguments that it does not take.",
    text: "Data sources and their arguments are listed in docs/commands.md.",
  },
  "changed-source": {
    meaning: "A model's text is no longer the one that its weights were trained with.",
    text: "What is computed may differ from what the run computed. Go back to the text of the run, or train again.",
  },
  "checkpoint-mismatch": {
    meaning: "A checkpoint belongs to another model, policy, recipe, batch or seed than the run that would go on from it.",
    text: "Resume with what the checkpoint was made with: `config.resolved.json` in the run folder says it. The help names every tensor that differs.",
  },
  "data-shape": {
    meaning: "The arrays of a recipe do not fit what the data source yields.",
    text: "The first axis of an array is the batch; the others have the sizes that the source gives, and there are as many arrays as it yields.",
  },
  "device-lost": {
    meaning: "The GPU device went away while it worked.",
    text: "The driver was reset, or the machine slept. `bitloom train` begins again from the last checkpoint, once; after a second loss find the cause, then go on with `--resume`.",
  },
  "folder-removed": {
    meaning: "The run folder, or its metrics, were removed or moved away while the run went on.",
    text: "The folder is made again with the settings, all metrics and every checkpoint from then on. Checkpoints that were in it are gone, or where it was moved.",
  },
  "init-mismatch": {
    meaning: "The weights that a run should begin with are not those of its model.",
    text: "`--init` takes parameters by name, and every parameter must be there in its shape. The help names those that are not; `--fresh PATH` lets them begin with their initial values. What the model has no use for is left aside, with a warning.",
  },
  "memory-budget": {
    meaning: "The state and the buffers of an artifact need more memory than there is.",
    text: "The help names the largest buffers, and changes that were planned with the bytes that they lead to: recomputation (`remat`), a smaller batch, fewer bits. `--memory` sets the budget; without it that of a software adapter is three quarters of the free memory. `bitloom plan` prints what a model takes.",
  },
  "no-adapter": {
    meaning: "There is no GPU adapter of the kind that was asked for.",
    text: "`bitloom doctor` lists the adapters of the machine and says what mends each problem; `--adapter auto` falls back to a software adapter.",
  },
  "no-checkpoint": {
    meaning: "The checkpoint that a run should go on from is not there.",
    text: "`--resume` takes the latest one, `--resume 500` that of step 500, and `--resume FOLDER` one by its path, also of another run. The help lists what there is.",
  },
  "no-data": {
    meaning: "A data source cannot read its data.",
    text: "The data comes with an npm package, or from a path that the recipe names; the help says what to install.",
  },
  "no-file": {
    meaning: "A file cannot be read.",
    text: "It does not exist, or may not be read by this user.",
    example: sh(
      "bitloom run models/llama.loom logits --recipe demo --backend interpreter --input ids=ids.npy",
      "bitloom run models/llama.loom logits --recipe demo --backend interpreter --input 'ids=[[72, 105]]'",
    ),
  },
  "no-recipe": {
    meaning: "An artifact was compiled without a recipe, so there is nothing to train.",
    text: "Compile a model file with a `train` block.",
  },
  "no-run": {
    meaning: "A folder holds no run, so nothing says which model its weights are of.",
    text: "A run's folder, written by `bitloom train`, has a `config.resolved.json`. With weights from elsewhere name the model file and the recipe, and the weights with `--weights`.",
  },
  "no-target": {
    meaning: "No target of the artifact runs on this adapter.",
    text: "Targets ask for features, limits and a subgroup size. `bitloom compile` always adds the target `portable`, which asks for nothing.",
  },
  "no-timestamps": {
    meaning: "Kernels are to be timed on an adapter that cannot do it.",
    text: "It lacks the WebGPU feature `timestamp-query`.",
  },
  "no-tokenizer": {
    meaning: "A model's recipe does not say how text becomes tokens.",
    text: "Recipes whose data is a corpus name a tokenizer; for others `--tokenizer` names the path of a `tokenizer.json`, or `bytes`.",
  },
  "no-weights": {
    meaning: "A model is to be used without weights.",
    text: "Name the folder of a run, or a model file and its weights: `--weights model.safetensors`.",
  },
  "not-equal": {
    meaning: "A packed model does not compute what was trained.",
    text: "Each message names a layer and the first element that differs: a code or a scale of a weight, a code of an activation, or an output beyond what sums in another order may lose. The file was made from another checkpoint, or was changed or damaged: write it again with `bitloom export`.",
  },
  "not-finite": {
    meaning: "The loss or the gradient was infinite or not a number for many steps in a row, or what a model answers is no number.",
    text: "Such a step changes nothing, and text cannot be made of such an answer. Most often the learning rate is too high (`--set schedule.peak=...`), or the warm-up is too short.",
  },
  "not-saved": {
    meaning: "A checkpoint could not be written.",
    text: "The disk is full, may not be written, or has a fault. Checkpoints before it are as they were. While steps are left the run goes on and tries again; at its end it is saved in a folder for temporary files, which the help names.",
  },
  "not-the-same-run": {
    meaning: "A run goes on from a checkpoint that was made under other circumstances.",
    text: "The help lists them: another adapter, other settings of the recipe, another text of the model. The run goes on from the checkpoint's weights and moments, but its bits are not those of a run that did not stop.",
  },
  "nothing-to-pack": {
    meaning: "A model has no weights that could be packed.",
    text: "A packed file holds codes of quantized weights. The policy quantizes none, or only activations; or the weights that were named are packed already.",
    example: sh(
      "bitloom plan models/llama.loom demo --entry eval --portable --packed --policy float",
      "bitloom plan models/llama.loom demo --entry eval --portable --packed --policy quest_w4a4",
    ),
  },
  "out-of-memory": {
    meaning: "The adapter has no memory left.",
    text: "Make the batch or the model smaller, or close what else uses the GPU.",
  },
  "packed-mismatch": {
    meaning: "A packed file does not hold the codes that this model reads.",
    text: "Codes mean what policy and model say: the same bits, grid, rotation and shape. The help names every weight that differs. Use the model and the policy that the file was made with; its metadata name them.",
  },
  "run-exists": {
    meaning: "The run folder holds a run already.",
    text: "`--resume` goes on with it, `--overwrite` replaces it, `--out` names another folder.",
  },
});
