// .npy files for tests, laid out as NumPy's documentation says.

/** A file of version 1 with the given header text and elements. */
export function npyFile(header: string, data: Uint8Array, version: readonly [major: number, minor: number] = [1, 0]): Uint8Array {
  const lengthBytes = version[0] === 1 ? 2 : 4;
  const before = 8 + lengthBytes;
  const padded = `${header.padEnd(Math.ceil((before + header.length + 1) / 64) * 64 - before - 1)}\n`;
  const file = new Uint8Array(before + padded.length + data.length);
  file.set([0x93, ...new TextEncoder().encode("NUMPY"), ...version]);
  const view = new DataView(file.buffer);
  if (lengthBytes === 2) view.setUint16(8, padded.length, true);
  else view.setUint32(8, padded.length, true);
  file.set(new TextEncoder().encode(padded), before);
  file.set(data, before + padded.length);
  return file;
}

type Elements = Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array;

/** As `numpy.save` writes an array. */
export function npy(values: Elements, shape: readonly number[]): Uint8Array {
  const names = { Float32Array: "<f4", Float64Array: "<f8", Int32Array: "<i4", Uint8Array: "|u1", BigInt64Array: "<i8" } as const;
  const descr = names[values.constructor.name as keyof typeof names];
  const sizes = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  return npyFile(`{'descr': '${descr}', 'fortran_order': False, 'shape': ${sizes}, }`, new Uint8Array(values.buffer));
}
