// Diagnostic codes of what stands in functions: syntax, constants, shapes, types.
import { explain, loom } from "./explanation.ts";

export const modelCodeErrors = explain({
  constant: {
    meaning: "An expression over constants has no value.",
    text: "Constants are computed when the model is compiled: a division of ints must come out even, operands must be of one kind (`float(n)` makes an int a float), and functions such as `sqrt` need arguments that they are defined for.",
    example: loom(
      `
        module Net(dim: int = 10) {
          const head = dim / 4
          param gain: f32[head] = ones
        }
      `,
      `
        module Net(dim: int = 12) {
          const head = dim / 4
          param gain: f32[head] = ones
        }
      `,
    ),
  },
  "early-return": {
    meaning: "A `return` stands where it does not end its body.",
    text: "A body is straight: its last statement is its only `return`, and a `for` runs through all of its steps. Choose between values with `if condition then a else b`, between elements of tensors with `select`.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            return x
            let y = x + 1.0
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            let y = x + 1.0
            return y
          }
        }
      `,
    ),
  },
  "missing-return": {
    meaning: "A body gives nothing back.",
    text: "The last statement of a function and of a `loss` is `return value`.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            let y = relu(x)
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            let y = relu(x)
            return y
          }
        }
      `,
    ),
  },
  "not-constant": {
    meaning: "A value is needed when the model is compiled, but is known only when it runs.",
    text: "Sizes of parameters, conditions of `when`, arguments of modules and the bounds of a `for` are made of parameters, `const` and literals. Tensors and sizes of inputs (`B`) are not known then.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            var y = x
            for i in 0..B { y = relu(y) }
            return y
          }
        }
      `,
      `
        module Net(times: int = 3) {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            var y = x
            for i in 0..times { y = relu(y) }
            return y
          }
        }
      `,
    ),
  },
  "not-mutable": {
    meaning: "A name that cannot change is assigned.",
    text: "Inputs and what `let` declares keep their value. Declare with `var` what is to change.",
    example: loom(
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            let y = relu(x)
            y = y + 1.0
            return y
          }
        }
      `,
      `
        module Net {
          fn (x: f32[B, 4]) -> f32[B, 4] {
            var y = relu(x)
            y = y + 1.0
            return y
          }
        }
      `,
    ),
  },
  "shape-mismatch": {
    meaning: "Shapes or scalars that must agree do not.",
    text: "Types are checked when the model is compiled. Axes are compared from the last one on; axes of size 1 and missing leading axes are repeated, no others. Sizes of inputs are names: two names agree only where the signature says so by using one name twice.",
    example: loom(
      `
        use std.{Linear}

        module Net {
          fc1 = Linear(8, 16)
          fc2 = Linear(8, 4)

          fn (x: f32[B, 8]) -> f32[B, 4] {
            return x |> fc1 |> fc2
          }
        }
      `,
      `
        use std.{Linear}

        module Net {
          fc1 = Linear(8, 16)
          fc2 = Linear(16, 4)

          fn (x: f32[B, 8]) -> f32[B, 4] {
            return x |> fc1 |> fc2
          }
        }
      `,
    ),
  },
  syntax: {
    meaning: "The text is not in the language.",
    text: "The message says what was expected at the mark. Every statement starts with a keyword or `name =`, a policy rule with a selector; there are no semicolons, and line ends mean nothing. After a problem the parser goes on, so one run shows several.",
    example: loom(
      `
        module Net(dim int) {
          param gain: f32[dim]
        }
      `,
      `
        module Net(dim: int = 8) {
          param gain: f32[dim] = ones
        }
      `,
    ),
  },
  "too-deep": {
    meaning: "A text nests more deeply than any model needs.",
    text: "Brackets nest at most 64 deep, an expression has at most 200 operators or calls in a row, and functions call each other at most 100 deep. Give parts of an expression names with `let`.",
  },
  "too-many-steps": {
    meaning: "Loops and calls unroll into far too many statements.",
    text: "They are taken apart when the model is compiled, so a loop in a loop, or a function that calls another one twice, multiplies. Compute on whole tensors instead of element by element.",
    example: loom(
      `
        module Net {
          fn (x: f32[4096, 4]) -> f32[4] {
            var y = x[0]
            for i in 0..100_000 { y = y + x[i] }
            return y
          }
        }
      `,
      `
        module Net {
          fn (x: f32[4096, 4]) -> f32[4] {
            return sum(x, axis = 0)
          }
        }
      `,
    ),
  },
  "type-mismatch": {
    meaning: "A value is of another kind than its place asks for.",
    text: "A parameter of a module, a condition or an argument has a kind: int, float, bool, text, tensor, submodule. An integer literal adapts to a float; nothing else converts by itself: say `float(n)`, or `cast(x, f32)` for tensors.",
    example: loom(
      `
        use std.{Linear}

        module Net {
          fc = Linear(8, 2.5)
        }
      `,
      `
        use std.{Linear}

        module Net {
          fc = Linear(8, 2)
        }
      `,
    ),
  },
  "unknown-size": {
    meaning: "The size of an axis is not known, or is not one that a tensor can have.",
    text: "Parameters and data have sizes that are known when the model is compiled, all of them at least 1. In an input's type a name such as `T` stands alone before it is used in a sum or product.",
    example: loom(
      `
        module Net {
          param table: f32[0, 4] = ones
        }
      `,
      `
        module Net {
          param table: f32[16, 4] = ones
        }
      `,
    ),
  },
  "wrong-index": {
    meaning: "A list or an array of submodules has no such item.",
    text: "Items are counted from 0.",
    example: loom(
      `
        use std.{Linear}

        module Net {
          parts = [Linear(4, 4) for i in 0..2]

          fn (x: f32[B, 4]) -> f32[B, 4] {
            return parts[2](x)
          }
        }
      `,
      `
        use std.{Linear}

        module Net {
          parts = [Linear(4, 4) for i in 0..2]

          fn (x: f32[B, 4]) -> f32[B, 4] {
            return parts[1](x)
          }
        }
      `,
    ),
  },
});
