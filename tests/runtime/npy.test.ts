// .npy files: bytes as NumPy writes them, and for every other file an error that names the fault.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { decodeNpy } from "../../runtime/data/npy.ts";
import { npy, npyFile } from "../support/npy-file.ts";
import { refusal } from "../support/refusal.ts";

const floats = Float32Array.of(1, -2.5, 3, 4, 5, 6);
const f4 = (rest: string) => npyFile(`{'descr': '<f4', ${rest}}`, new Uint8Array(floats.buffer));

describe(".npy files", () => {
  it("are read as numpy.save writes them", () => {
    // numpy 2.4.6: numpy.save(file, numpy.array([[1, 2, 3]], "int16"))
    const saved =
      "k05VTVBZAQB2AHsnZGVzY3InOiAnPGkyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAIAAwA=";
    const { dtype, shape, bytes } = decodeNpy(Buffer.from(saved, "base64"), "x.npy");
    expect({ dtype, shape, bytes: [...bytes] }).toEqual({ dtype: "I16", shape: [1, 3], bytes: [1, 0, 2, 0, 3, 0] });
  });

  it("have any rank, keys in any order, and the quotes and commas that Python takes", () => {
    expect(decodeNpy(npy(floats, [2, 3]), "x")).toMatchObject({ dtype: "F32", shape: [2, 3] });
    expect(decodeNpy(npy(floats, [6]), "x").shape).toEqual([6]);
    expect(decodeNpy(npy(floats.slice(0, 1), []), "x").shape).toEqual([]);
    expect(decodeNpy(npy(floats.slice(0, 0), [0, 7]), "x").shape).toEqual([0, 7]);
    expect(
      decodeNpy(npyFile(`{"shape": (1L, 6L), 'fortran_order':False,"descr" : "<f4"}`, new Uint8Array(floats.buffer)), "x").shape,
    ).toEqual([1, 6]);
    for (const version of [
      [1, 0],
      [2, 0],
      [3, 0],
    ] as const)
      expect(
        decodeNpy(npyFile("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", Uint8Array.of(0, 1), version), "x"),
      ).toMatchObject({ dtype: "BOOL", shape: [2] });
  });

  it.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(), "not an .npy file"],
    ["another file", new TextEncoder().encode("PK\u0003\u0004 a zip file"), "not an .npy file"],
    ["a version to come", npyFile("{}", new Uint8Array(), [4, 0]), "version 4.0"],
    ["a cut header", npy(floats, [6]).subarray(0, 40), "the header says that it has 118 bytes, but 30 follow"],
    ["a cut length", npyFile("{}", new Uint8Array(), [2, 0]).subarray(0, 11), "cut off in its header"],
    ["an endless header", npyFile(`{${" ".repeat(70_000)}}`, new Uint8Array(), [2, 0]), "is longer than any array needs"],
    ["cut data", npy(floats, [6]).subarray(0, -1), "F32 [6] takes 24 bytes, but 23 follow"],
    ["too much data", npy(floats, [5]), "F32 [5] takes 20 bytes, but 24 follow"],
    ["a shape beyond all memory", f4("'fortran_order': False, 'shape': (999999999, 999999999, 999999999)"), "takes 3.999999988e+27 bytes"],
    ["a negative size", f4("'fortran_order': False, 'shape': (-1, 6)"), "the header is no"],
    ["a size in brackets that is no tuple", f4("'fortran_order': False, 'shape': (6)"), "the header is no"],
    ["a size with too many digits", f4("'fortran_order': False, 'shape': (9999999999999999999,)"), "the header is no"],
    ["a list for a shape", f4("'fortran_order': False, 'shape': [6]"), "the header is no"],
    ["no shape", f4("'fortran_order': False"), "the header is no"],
    ["no order", f4("'shape': (6,)"), "the header is no"],
    ["a key twice", f4("'fortran_order': False, 'shape': (6,), 'shape': (6,)"), "the header is no"],
    ["another key", f4("'fortran_order': False, 'shape': (6,), 'eval': True"), "the header is no"],
    ["code", f4("'fortran_order': False, 'shape': __import__('os')"), "the header is no"],
    ["columns first", f4("'fortran_order': True, 'shape': (2, 3)"), "help: save `numpy.ascontiguousarray(x)`"],
    [
      "objects",
      npyFile("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(8)),
      "elements of type `|O` are not read",
    ],
    [
      "big-endian numbers",
      npyFile("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4)),
      "elements of type `>f4`",
    ],
    ["records", npyFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4)), "the header is no"],
    [
      "an inherited name for a type",
      npyFile("{'descr': 'constructor', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4)),
      "`constructor` are not read",
    ],
  ])("with %s are refused", async (_, file, message) => {
    const said = await refusal(() => decodeNpy(file, "my.npy"));
    expect(said).toContain("error[bad-npy]: my.npy: ");
    expect(said).toContain(message);
  });

  it("are an array or a refusal, whatever bytes they have, and soon", () => {
    const good = npy(floats, [2, 3]);
    const decodes = (file: Uint8Array) => {
      try {
        const { shape, bytes } = decodeNpy(file, "x");
        expect(
          bytes.length %
            Math.max(
              1,
              shape.reduce((n, d) => n * d, 1),
            ),
        ).toBe(0);
      } catch (problem) {
        expect(problem).toBeInstanceOf(DiagnosticError);
      }
    };
    const edit = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 4 }), fc.nat(good.length), (edits, length) => {
        const file = good.slice();
        for (const { at, byte } of edits) file[at] = byte;
        decodes(file);
        decodes(file.subarray(0, length));
      }),
      { numRuns: 3000 },
    );
    const parts = fc.constantFrom(
      "{",
      "}",
      "'descr'",
      ":",
      "'<f4'",
      ",",
      " ",
      "(",
      ")",
      "6",
      "'shape'",
      "'fortran_order'",
      "False",
      "True",
      "L",
      "'",
      "\n",
      "\u0000",
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 30 }), (texts) => decodes(npyFile(texts.join(""), new Uint8Array(floats.buffer)))),
      { numRuns: 3000 },
    );
    // Patterns that a regular expression could take long over.
    for (const text of [
      " ".repeat(60_000),
      `{${" ".repeat(60_000)}`,
      `{'shape': (${"1,".repeat(30_000)}`,
      `{'shape': (${" ".repeat(60_000)}x`,
      `{'descr': '${"a".repeat(60_000)}`,
    ]) {
      const started = performance.now();
      decodes(npyFile(text, new Uint8Array(), [2, 0]));
      expect(performance.now() - started).toBeLessThan(1000);
    }
  });
});
