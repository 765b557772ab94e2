// Diagnostic codes of the verifier: what the parts of a module must be to each other.
import { explain, loomir } from "./explanation.ts";

export const irModuleErrors = explain({
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
});
