// Scales that are learned: the state that holds them, how an entry reads them, and entry `@calibrate`, which gives them their first values.
import { reject } from "../ir/diagnostic.ts";
import { productOf } from "../ir/dim.ts";
import { evaluateScalars } from "../ir/evaluate-scalar.ts";
import type { InitRule } from "../ir/init.ts";
import type { Entry, StateDeclaration, Value } from "../ir/module.ts";
import { abs, add, div, maximum, mul } from "../ir/ops/arithmetic.ts";
import { broadcast } from "../ir/ops/broadcast.ts";
import { quantScale } from "../ir/ops/quant.ts";
import { min } from "../ir/ops/reductions.ts";
import { scaleGradient } from "../ir/ops/scale-gradient.ts";
import { splat, stateRead } from "../ir/ops/source.ts";
import { reshape } from "../ir/ops/views.ts";
import type { LearnedScale, LearnedSide, Quantizer, Side } from "../ir/quant/quantizer.ts";
import { quantizerNamed } from "../ir/quant/table.ts";
import type { RewriteContext } from "../ir/rewrite.ts";
import { float } from "../ir/scalar.ts";
import { wholeName } from "../ir/state-piece.ts";
import { f32, tensor } from "../ir/type.ts";
import { centeredRows } from "./centered-rows.ts";
import { type OperandPlan, stateBehind } from "./contraction.ts";
import { quantName } from "./quant-names.ts";

/** Below it a step is taken to be that large: it never divides by 0. */
const leastStep = 1e-8;

/** One for the whole tensor; not of rank 0, since what the optimizer updates has an axis. */
const scaleType = f32(1);

type Builder = RewriteContext["builder"];

/** The learned scales of a module: what its entries read is declared once. */
export class LearnedScales {
  readonly #states = new Map<string, StateDeclaration>();

  /** In order of first use. */
  get states(): readonly StateDeclaration[] {
    return [...this.#states.values()];
  }

  /** The same state may be declared by several entries and sites, in one way. Rejects another. */
  declare(state: StateDeclaration): void {
    const known = this.#states.get(state.name);
    if (known === undefined) this.#states.set(state.name, state);
    else if (JSON.stringify(known) !== JSON.stringify(state))
      reject(`"${state.name}" is learned in another way at another site`, ["give both sites the same quantizer and settings"]);
  }
}

/** Which scale of which site. */
interface Use {
  readonly scheme: string;
  readonly side: Side;
  readonly learned: LearnedSide;
  readonly rule: LearnedScale;
  /** Of the state, before its `#`. */
  readonly owner: string;
}

/**
 * The learned scales of one entry. Where it `measures`, they are computed from the tensors that they are for, by the rule that gives them their first
 * values, and become the new values of their state; else they are read.
 */
export class EntryScales {
  readonly #module: LearnedScales;
  readonly #measures: boolean;
  /** What has been measured, by the name of the state: a site that runs twice has the scale of its first run. */
  readonly #measured = new Map<string, Value>();

  constructor(module: LearnedScales, measures: boolean) {
    this.#module = module;
    this.#measures = measures;
  }

