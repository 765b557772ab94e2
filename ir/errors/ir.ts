// Diagnostic codes of IR text, of the verifier and of passes.
import { explain, loomir } from "./explanation.ts";

export const irErrors = explain({
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
  "bad-form": {
    meaning: "Something stands in a module of a form that does not allow it.",
    text: "A module goes through the forms surface, quantized, differentiated and primitive; each allows its ops and declarations. The help names the forms in which this one stands.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %s: f32[8, 1] = quant.scale %x {scheme = quest, bits = 4}
          %y: f32[8, 4] = quant.fake %x, %s {scheme = quest, bits = 4}
          return %y
        }
      `,
      `
        loomir 1
        form quantized

        entry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {
          %s: f32[8, 1] = quant.scale %x {scheme = quest, bits = 4}
          %y: f32[8, 4] = quant.fake %x, %s {scheme = quest, bits = 4}
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
  "bad-stamp": {
    meaning: "A `quantize` mark names a quantizer or a setting that does not exist, or gives it a value that it cannot take.",
    text: "`quantize = quest(w = 4, a = 4)` on a contraction is what a policy chose for it; quantizers and their settings stand in docs/quantizers.md.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 32], %w: f32[4, 32]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = dot %x, %w {contract = [[1], [1]], batch = [[], []], quantize = quest(w = 9, a = 4)}
          return %y
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 32], %w: f32[4, 32]) -> (y: f32[8, 4]) {
          %y: f32[8, 4] = dot %x, %w {contract = [[1], [1]], batch = [[], []], quantize = quest(w = 8, a = 4)}
          return %y
        }
      `,
    ),
  },
  "bad-state": {
    meaning: "A tensor of state is declared, or set, with something that does not fit it.",
    text: "Only parameters decay and learn, at a rate above 0. Values that are written into a session's state have its type and its number of elements.",
    example: loomir(
      `
        loomir 1
        form surface
        state "m": f32[8] {role = optimizer, init = zeros, decay = true}

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          return %x
        }
      `,
      `
        loomir 1
        form surface
        state "m": f32[8] {role = optimizer, init = zeros}

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          return %x
        }
      `,
    ),
  },
  "bad-training": {
    meaning: "`training` is declared without an entry that can be trained.",
    text: "Training differentiates the entry `@train`, whose first output is the loss, f32[].",
    example: loomir(
      `
        loomir 1
        form surface
        host "lr" = constant(value = 0.1)
        training {optimizer = sgd(momentum = 0.9, decay = 0.0), rate = "lr"}

        entry @main(%x: f32[]) -> (loss: f32[]) {
          return %x
        }
      `,
      `
        loomir 1
        form surface
        host "lr" = constant(value = 0.1)
        training {optimizer = sgd(momentum = 0.9, decay = 0.0), rate = "lr"}

        entry @train(%x: f32[]) -> (loss: f32[]) {
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
  "bad-update": {
    meaning: "A state is updated twice in one entry.",
    text: "Updates take effect at once, when the entry returns, so there can be one for each state.",
    example: loomir(
      `
        loomir 1
        form surface
        state "w": f32[8] {role = parameter, init = zeros}

        entry @main(%x: f32[8]) -> () {
          return
          update "w" = %x, "w" = %x
        }
      `,
      `
        loomir 1
        form surface
        state "w": f32[8] {role = parameter, init = zeros}

        entry @main(%x: f32[8]) -> () {
          return
          update "w" = %x
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
  "ill-typed": {
    meaning: "An op does not take operands of these types, or its result has another type than the text says.",
    text: "Every op computes the types of its results from those of its operands. There is no implicit broadcast in the IR: `broadcast` says it.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4], %y: f32[4]) -> (z: f32[8, 4]) {
          %z: f32[8, 4] = add %x, %y
          return %z
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8, 4], %y: f32[4]) -> (z: f32[8, 4]) {
          %wide: f32[8, 4] = broadcast %y
          %z: f32[8, 4] = add %x, %wide
          return %z
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
  "output-count": {
    meaning: "`return` gives another number of values than the entry declares.",
    text: "Outputs are named behind `->` in the order of the values of `return`.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8]) {
          return %x, %x
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (y: f32[8], z: f32[8]) {
          return %x, %x
        }
      `,
    ),
  },
  "redefined-entry": {
    meaning: "Two entries have one name.",
    text: "Entries are run by name.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main() -> () {
          return
        }

        entry @main() -> () {
          return
        }
      `,
      `
        loomir 1
        form surface

        entry @main() -> () {
          return
        }

        entry @other() -> () {
          return
        }
      `,
    ),
  },
  "redefined-host": {
    meaning: "A host scalar is declared twice.",
    text: '`host "lr" = ...` says how the runtime computes a number from the step; each has one rule.',
    example: loomir(
      `
        loomir 1
        form surface
        host "lr" = constant(value = 0.1)
        host "lr" = constant(value = 0.2)
      `,
      `
        loomir 1
        form surface
        host "lr" = constant(value = 0.1)
      `,
    ),
  },
  "redefined-output": {
    meaning: "Two outputs of an entry have one name.",
    text: "Outputs are read by name.",
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (a: f32[8], a: f32[8]) {
          return %x, %x
        }
      `,
      `
        loomir 1
        form surface

        entry @main(%x: f32[8]) -> (a: f32[8], b: f32[8]) {
          return %x, %x
        }
      `,
    ),
  },
  "redefined-state": {
    meaning: "A tensor of state is declared twice, or a tie takes a name that is taken.",
    text: "State is declared once for the module; `tie` gives a further path to a state that stands.",
    example: loomir(
      `
        loomir 1
        form surface
        state "w": f32[8] {role = parameter, init = zeros}
        state "w": f32[8] {role = parameter, init = ones}
      `,
      `
        loomir 1
        form surface
        state "w": f32[8] {role = parameter, init = zeros}
        state "v": f32[8] {role = parameter, init = ones}
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
  "rotation-missing": {
    meaning: "A quantizer needs a rotation that has not been inserted.",
    text: "`insert-quant` expects that `insert-hadamard` ran before it.",
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
  "unknown-host": {
    meaning: "No host scalar has this name.",
    text: '`host "lr" = ...` at the top of the module declares it.',
    example: loomir(
      `
        loomir 1
        form surface

        entry @main(%lr: f32[] {host = "lr"}) -> (y: f32[]) {
          return %lr
        }
      `,
      `
        loomir 1
        form surface
        host "lr" = constant(value = 0.1)

        entry @main(%lr: f32[] {host = "lr"}) -> (y: f32[]) {
          return %lr
        }
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
  "unknown-pass": {
    meaning: "There is no pass of this name.",
    text: "docs/passes.md lists the passes.",
  },
  "unknown-state": {
    meaning: "No tensor of state has this name.",
    text: '`state "name": type {...}` at the top of the module declares it.',
    example: loomir(
      `
        loomir 1
        form surface

        entry @main() -> (y: f32[8]) {
          %y: f32[8] = state.read {name = "w"}
          return %y
        }
      `,
      `
        loomir 1
        form surface
        state "w": f32[8] {role = parameter, init = zeros}

        entry @main() -> (y: f32[8]) {
          %y: f32[8] = state.read {name = "w"}
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
  "wrong-form": {
    meaning: "A pass is given a module of a form that it does not take.",
    text: "docs/passes.md says what each pass takes and leaves; a dump says in its first line which passes are still to come.",
  },
});
