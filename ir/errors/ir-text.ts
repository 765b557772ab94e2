// Diagnostic codes of IR text: statements, ops with their operands and attributes, values.
import { explain, loomir } from "./explanation.ts";

export const irTextErrors = explain({
  "bad-attribute": {
    meaning: "An attribute or a mark has a value of the wrong kind.",
    text: "docs/ops.md lists the attributes of every op with their kinds.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1, block = 4.0}
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1, block = 4}
          return %y
        }
      `,
    ),
  },
  "bad-name": {
    meaning: "A name has characters that it cannot have.",
    text: "Values are called by letters, digits, `_` and `.`; entries and outputs by letters, digits and `_`.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @first.layer(%x: f32[8]) -> (y: f32[8]) {
          return %x
        }
      `,
      `
        loomir 1
        form surface

        entry @first_layer(%x: f32[8]) -> (y: f32[8]) {
          return %x
        }
      `,
    ),
  },
  "bad-type": {
    meaning: "A type is written wrong, or cannot exist.",
    text: "Tensors are `f32[8, 4]` with sizes of at least 1, or names of sizes, and `f32[]` for a scalar; codes are `q4[8, 32; grid = half]`.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f33[8]) -> (y: f32[8]) {
          return %x
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          return %x
        }
      `,
    ),
  },
  "duplicate-attribute": {
    meaning: "An attribute is given twice.",
    text: "Each attribute of an instruction stands once.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1, block = 4, axis = 0}
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1, block = 4}
          return %y
        }
      `,
    ),
  },
  "missing-attribute": {
    meaning: "An instruction or a declaration leaves out an attribute that has no default.",
    text: "docs/ops.md lists the attributes of every op.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1}
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1, block = 4}
          return %y
        }
      `,
    ),
  },
  "missing-constant": {
    meaning: "The elements of a large constant are not to be found.",
    text: "Constants of more than 64 elements stand in `constants.safetensors` beside the dump, by the hash of their bytes. Copy that file along with the text.",
  },
  "operand-count": {
    meaning: "An op is given too many or too few operands.",
    text: "docs/ops.md lists the operands of every op.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = add %x
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = add %x, %x
          return %y
        }
      `,
    ),
  },
  "redefined-value": {
    meaning: "A value is defined twice.",
    text: "The IR is in single-assignment form: every `%name` of an entry is defined once, before it is used.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = relu %x
          %y: f32[8] = neg %y
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %r: f32[8] = relu %x
          %y: f32[8] = neg %r
          return %y
        }
      `,
    ),
  },
  "result-count": {
    meaning: "An instruction names more or fewer results than its op has.",
    text: "docs/ops.md lists the results of every op.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8], %z: f32[8] = relu %x
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = relu %x
          return %y
        }
      `,
    ),
  },
  "unknown-attribute": {
    meaning: "An op has no attribute of this name.",
    text: "docs/ops.md lists the attributes of every op.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1, block = 4, size = 4}
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = hadamard %x {axis = 1, block = 4}
          return %y
        }
      `,
    ),
  },
  "unknown-form": {
    meaning: "A form of modules is misspelt or left out.",
    text: "Forms are surface, quantized, differentiated and primitive; a module says its own in the line below its version.",
    example: loomir(
      `
        loomir 1
        form surfaces
      `,
      `
        loomir 1
        form surface
      `,
    ),
  },
  "unknown-op": {
    meaning: "There is no op of this name.",
    text: "docs/ops.md lists all ops.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = rellu %x
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = relu %x
          return %y
        }
      `,
    ),
  },
  "unknown-value": {
    meaning: "A value is used that is not defined before.",
    text: "Values are an entry's own: inputs, and results of the instructions above.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = relu %z
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          %y: f32[8] = relu %x
          return %y
        }
      `,
    ),
  },
});
