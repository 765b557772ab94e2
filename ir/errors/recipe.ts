// Diagnostic codes of recipes, and of what the command line overrides in them.
import { dedent, explain, loom, sh } from "./explanation.ts";

/** What the examples train. */
const classifier = dedent(`
  module Net {
    param weight: f32[784, 10] = normal(0.0, 0.02)

    fn (x: f32[B, 784]) -> f32[B, 10] {
      return matmul(x, weight)
    }
  }
`);
const scaling = dedent(`
  module Net {
    param gain: f32[784] = ones

    fn (x: f32[B, 784]) -> f32[B, 784] {
      return x * gain
    }
  }
`);

export const recipeErrors = explain({
  "duplicate-statement": {
    meaning: "A recipe says the same thing twice.",
    text: "A recipe has at most one `data`, `loss`, `optimizer`, `schedule`, `clip`, `remat`, `eval`, `checkpoint`, `accumulate`, `precision` and `head_chunk`.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          optimizer sgd
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      classifier,
    ),
  },
  "missing-statement": {
    meaning: "A recipe leaves out something that training needs.",
    text: "A recipe has `data`, `loss`, `optimizer` and `schedule`; all else has defaults.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      classifier,
    ),
  },
  "no-accuracy": {
    meaning: "Accuracy is to be measured, but the loss says no classes.",
    text: "Accuracy compares the largest logit with the label, so it needs a loss with exactly one `cross_entropy`.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return mse(model(images), images)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
          eval every 5 { loss, accuracy }
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
          eval every 5 { loss }
        }
      `,
      scaling,
    ),
  },
  "unknown-metric": {
    meaning: "`eval` names something that is not measured.",
    text: "Metrics are `loss` and `accuracy`, each over all held-out batches or over so many: `loss over 20`.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
          eval every 5 { acuracy }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
          eval every 5 { accuracy }
        }
      `,
      classifier,
    ),
  },
  "unknown-model": {
    meaning: "A recipe is for a module that the file does not have.",
    text: "The module stands in the same file, or is taken by `use`.",
    example: loom(
      `
        train digits of Nett {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      classifier,
    ),
  },
  "unknown-optimizer": {
    meaning: "There is no optimizer of this name.",
    text: "Optimizers are `adamw` and `sgd`.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adam { decay = 0.0 }
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw { decay = 0.0 }
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      classifier,
    ),
  },
  "unknown-recipe": {
    meaning: "The file has no recipe of this name, none at all, or several of which none is chosen.",
    text: "A recipe is `train name of Model with policy { ... }`; its name follows the file on the command line, and may be left out where there is only one.",
    example: sh("bitloom ir models/mlp.loom digit", "bitloom ir models/mlp.loom digits"),
  },
  "unknown-schedule": {
    meaning: "There is no learning-rate schedule of this name.",
    text: "Schedules are `warmup_cosine` and `constant`.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule cosine { peak = 1e-3, steps = 10 }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule warmup_cosine { peak = 1e-3, steps = 10 }
        }
      `,
      classifier,
    ),
  },
  "unknown-source": {
    meaning: "There is no such data source, or IR text names a source file that it does not list.",
    text: "Data sources are listed in docs/commands.md. In IR text `at` places count the `source` lines at the top.",
    example: loom(
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = "mnist"
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      `
        train digits of Net {
          data images: f32[8, 784], labels: i32[8] = mnist()
          loss {
            return cross_entropy(model(images), labels)
          }
          optimizer adamw
          schedule constant { rate = 1e-3, steps = 10 }
        }
      `,
      classifier,
    ),
  },
  "wrong-override": {
    meaning: "`--set` names nothing that can be set, or gives it a value that it cannot have.",
    text: "What can be set are the settings of the recipe (`schedule.peak=1e-3`), parameters of the model (`model.hidden=128`) and sizes of inputs (`B=1`).",
    example: sh("bitloom ir models/mlp.loom digits --set schedul.peak=1e-3", "bitloom ir models/mlp.loom digits --set schedule.peak=1e-3"),
  },
});
