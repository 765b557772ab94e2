// Diagnostic codes of policies: which quantizer is chosen for which layer, with what settings.
import { dedent, explain, loom, sh } from "./explanation.ts";

/** What the examples choose for. */
const layers = dedent(`
  use std.{Linear}

  module Net {
    fc1 = Linear(8, 8)
    fc2 = Linear(8, 8)
  }
`);

export const policyErrors = explain({
  "duplicate-setting": {
    meaning: "A setting is given twice.",
    text: "Each setting of a quantizer stands once in a rule.",
    example: loom(
      `
        quantize careful for Net {
          ** => quest { w = 4, a = 4, w = 8 }
        }
      `,
      `
        quantize careful for Net {
          ** => quest { w = 8, a = 4 }
        }
      `,
      layers,
    ),
  },
  "endless-policy": {
    meaning: "An alias of a policy leads back to itself.",
    text: "`quantize name = other(...)` gives a policy with fixed settings a name of its own; the chain must end in a policy with rules.",
    example: loom(
      `
        quantize a = b
        quantize b = a
      `,
      `
        quantize a = b
        quantize b for any {
          ** => none
        }
      `,
      layers,
    ),
  },
  "matches-nothing": {
    meaning: "A selector matches no layer of the model.",
    text: "A rule that decides nothing is a mistake more often than not: a misspelt path, or a module where `name.**` is meant. Rules choose for submodules with a weight matrix. `selector?` may match nothing, for policies that serve several models.",
    example: loom(
      `
        quantize careful for Net {
          fc3 => none
          ** => quest { w = 4, a = 4 }
        }
      `,
      `
        quantize careful for Net {
          fc3? => none
          ** => quest { w = 4, a = 4 }
        }
      `,
      layers,
    ),
  },
  "missing-setting": {
    meaning: "A setting without a default is left out.",
    text: "The help says what the setting means. In a rule `w` alone is short for `w = w`, which takes a parameter of the policy.",
    example: loom(
      `
        quantize careful for Net {
          ** => quest { w = 4 }
        }
      `,
      `
        quantize careful for Net {
          ** => quest { w = 4, a = none }
        }
      `,
      layers,
    ),
  },
  "never-matches": {
    meaning: "A rule can never decide, because earlier rules take all that it matches.",
    text: "The first rule that matches decides. Put special rules before general ones.",
    example: loom(
      `
        quantize careful for Net {
          ** => quest { w = 4, a = 4 }
          fc1 => none
        }
      `,
      `
        quantize careful for Net {
          fc1 => none
          ** => quest { w = 4, a = 4 }
        }
      `,
      layers,
    ),
  },
  "no-rule": {
    meaning: "No rule of the policy matches a layer of the model.",
    text: "A policy decides for every layer with a weight matrix, so that none is left in float by accident. End with `** => none` to say that the rest stays in float.",
    example: loom(
      `
        quantize careful for Net {
          fc1 => quest { w = 4, a = 4 }
        }
      `,
      `
        quantize careful for Net {
          fc1 => quest { w = 4, a = 4 }
          ** => none
        }
      `,
      layers,
    ),
  },
  "quantize-misfit": {
    meaning: "A quantizer's settings do not fit the layer that the rule chooses for.",
    text: "The block of a Hadamard rotation is a power of two up to 128 that divides the axis that is summed over, and a group of a scale divides it too. Give that layer a rule of its own, or choose another width.",
    example: loom(
      `
        use std.{Linear}

        module Net {
          fc = Linear(96, 8)

          fn (x: f32[B, 96]) -> f32[B, 8] {
            return fc(x)
          }
        }

        quantize careful for Net {
          ** => quest { w = 4, a = 4, hadamard = 64 }
        }
      `,
      `
        use std.{Linear}

        module Net {
          fc = Linear(96, 8)

          fn (x: f32[B, 96]) -> f32[B, 8] {
            return fc(x)
          }
        }

        quantize careful for Net {
          ** => quest { w = 4, a = 4, hadamard = 32 }
        }
      `,
    ),
  },
  "unknown-policy": {
    meaning: "No policy has this name.",
    text: "A policy is declared in the model's file with `quantize`. A quantizer's name also serves: `--policy 'quest(w = 4, a = 4)'` chooses it for every layer.",
    example: sh(
      "bitloom ir models/mlp.loom digits --policy quest_w4a5",
      "bitloom ir models/mlp.loom digits --policy 'quest(w = 4, a = 5)'",
    ),
  },
  "unknown-scheme": {
    meaning: "A rule names a quantizer that does not exist.",
    text: "Behind `=>` stands a quantizer (docs/quantizers.md) with its settings, or `none`.",
    example: loom(
      `
        quantize careful for Net {
          ** => qest { w = 4, a = 4 }
        }
      `,
      `
        quantize careful for Net {
          ** => quest { w = 4, a = 4 }
        }
      `,
      layers,
    ),
  },
  "unknown-setting": {
    meaning: "There is no setting of this name.",
    text: "Quantizers, optimizers and schedules each have settings of their own, which the message lists.",
    example: loom(
      `
        quantize careful for Net {
          ** => quest { w = 4, a = 4, rotate = 32 }
        }
      `,
      `
        quantize careful for Net {
          ** => quest { w = 4, a = 4, hadamard = 8 }
        }
      `,
      layers,
    ),
  },
  unsupported: {
    meaning: "The language has this, but the compiler does not do it yet.",
    text: "What the message says instead does the same or comes near.",
  },
  "wrong-model": {
    meaning: "A policy is for another model than the recipe's.",
    text: "`quantize name for Model` holds for that model; `for any` for every model that has layers for its rules.",
    example: loom(
      `
        module Other {
          param table: f32[8, 8] = ones
        }

        module Net {
          param weight: f32[8, 8] = ones
        }

        quantize careful for Other {
          ** => none
        }
      `,
      `
        module Net {
          param weight: f32[8, 8] = ones
        }

        quantize careful for Net {
          ** => none
        }
      `,
    ),
  },
  "wrong-setting": {
    meaning: "A setting has a value that it cannot take.",
    text: "The help says what is allowed: a range, a word, a list of so many numbers.",
    example: loom(
      `
        quantize careful for Net {
          ** => quest { w = 9, a = 4 }
        }
      `,
      `
        quantize careful for Net {
          ** => quest { w = 8, a = 4 }
        }
      `,
      layers,
    ),
  },
});
