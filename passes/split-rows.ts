// split-rows: state that no binding holds becomes pieces of rows that bindings do hold. A row is looked up in each piece, of which one has
// it and the others answer zeros; a contraction runs piece by piece, and its results stand side by side, or add up where rows are summed
// over. Gradients and the optimizer follow by themselves, since they come later and each piece is a parameter of its own.

import { int, withDefault } from "../ir/attribute.ts";
import { regionOf } from "../ir/marks.ts";
import { type Entry, type Instruction, type Module, mapEntries, type StateDeclaration, type Value } from "../ir/module.ts";
import { add, sub } from "../ir/ops/arithmetic.ts";
import { concat } from "../ir/ops/concat.ts";
import { dot, freeAxes } from "../ir/ops/dot.ts";
import { gather } from "../ir/ops/indexing.ts";
import { splat, stateRead } from "../ir/ops/source.ts";
import { slice } from "../ir/ops/views.ts";
import { bufferBytes } from "../ir/packing.ts";
import { type RewriteContext, type Rule, rewriteEntry, ruleFor } from "../ir/rewrite.ts";
import { pieceName } from "../ir/state-piece.ts";
import { type Type, withDims } from "../ir/type.ts";
import { definePass } from "./pass.ts";

export const splitRows = definePass({
  name: "split-rows",
  summary: "Cut state that is larger than a binding of the target into pieces of rows.",
  needs: "surface",
  leaves: "surface",
  options: { bytes: withDefault(int, 0) },
  run(module, { bytes }, cx) {
    if (bytes === 0) return module;
    const split = new Map(
      module.states.flatMap((state) => {
        const pieces = bufferBytes(state.type) > bytes ? piecesOf(state, bytes) : undefined;
        return pieces !== undefined && module.entries.every((entry) => isSplittable(entry, state.name))
          ? [[state.name, pieces] as const]
          : [];
      }),
    );
    if (split.size === 0) return module;
    cx.count("states", split.size);
    const whole: Module = {
      ...module,
      states: module.states.flatMap((state) => split.get(state.name)?.map(({ declaration }) => declaration) ?? [state]),
      // A tie names the whole, of which the first piece stands for all.
      ties: module.ties.map((tie) => ({ ...tie, state: split.get(tie.state)?.[0]?.declaration.name ?? tie.state })),
    };
    return mapEntries(whole, (entry) => rewriteEntry(entry, rulesFor(split), (name) => cx.count(name), { once: true }));
  },
});

interface Piece {
  readonly declaration: StateDeclaration;
  readonly first: number;
  readonly rows: number;
}

type Pieces = ReadonlyMap<string, readonly Piece[]>;

/** Pieces are of one size where that can be, in whole tiles of contractions. */
const tileRows = 64;

/** Undefined where one row alone is too large, or the rows have no number. */
function piecesOf(state: StateDeclaration, bytes: number): readonly Piece[] | undefined {
  const [rows] = state.type.dims;
  if (typeof rows !== "number" || state.type.dims.length < 2 || state.role !== "parameter") return undefined;
  const sized = (count: number): Type => withDims(state.type, [count, ...state.type.dims.slice(1)]);
  const rowBytes = bufferBytes(state.type) / rows;
  const most = Math.floor(bytes / rowBytes);
  if (most < 1) return undefined;
  const even = Math.ceil(rows / Math.ceil(rows / most));
  const tiled = Math.ceil(even / tileRows) * tileRows;
  const each = tiled <= most ? tiled : even;
  return Array.from({ length: Math.ceil(rows / each) }, (_, i): Piece => {
    const [first, end] = [i * each, Math.min(rows, (i + 1) * each)];
    return {
      declaration: { ...state, name: pieceName({ of: state.name, first, end }), type: sized(end - first) },
      first,
      rows: end - first,
    };
  });
}

/** Whether an entry does nothing with a state but look rows up and contract it, and does not replace it. */
function isSplittable({ instructions, outputs, updates }: Entry, name: string): boolean {
  const reads = new Set(instructions.flatMap((i) => (isReadOf(i, name) ? i.results : [])));
  const isRead = ({ value }: { readonly value: Value }) => reads.has(value);
  if (outputs.some(isRead) || updates.some((update) => update.state === name || isRead(update))) return false;
  return instructions.every(({ op, operands, attrs }) => {
    const at = operands.flatMap((operand, i) => (reads.has(operand) ? [i] : []));
    if (at.length === 0) return true;
    if (op.signature.name === gather.name) return at.join() === "0";
    const [side] = at;
    return (
      op.signature.name === dot.name &&
      at.length === 1 &&
      side !== undefined &&
      !(attrs["batch"] as AxisPair)[side === 0 ? 0 : 1].includes(0)
    );
  });
}

const isReadOf = ({ op, attrs }: Instruction, name: string): boolean => op.signature.name === stateRead.name && attrs["name"] === name;

type AxisPair = readonly [readonly number[], readonly number[]];

function rulesFor(split: Pieces): readonly Rule[] {
  const piecesRead = (value: Value, { producer }: RewriteContext): readonly Piece[] | undefined => {
    const from = producer(value);
    return from?.op.signature.name === stateRead.name ? split.get(String(from.attrs["name"])) : undefined;
  };
  const read = ({ builder }: RewriteContext, whole: Value, { declaration: { name, type } }: Piece): Value =>
    builder.emit(stateRead, [], { name, type }, { hint: whole.hint, marks: {} });

  return [
    ruleFor(gather, "gather", ([table, ids], _attrs, cx) => {
      const pieces = piecesRead(table, cx);
      if (pieces === undefined) return undefined;
      const { builder } = cx;
      const found = pieces.map((piece) => {
        const local = piece.first === 0 ? ids : builder.emit(sub, [ids, splat(builder, ids.type, piece.first)], {}, { hint: "local" });
        return builder.emit(gather, [read(cx, table, piece), local]);
      });
      return [found.reduce((sum, each) => builder.emit(add, [sum, each]))];
    }),
    ruleFor(dot, "dot", ([lhs, rhs], { contract, batch }, cx, { results: [result] }) => {
      const [left, right] = [piecesRead(lhs, cx), piecesRead(rhs, cx)];
      const pieces = left ?? right;
      if (pieces === undefined) return undefined;
      const side = left === undefined ? 1 : 0;
      const [table, other] = side === 0 ? [lhs, rhs] : [rhs, lhs];
      const { builder } = cx;
      const hint = result?.hint ?? "y";
      // A contraction's site and choice of quantizer are those of each piece, and nothing's else.
      const beside = { marks: regionOf(builder.marks) };
      const product = (piece: Piece, operand: Value): Value => {
        const rows = read(cx, table, piece);
        return builder.emit(dot, side === 0 ? [rows, operand] : [operand, rows], { contract, batch }, { hint });
      };
      const summed = contract[side].indexOf(0);
      if (summed >= 0) {
        const axis = contract[side === 0 ? 1 : 0][summed] ?? 0;
        const parts = pieces.map((piece) =>
          product(piece, builder.emit(slice, [other], { axis, start: piece.first, size: piece.rows }, { marks: {} })),
        );
        return [parts.reduce((sum, each) => builder.emit(add, [sum, each], {}, beside))];
      }
      const free = freeAxes(lhs.type, rhs.type, contract, batch);
      const axis = batch[0].length + (side === 0 ? free.lhs.indexOf(0) : free.lhs.length + free.rhs.indexOf(0));
      const parts = pieces.map((piece) => product(piece, other));
      return [builder.emit(concat, parts, { axis }, { hint, ...beside })];
    }),
  ];
}