  /** The state that the entry replaces. */
  get updates(): Entry["updates"] {
    return [...this.#measured].map(([state, value]) => ({ state, value }));
  }

  /** The scales of a value's rows, all of them the learned one, and their offsets where one is learned too. Rejects a site without a name. */
  emit(
    value: Value,
    scheme: string,
    operand: OperandPlan,
    site: string | undefined,
    cx: RewriteContext,
  ): { readonly scale: Value; readonly offset?: Value } {
    const { side } = operand;
    const rule = quantizerNamed(scheme).scaleGradient;
    if (side?.learned === undefined || rule === "none") throw new Error(`\`${scheme}\` learns no scale`);
    const { builder } = cx;
    const use: Use = { scheme, side, learned: side.learned, rule, owner: ownerOf(value, operand, site, cx) };
    const held = this.#held(value, use, builder);
    const elements = productOf(value.type.dims);
    // Where sizes are still names nothing is differentiated.
    const factor = typeof elements === "number" ? rule.gradientFactor(elements, side.bits) : 1;
    const weighted = (x: Value): Value => (factor === 1 ? x : builder.emit(scaleGradient, [x], { factor }, { hint: x.hint }));
    const scaled = weighted(held);
    const unit = rule.unit(side.bits);
    const signed = unit === 1 ? scaled : builder.emit(mul, [scaled, splat(builder, scaleType, unit)], {}, { hint: "step" });
    // Levels lie on both sides of 0: a step that gradient descent takes below 0 means the same as one above.
    const size = builder.emit(abs, [signed], {}, { hint: "size" });
    const step = builder.emit(maximum, [size, splat(builder, scaleType, leastStep)], {}, { hint: "step" });
    const type = tensor("f32", [...value.type.dims.slice(0, -1), 1]);
    const scale = builder.emit(broadcast, [step], { type }, { hint: quantName(value, "s") });
    if (side.learned.offset === undefined) return { scale };
    return { scale, offset: builder.emit(broadcast, [weighted(this.#offset(value, use, step, builder))], { type }, { hint: "offset" }) };
  }

  /** The learned offset; `step` is the step that the value is rounded with. */
  #offset(value: Value, use: Use, step: Value, builder: Builder): Value {
    const { owner, rule, learned, side } = use;
    const name = `${owner}offset`;
    this.#module.declare({ name, type: scaleType, role: "parameter", init: "zeros", decay: false, ...ratedBy(learned) });
    const inSteps = learned.learns === "factor";
    const held = this.#measures ? this.#measureOffset(name, value, use, step, builder) : read(builder, name, "offset");
    if (!inSteps) return held;
    // The first step, in whose units it is held: that of the state, or the one that is being measured.
    const unit = (x: Value): Value => builder.emit(mul, [x, splat(builder, scaleType, rule.unit(side.bits))]);
    const first = this.#measures ? step : unit(read(builder, `${owner}${rule.quantity}.initial`, "initial"));
    return builder.emit(mul, [held, first], {}, { hint: "offset" });
  }

  #measureOffset(name: string, value: Value, use: Use, step: Value, builder: Builder): Value {
    const known = this.#measured.get(name);
    if (known !== undefined) return known;
    const offset = use.learned.offset === "mean" ? centerOf(value, use, builder) : aboveEdge(value, use, step, builder);
    const held = use.learned.learns === "factor" ? builder.emit(div, [offset, step], {}, { hint: "offset" }) : offset;
    this.#measured.set(name, held);
    return held;
  }

  /** What is learned, as the entry has it. */
  #held(value: Value, use: Use, builder: Builder): Value {
    const { rule, learned, owner } = use;
    const guess = initialGuess(use);
    const name = `${owner}${rule.quantity}`;
    if (learned.learns === "value") {
      this.#module.declare({ name, type: scaleType, role: "parameter", init: guess, decay: false, ...ratedBy(learned) });
      return this.#measures ? this.#measure(name, value, use, builder) : read(builder, name, rule.quantity);
    }
    const [initial, factor] = [`${name}.initial`, `${name}.factor`];
    this.#module.declare({ name: initial, type: scaleType, role: "calibration", init: guess, decay: false });
    this.#module.declare({ name: factor, type: scaleType, role: "parameter", init: "ones", decay: false, ...ratedBy(learned) });
    if (this.#measures) return this.#measure(initial, value, use, builder);
    const operands = [read(builder, initial, "initial"), read(builder, factor, "factor")] as const;
    return builder.emit(mul, operands, {}, { hint: rule.quantity });
  }

  #measure(name: string, value: Value, use: Use, builder: Builder): Value {
    const known = this.#measured.get(name);
    if (known !== undefined) return known;
    const { scheme, rule, learned } = use;
    const { bits } = use.side;
    const row = asRow(value, builder);
    // What is measured about a center is computed about it: a variance as a difference of squares may cancel.
    const ofRow =
      learned.offset === "mean"
        ? centeredRows(builder, row, scheme, bits).scale
        : builder.emit(quantScale, [row], { scheme, bits, group: "row" });
    const step = builder.emit(reshape, [ofRow], { type: scaleType }, { hint: "step" });
    const unit = rule.unit(bits);
    const measured = unit === 1 ? step : builder.emit(div, [step, splat(builder, scaleType, unit)], {}, { hint: rule.quantity });
    this.#measured.set(name, measured);
    return measured;
  }
}

/** The whole tensor as one row. */
const asRow = (value: Value, builder: Builder): Value =>
  builder.emit(reshape, [value], { type: tensor("f32", [1, productOf(value.type.dims)]) });

/** The mean of the whole tensor. */
const centerOf = (value: Value, { scheme, side }: Use, builder: Builder): Value =>
  builder.emit(reshape, [centeredRows(builder, asRow(value, builder), scheme, side.bits).offset], { type: scaleType }, { hint: "offset" });

/** Where the smallest element lies at the edge of the grid. */
function aboveEdge(value: Value, { side }: Use, step: Value, builder: Builder): Value {
  const { dims } = value.type;
  const ofRows = builder.emit(min, [value], { axes: [dims.length - 1] });
  const ofAll = dims.length === 1 ? ofRows : builder.emit(min, [ofRows], { axes: dims.slice(1).map((_, axis) => axis) });
  const edge = builder.emit(mul, [step, splat(builder, scaleType, 2 ** (side.bits - 1))]);
  return builder.emit(add, [builder.emit(reshape, [ofAll], { type: scaleType }), edge], {}, { hint: "offset" });
}

const ratedBy = ({ rate }: LearnedSide) => (rate === 1 ? {} : { rate });

const read = (builder: Builder, name: string, hint: string): Value => builder.emit(stateRead, [], { name, type: scaleType }, { hint });

/** A weight's scale is called after the weight, an activation's after its site. */
function ownerOf(value: Value, { part }: OperandPlan, site: string | undefined, { producer }: RewriteContext): string {
  const state = part === "weight" ? stateBehind(value, producer) : undefined;
  if (state !== undefined) return `${wholeName(state)}#`;
  if (site === undefined) return reject("a scale that is learned is called after its site, and there is none", ['add `site = "..."`']);
  return `${wholeName(site)}#${part === "weight" ? "w" : "a"}.`;
}

/** Until `@calibrate` has run: what a tensor of variance 1 would begin with, normally distributed. */
function initialGuess({ scheme, side: { bits }, rule }: Use): InitRule {
  const { step, statistic } = quantizerNamed(scheme);
  const [steps] = evaluateScalars([step(float(ofUnitNormal[statistic]), bits)], 1, "wide", { inputs: [] });
  return { constant: (steps?.[0] ?? Number.NaN) / rule.unit(bits) };
}

/** Statistics of N(0, 1); of the largest magnitude, where it lies once in 10,000 elements. */
const ofUnitNormal: Readonly<Record<Quantizer["statistic"], number>> = {
  mean_square: 1,
  variance: 1,
  mean_abs: Math.sqrt(2 / Math.PI),
  abs_max: 3.8906,
};
