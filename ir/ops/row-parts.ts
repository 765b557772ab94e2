// Parts of a tensor's rows as tensors of their own, and a tensor made of such parts. Neither moves anything: a part is bound as the range of
// memory that it is, so that kernels over parts of equal size are one kernel.
import { int, resultType } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { productOf } from "../dim.ts";
import { define, signature, variadic } from "../op.ts";
import { plus, uint } from "../scalar.ts";
import { allocate, contiguous, denseTensor } from "../tensor.ts";
import { elementCount, printType, shapeOf, type Type, withDims } from "../type.ts";
import { requireScalar } from "./checks.ts";
import { delinearize } from "./views.ts";

export const rowSlice = signature({
  name: "row_slice",
  summary:
    "Rows `start` to `start + size` of x, whose first `lead` axes are counted as one. Taken of a tensor in memory, as a range of it.",
  operands: ["x"],
  attrs: { lead: int, start: int, size: int },
  forms: ["primitive"],
});
export const rowSliceOp = define(rowSlice, {
  infer([x], { lead, start, size }) {
    const rows = lead >= 1 && lead <= x.dims.length ? productOf(x.dims.slice(0, lead)) : undefined;
    const fits = typeof rows === "number" && start >= 0 && size >= 1 && start + size <= rows;
    return fits
      ? withDims(x, [size, ...x.dims.slice(lead)])
      : reject(`\`row_slice\` of rows ${start}..${start + size} over the first ${lead} axes of ${printType(x)}`);
  },
  evaluate: "from lower",
  // What cuts an entry into parts does so when its gradients are there.
  vjp: "none",
  lower: {
    kind: "view",
    isIdentity: true,
    index([row, ...rest], { lead, start }, operand) {
      const at = start === 0 ? (row ?? uint(0)) : plus(row ?? uint(0), uint(start));
      return { coordinates: [...delinearize(at, operand.slice(0, lead)), ...rest] };
    },
  },
});

export const rowConcat = signature({
  name: "row_concat",
  summary: "The rows of all parts in order, as a tensor of the given type. Parts are stored where they belong in it.",
  operands: variadic("parts"),
  attrs: { type: resultType },
  forms: ["primitive"],
});
export const rowConcatOp = define(rowConcat, {
  infer(parts, { type }) {
    const [first] = parts;
    for (const part of parts) requireScalar("row_concat", "parts", part, ["f32", "i32", "u32"]);
    const rest = (first?.dims.length ?? 1) - 1;
    const lead = type.dims.slice(0, type.dims.length - rest);
    const perRow = (part: Type): string => printType(withDims(part, part.dims.slice(1)));
    const row = printType(withDims(type, type.dims.slice(lead.length)));
    const rows = parts.reduce((sum, part) => sum + Number(part.dims[0] ?? Number.NaN), 0);
    return lead.length > 0 && parts.every((part) => perRow(part) === row) && rows === productOf(lead)
      ? type
      : reject(`\`row_concat\` of ${parts.map(printType).join(", ")} to ${printType(type)}`);
  },
  evaluate(parts, _attrs, [type]) {
    const shape = shapeOf(type);
    const whole = allocate(type, elementCount(shape), "wide");
    let at = 0;
    for (const part of parts.map(contiguous)) {
      whole.set(part, at);
      at += part.length;
    }
    return denseTensor(shape, whole);
  },
  vjp: "none",
  lower: { kind: "kernel", family: "join" },
});
