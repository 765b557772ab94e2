// ONNX models as bytes: the little of the protobuf format that one node with constant operands needs (onnx.proto, onnx 1.17).

export interface Operand {
  readonly name: string;
  readonly type: "float32" | "uint8";
  readonly dims: readonly number[];
}

export interface OneNodeModel {
  readonly op: string;
  /** `com.microsoft` for onnxruntime's own operators; none for ONNX's. */
  readonly domain?: string;
  /** Integers alone. */
  readonly attributes?: Readonly<Record<string, number>>;
  /** What the caller gives. */
  readonly input: Operand;
  readonly constants: readonly (Operand & { readonly data: Float32Array | Uint8Array })[];
  readonly output: Operand;
}

// Element types, attribute type and field numbers as onnx.proto gives them.
const elementTypes = { float32: 1, uint8: 2 } as const;
const attributeIsInteger = 2;
const irVersion = 8;
const opset = 17;

/** The model's file. */
export function encodeModel({ op, domain, attributes = {}, input, constants, output }: OneNodeModel): Uint8Array {
  const node = message(
    ...[input, ...constants].map(({ name }) => text(1, name)),
    text(2, output.name),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) =>
      bytes(5, message(text(1, name), integer(3, value), integer(20, attributeIsInteger))),
    ),
    ...(domain === undefined ? [] : [text(7, domain)]),
  );
  const tensors = constants.map(({ name, type, dims, data }) =>
    message(
      ...dims.map((dim) => integer(1, dim)),
      integer(2, elementTypes[type]),
      text(8, name),
      bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    ),
  );
  const graph = message(
    bytes(1, node),
    text(2, "graph"),
    ...tensors.map((tensor) => bytes(5, tensor)),
    bytes(11, valueInfo(input)),
    bytes(12, valueInfo(output)),
  );
  const versions = [message(text(1, ""), integer(2, opset)), message(text(1, "com.microsoft"), integer(2, 1))];
  return message(integer(1, irVersion), bytes(7, graph), ...versions.map((version) => bytes(8, version)));
}

function valueInfo({ name, type, dims }: Operand): Uint8Array {
  const shape = message(...dims.map((dim) => bytes(1, integer(1, dim))));
  return message(text(1, name), bytes(2, bytes(1, message(integer(1, elementTypes[type]), bytes(2, shape)))));
}

// Protobuf: a field is its number and wire type, then a varint (type 0) or a length and that many bytes (type 2).

function varint(value: number): Uint8Array {
  const groups: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) groups.push((rest % 128) + 128);
  return Uint8Array.from([...groups, rest]);
}

const integer = (field: number, value: number): Uint8Array => message(varint(field * 8), varint(value));
const bytes = (field: number, content: Uint8Array): Uint8Array => message(varint(field * 8 + 2), varint(content.length), content);
const text = (field: number, content: string): Uint8Array => bytes(field, new TextEncoder().encode(content));

function message(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
