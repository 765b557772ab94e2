// NumPy's .npy files: magic, version, a header that is a Python literal, then the elements
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { type Dtype, dtypeBytes, type SavedTensor } from "../weights.ts";

const dtypes: Readonly<Record<string, Dtype>> = {
  "<f8": "F64",
  "<f4": "F32",
  "<f2": "F16",
  "<i8": "I64",
  "<i4": "I32",
  "<u4": "U32",
  "<i2": "I16",
  "<u2": "U16",
  "|i1": "I8",
  "|u1": "U8",
  "|b1": "BOOL",
};

/**
 * The array in an .npy file of version 1, 2 or 3: little-endian, in C order. Throws a DiagnosticError `bad-npy` that names `path` and says what
 * is wrong; the header is read as data, whatever stands in it.
 */
export function decodeNpy(file: Uint8Array, path: string): SavedTensor {
  const bad = (message: string, help: readonly string[] = []): never => {
    throw new DiagnosticError([error("bad-npy", `${path}: ${message}`, undefined, "", help)]);
  };
  if (file.length < 10 || !magic.every((byte, i) => file[i] === byte)) bad("not an .npy file");
  const [major, minor] = [file[6] ?? 0, file[7] ?? 0];
  if (major < 1 || major > 3 || minor !== 0) bad(`version ${major}.${minor} of the format is not known`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const lengthBytes = major === 1 ? 2 : 4;
  if (file.length < 8 + lengthBytes) bad("the file is cut off in its header");
  const begin = 8 + lengthBytes;
  const headerLength = lengthBytes === 2 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > longestHeader) bad(`a header of ${headerLength} bytes is longer than any array needs`);
  const end = begin + headerLength;
  if (end > file.length) bad(`the header says that it has ${headerLength} bytes, but ${file.length - begin} follow`);
  const header = readHeader(new TextDecoder().decode(file.subarray(begin, end)));
  if (header === undefined) return bad("the header is no `{'descr': ..., 'fortran_order': ..., 'shape': ...}`");
  const { descr, isFortran, shape } = header;
  const dtype = Object.hasOwn(dtypes, descr) ? dtypes[descr] : undefined;
  if (dtype === undefined)
    return bad(`elements of type \`${descr}\` are not read`, [`the types are ${Object.keys(dtypes).join(", ")}: convert with \`astype\``]);
  if (isFortran) bad("the array is in Fortran order", ["save `numpy.ascontiguousarray(x)`"]);
  const expected = shape.reduce((n, size) => n * size, dtypeBytes[dtype]);
  const bytes = file.subarray(end);
  if (bytes.length !== expected)
    bad(`${dtype} [${shape.join(", ")}] takes ${expected} bytes, but ${bytes.length} follow the header: the file is cut off or damaged`);
  return { dtype, shape, bytes };
}

const magic = [0x93, ...new TextEncoder().encode("NUMPY")];
/** NumPy itself warns above 10,000. */
const longestHeader = 2 ** 16;

interface Header {
  readonly descr: string;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
}

/** The three keys of the header, in any order, in the little of Python's syntax that NumPy writes; undefined for anything else. */
function readHeader(text: string): Header | undefined {
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) return undefined;
  const found: { descr?: string; fortran_order?: string; shape?: string } = {};
  const item =
    /\s*(?:'(descr|fortran_order|shape)'|"(descr|fortran_order|shape)")\s*:\s*('[^'\\]*'|"[^"\\]*"|True|False|\([\d\s,L]*\))\s*(,|$)/y;
  while (item.lastIndex < body.length && body.slice(item.lastIndex).trim() !== "") {
    const match = item.exec(body);
    const [, single, double, value] = match ?? [];
    const key = single ?? double;
    if ((key !== "descr" && key !== "fortran_order" && key !== "shape") || value === undefined || found[key] !== undefined)
      return undefined;
    found[key] = value;
  }
  const { descr, fortran_order: order, shape } = found;
  if (descr === undefined || !/^['"]/.test(descr) || (order !== "True" && order !== "False")) return undefined;
  const sizes = shape === undefined ? undefined : readSizes(shape);
  return sizes === undefined ? undefined : { descr: descr.slice(1, -1), isFortran: order === "True", shape: sizes };
}

/** `()`, `(3,)`, `(3, 4)`; Python 2 wrote `3L`. */
function readSizes(text: string): readonly number[] | undefined {
  const inner = /^\(\s*(.*?)\s*\)$/s.exec(text)?.[1];
  if (inner === undefined) return undefined;
  if (inner === "") return [];
  const parts = inner.replace(/,$/, "").split(",");
  if (parts.length === 1 && !inner.endsWith(",")) return undefined;
  const sizes = parts.map((part) => (/^\s*\d{1,15}L?\s*$/.test(part) ? Number.parseInt(part, 10) : Number.NaN));
  return sizes.every((size) => Number.isSafeInteger(size)) ? sizes : undefined;
}
