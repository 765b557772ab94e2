// Scalar expressions as text, for tests.
import type { ScalarExpr } from "../../../ir/scalar.ts";

/** `((a mul 4) add b)`, `b0[i]`, `2f`, `-3i`. */
export function print(e: ScalarExpr): string {
  switch (e.kind) {
    case "const":
      if (e.type === "bool") return e.value === 0 ? "false" : "true";
      return `${Object.is(e.value, -0) ? "-0" : e.value}${{ u32: "", i32: "i", f32: "f" }[e.type]}`;
    case "input":
      return `input${e.index}`;
    case "variable":
      return e.name;
    case "unary":
      return `${e.op}(${print(e.a)})`;
    case "binary":
      return `(${print(e.a)} ${e.op} ${print(e.b)})`;
    case "select":
      return `(${print(e.condition)} ? ${print(e.yes)} : ${print(e.no)})`;
    case "cast":
      return `${e.type}(${print(e.a)})`;
    case "kept":
      return `kept${e.unit}(${print(e.a)})`;
    case "load":
      return e.storage.kind === "dense" ? `b${e.binding}[${print(e.column)}]` : `b${e.binding}[${print(e.row)}, ${print(e.column)}]`;
    default:
      return e satisfies never;
  }
}
