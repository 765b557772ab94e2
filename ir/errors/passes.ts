// Diagnostic codes of forms and passes.
import { explain, loomir } from "./explanation.ts";

export const passErrors = explain({
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
  "rotation-missing": {
    meaning: "A quantizer needs a rotation that has not been inserted.",
    text: "`insert-quant` expects that `insert-hadamard` ran before it.",
  },
  "unknown-pass": {
    meaning: "There is no pass of this name.",
    text: "docs/passes.md lists the passes.",
  },
  "wrong-form": {
    meaning: "A pass is given a module of a form that it does not take.",
    text: "docs/passes.md says what each pass takes and leaves; a dump says in its first line which passes are still to come.",
  },
});
