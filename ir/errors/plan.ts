// Diagnostic codes of differentiation and of plans: what cannot be trained, or has no kernel, or does not fit the target.
import { dedent, explain, loom, sh } from "./explanation.ts";

/** What the examples train. */
const scaling = dedent(`
  module Net {
    param gain: f32[784] = ones

    fn (x: f32[B, 784]) -> f32[B, 784] {
      return x * gain
    }
  }
`);

export const planErrors = explain({
  "bad-schedules": {
    meaning: "A file is no table of schedules that this version can use.",
    text: "Tables are written by `bitloom tune`, and the message names the place that is wrong. A table that another version wrote, or that was changed by hand, is made again by tuning; without `--schedules` the shipped tables apply.",
    example: sh(
      "bitloom plan models/mlp.loom digits --entry eval --portable --schedules models/mlp.loom",
      "bitloom plan models/mlp.loom digits --entry eval --portable --schedules rules",
    ),
  },
  "foreign-schedules": {
    meaning: "A table of schedules was measured on another kind of adapter than any that is compiled for.",
    text: "What is fast on one driver says little about another. A table applies to adapters of its class with its subgroups; `bitloom tune` makes one for the adapter at hand.",
    example: sh(
      "bitloom plan models/llama.loom demo --entry eval --portable --schedules compiler/codegen/tuned/lavapipe.json",
      "bitloom plan models/llama.loom demo --entry eval --portable --schedules rules",
    ),
  },
  "no-gradient": {
    meaning: "The loss depends on a parameter through an op that has no gradient.",
    text: "docs/ops.md says which ops have one. Rounding and comparing are flat: their gradient is zero, and they are no such error.",
  },
  "nothing-to-train": {
    meaning: "The loss has a gradient for no parameter.",
    text: "Either the model has no parameters, or all of them stand behind ops whose gradient is zero everywhere.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return mse(round(model(images)), images)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return mse(model(images), images)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      scaling,
    ),
  },
  "parameter-without-gradient": {
    meaning: "A parameter does not change in training, as the loss does not depend on it.",
    text: "It keeps its initial value. Use it, declare it `when` it is used, or leave it out.",
    example: loom(
      `
        module Net {
          param gain: f32[784] = ones
          param shift: f32[784] = zeros

          fn (x: f32[B, 784]) -> f32[B, 784] {
            return x * gain
          }
        }

        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return mse(model(images), images)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      `
        module Net {
          param gain: f32[784] = ones
          param shift: f32[784] = zeros

          fn (x: f32[B, 784]) -> f32[B, 784] {
            return x * gain + shift
          }
        }

        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return mse(model(images), images)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
    ),
  },
  "taken-name": {
    meaning: "An array of the data has the name of a scalar that the host computes.",
    text: "Inputs are given by name; `lr` and the optimizer's corrections are taken.",
    example: loom(
      `
        train digits of Net {
          data lr: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return mse(model(lr), lr)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return mse(model(images), images)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      scaling,
    ),
  },
  "too-large": {
    meaning: "A tensor is larger than what the target can bind.",
    text: "The limit is the adapter's `maxStorageBufferBindingSize`, and 128 MiB for the portable target. Make the batch or the model smaller, or compile for the adapter alone.",
  },
  "unbound-dimension": {
    meaning: "An entry has an axis without a size.",
    text: "Sizes of inputs such as `B` are bound by the recipe's data, or by `--set B=1`. Entries whose sizes are not bound are left out with a warning, unless there are no others.",
    example: sh(
      "bitloom plan models/llama.loom demo --portable --entry logits",
      "bitloom plan models/llama.loom demo --portable --entry logits --set B=1 --set T=8",
    ),
  },
  "unsupported-axis": {
    meaning: "A Hadamard rotation runs along an axis for which there is no kernel.",
    text: "Kernels rotate the last axis; the pass `expand` turns others to the end.",
  },
  "unsupported-block": {
    meaning: "A Hadamard rotation has blocks that are too large for a kernel.",
    text: "Blocks have up to 128 elements, which a kernel keeps in registers.",
  },
  "unsupported-type": {
    meaning: "Kernels have no such scalar type yet.",
    text: "Kernels compute in f32 and i32, on f32, i32, u32, bool and codes.",
  },
});
