// Every op does what was computed by hand, in type and value, and refuses what does not fit.
import { describe, expect, test } from "vitest";
import { Rejection } from "../../ir/diagnostic.ts";
import { opNamed } from "../../ir/ops/table.ts";
import { printType } from "../../ir/type.ts";
import { cases } from "./cases/index.ts";
import { runOp } from "./support/run-op.ts";
import { elements } from "./support/values.ts";

for (const [name, { semantics, rejects = [] }] of Object.entries(cases)) {
  describe(name, () => {
    for (const { what, operands, attrs, precision, state, expect: expected, within = 0 } of semantics) {
      test(what, () => {
        const results = runOp(name, operands, attrs, precision, state);
        expect(results.map((r) => printType(r.type))).toEqual(expected.map((e) => printType(e.type)));
        for (const [i, result] of results.entries()) {
          const [got, want] = [elements(result), elements(expected[i]!)];
          if (within === 0) expect(got.map(unsigned)).toEqual(want.map(unsigned));
          else
            for (const [k, w] of want.entries())
              expect(Math.abs(got[k]! - w), `element ${k}: ${got[k]} against ${w}`).toBeLessThanOrEqual(within);
        }
      });
    }
    for (const { operands, attrs = {}, says } of rejects) {
      test(`refuses: ${says}`, () => {
        const { signature } = opNamed(name);
        const complete = { ...Object.fromEntries(Object.entries(signature.attrs).map(([key, kind]) => [key, kind.fallback])), ...attrs };
        const attempt = () =>
          opNamed(name).infer(
            operands.map((o) => o.type),
            complete,
          );
        expect(attempt).toThrow(Rejection);
        expect(attempt).toThrow(says);
      });
    }
  });
}

/** Zeros of both signs are equal here. */
const unsigned = (x: number): number => (x === 0 ? 0 : x);
