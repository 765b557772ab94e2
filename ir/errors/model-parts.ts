// Diagnostic codes of what models are made of: files, modules, instances, functions and their arguments.
import { explain, loom } from "./explanation.ts";

export const modelPartErrors = explain({
  absent: {
    meaning: "A submodule or parameter is used in an instance that is made without it.",
    text: "What stands behind `when` exists only where its condition is true. Use it under the same condition: the branch of an `if` that is not taken is not compiled.",
    example: loom(
      `
        use std.{Linear}

        module Net(deep: bool = false) {
          extra = Linear(8, 8) when deep

          fn (x: f32[B, 8]) -> f32[B, 8] {
            return extra(x)
          }
        }
      `,
      `
        use std.{Linear}

        module Net(deep: bool = false) {
          extra = Linear(8, 8) when deep

          fn (x: f32[B, 8]) -> f32[B, 8] {
            return if deep then extra(x) else x
          }
        }
      `,
    ),
  },
  "duplicate-name": {
    meaning: "A name is declared twice in one place.",
    text: "Modules, policies, recipes and constants of a file share their names with what it takes by `use`; the members and parameters of a module share theirs; a body cannot declare a name again. What changes is declared once with `var` and then assigned by `name = value`.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            let y = x * 2.0
            let y = y + 1.0
            return y
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            var y = x * 2.0
            y = y + 1.0
            return y
          }
        }
      `,
    ),
  },
  "endless-call": {
    meaning: "A function calls itself, directly or through others.",
    text: "Calls are taken apart when the model is compiled, so none may lead back to itself. Repeat with `for`.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            return again(x)
          }
          fn again(x: f32[B, 4]) -> f32[B, 4] {
            return again(relu(x))
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            return again(x)
          }
          fn again(x: f32[B, 4]) -> f32[B, 4] {
            var y = x
            for i in 0..3 { y = relu(y) }
            return y
          }
        }
      `,
    ),
  },
  "endless-model": {
    meaning: "A module contains itself, or an array of submodules is far too long.",
    text: "The tree of instances is made when the model is compiled and must end. A repeated part is an array: `layers = [Block(dim) for i in 0..depth]`.",
    example: loom(
      `
        module Block(dim: int) {
          inner = Block(dim)
        }

        module Net {
          block = Block(8)
        }
      `,
      `
        module Block(dim: int) {
          param gain: f32[dim] = ones
        }

        module Net {
          blocks = [Block(8) for i in 0..4]
        }
      `,
    ),
  },
  "endless-tie": {
    meaning: "Ties lead from a parameter back to itself.",
    text: "`tie a = b` makes `a` a second path to the state of `b`. At the end of such a chain one parameter must stand for itself.",
    example: loom(
      `
        module Net {
          param a: f32[4] = ones
          param b: f32[4] = ones
          tie a = b
          tie b = a
        }
      `,
      `
        module Net {
          param a: f32[4] = ones
          param b: f32[4] = ones
          tie a = b
        }
      `,
    ),
  },
  "missing-argument": {
    meaning: "A call leaves out an argument that has no default.",
    text: "Arguments go by position or by name; a parameter of a module may be left out where it is declared with `= default`.",
    example: loom(
      `
        use std.{Linear}

        module Net {
          fc = Linear(8)
        }
      `,
      `
        use std.{Linear}

        module Net {
          fc = Linear(8, 4)
        }
      `,
    ),
  },
  "no-cache": {
    meaning: "A model has no entries that continue a text, `@prefill` and `@decode`.",
    text: "They keep the keys and values of earlier positions, so they need a function of ids i32[B, T] with the result f32[B, T, vocab] in which positions meet in causal `attention` alone. The message names what stands in the way.",
  },
  "no-entry": {
    meaning: "There is no entry of that name, or a function cannot become one.",
    text: "A model's functions and its recipe become entries, which `train` and a session run by name. A function whose inputs have an open number of axes (`..`) has no one type: it can be called from others, but is left out of the entries with this warning.",
    example: loom(
      `
        module Net {
          fn (x: f32[.., 4]) -> f32[.., 4] {
            return relu(x)
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            return relu(x)
          }
        }
      `,
    ),
  },
  "not-a-module": {
    meaning: "A member `name = value` is not a call of a module.",
    text: "`name = ...` in a module declares a submodule, or an array of them. A number, a text or a list is declared by `const name = ...`.",
    example: loom(
      `
        module Net {
          width = 8
          param gain: f32[width] = ones
        }
      `,
      `
        module Net {
          const width = 8
          param gain: f32[width] = ones
        }
      `,
    ),
  },
  "not-callable": {
    meaning: "What stands before `(`, or behind `|>`, is not a function.",
    text: "Functions of the language, named functions of a module, and submodules whose module has a function without a name can be called.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            return x(2.0)
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            return x * 2.0
          }
        }
      `,
    ),
  },
  require: {
    meaning: "A module is made with parameters that its `require` forbids.",
    text: 'The message is the module\'s own, behind the comma of `require condition, "message"`; the condition is shown with the values of this instance.',
    example: loom(
      `
        module Heads(dim: int, heads: int) {
          require dim % heads == 0, "dim must divide into heads"
        }

        module Net {
          attn = Heads(10, 4)
        }
      `,
      `
        module Heads(dim: int, heads: int) {
          require dim % heads == 0, "dim must divide into heads"
        }

        module Net {
          attn = Heads(12, 4)
        }
      `,
    ),
  },
  "unknown-file": {
    meaning: "A file that a `use` or the command line names does not exist.",
    text: "`use a.b.{Name}` reads `a/b.loom` from the folder of the file that says it; `std` is the standard library.",
    example: loom(
      `
        use standard.{Linear}

        module Net {
          param gain: f32[8] = ones
        }
      `,
      `
        use std.{Linear}

        module Net {
          param gain: f32[8] = ones
        }
      `,
    ),
  },
  "unknown-init": {
    meaning: "A parameter begins with something that is no initial value.",
    text: "Initial values are `zeros`, `ones`, `constant(x)`, `normal(mean, deviation)` and `uniform(low, high)`; their arguments are floats that are known when the model is compiled.",
    example: loom(
      `
        module Net {
          param weight: f32[8, 8] = gaussian(0.0, 0.02)
        }
      `,
      `
        module Net {
          param weight: f32[8, 8] = normal(0.0, 0.02)
        }
      `,
    ),
  },
  "unknown-name": {
    meaning: "Nothing is declared under this name here.",
    text: "Names come from parameters, `const`, members, inputs, `let` and `var`, `use`, and the functions of the language (docs/ops.md). A body sees what stands before it in the same body and everything of its own module.",
    example: loom(
      `
        use std.{Linear}

        module Net {
          fc1 = Linear(8, 4)

          fn (x: f32[B, 8]) -> f32[B, 4] {
            return x |> fc2
          }
        }
      `,
      `
        use std.{Linear}

        module Net {
          fc1 = Linear(8, 4)

          fn (x: f32[B, 8]) -> f32[B, 4] {
            return x |> fc1
          }
        }
      `,
    ),
  },
  "unknown-type": {
    meaning: "There is no such type, or it cannot stand here.",
    text: "Tensors are `f32[...]`, `i32[...]` and so on; parameters of modules are int, float, bool or text, those of policies `bits` too. Parameters with weights are f32: a policy says how they are quantized. Data is f32 or i32.",
    example: loom(
      `
        module Net {
          param gain: q4[8] = ones
        }
      `,
      `
        module Net {
          param gain: f32[8] = ones
        }
      `,
    ),
  },
  "wrong-argument": {
    meaning: "A call gives an argument that the called does not take.",
    text: "Too many arguments, a name that does not exist, one that is given twice, or a value out of its range, such as an axis that the tensor does not have. The help shows what is taken.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B] {
            return sum(x, axs = 1)
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B] {
            return sum(x, axis = 1)
          }
        }
      `,
    ),
  },
});
