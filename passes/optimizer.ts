// The second half of a training step: global gradient norm, clip factor, the guard against bad steps, and the optimizer's updates.
import type { Builder } from "../ir/builder.ts";
import type { HostRule } from "../ir/host.ts";
import type { Entry, EntryInput, OptimizerSpec, StateDeclaration, TrainingSpec, Value } from "../ir/module.ts";
import { add, div, minimum } from "../ir/ops/arithmetic.ts";
import { cast } from "../ir/ops/cast.ts";
import { finite as isFiniteSignature, logicalAnd } from "../ir/ops/compare.ts";
import { adamw, globalNorm, sgd, sgdMomentum } from "../ir/ops/optimizer.ts";
import { constant, stateRead } from "../ir/ops/source.ts";
import { f32 } from "../ir/type.ts";

/** Keeps the clip factor finite where all gradients are zero. */
const normEpsilon = 1e-6;

/** A parameter, the value that it had at entry, and its gradient. */
export interface Trained {
  readonly state: StateDeclaration;
  readonly weight: Value;
  readonly gradient: Value;
}

/** What {@link emitUpdates} adds to the module and the entry beside instructions. */
export interface Updates {
  readonly inputs: readonly EntryInput[];
  readonly host: Readonly<Record<string, HostRule>>;
  /** Optimizer state of each parameter, by the parameter's name. */
  readonly states: ReadonlyMap<string, readonly StateDeclaration[]>;
  readonly updates: Entry["updates"];
  readonly gradNorm: Value;
  readonly ok: Value;
}

/**
 * One optimizer instruction a parameter. `ok` (u32) is 1 where loss and norm are finite; where it is 0 the optimizer gives back the
 * old values, so that a bad step changes nothing. The clip factor is min(1, clipNorm / (norm + 1e-6)), or 1 without clipping. With
 * accumulation the gradients are sums over the micro-batches: the factor divides them, and the norm is that of their mean. `known`:
 * inputs that the entry has already.
 */
export function emitUpdates(
  known: readonly EntryInput[],
  loss: Value,
  trained: readonly Trained[],
  training: TrainingSpec,
  builder: Builder,
): Updates {
  const parts = training.accumulate ?? 1;
  const perPart = (x: Value): Value => (parts === 1 ? x : builder.emit(div, [x, named(builder, "parts", parts)], {}, { hint: x.hint }));
  const sumNorm = builder.emit(
    globalNorm,
    trained.map((t) => t.gradient),
    {},
    { hint: "norm" },
  );
  const gradNorm = perPart(sumNorm);
  const finite = [loss, gradNorm].map((v) => builder.emit(isFiniteSignature, [v], {}, { hint: "finite" })) as [Value, Value];
  const ok = builder.emit(cast, [builder.emit(logicalAnd, finite, {}, { hint: "fine" })], { to: "u32" }, { hint: "ok" });
  const one = named(builder, "one", 1);
  const clip = perPart(training.clipNorm === undefined ? one : clipFactor(builder, gradNorm, training.clipNorm, one));

  const inputs: EntryInput[] = [];
  const host: Record<string, HostRule> = {};
  const hostScalar = (name: string, hint: string, rule?: HostRule): Value => {
    if (rule !== undefined) host[name] = rule;
    const given = [...known, ...inputs].find(({ origin }) => typeof origin === "object" && "host" in origin && origin.host === name);
    if (given !== undefined) return given.value;
    const value: Value = { hint, type: f32() };
    inputs.push({ value, origin: { host: name } });
    return value;
  };
  const lr = hostScalar(training.learningRate, "lr");
  const step = stepOf(training.optimizer, { builder, clip, lr, ok, hostScalar });

  const states = new Map<string, readonly StateDeclaration[]>();
  const updates: { readonly state: string; readonly value: Value }[] = [];
  for (const each of trained) {
    const { declared, written } = step(each);
    states.set(each.state.name, declared);
    [each.state, ...declared].forEach(({ name }, i) => {
      const value = written[i];
      if (value === undefined) throw new Error(`the optimizer computes no ${name}`);
      updates.push({ state: name, value });
    });
  }
  return { inputs, host, states, updates, gradNorm, ok };
}

function clipFactor(builder: Builder, norm: Value, clipNorm: number, one: Value): Value {
  const bounded = builder.emit(add, [norm, named(builder, "epsilon", normEpsilon)], {}, { hint: "bounded" });
  const ratio = builder.emit(div, [named(builder, "limit", clipNorm), bounded], {}, { hint: "ratio" });
  return builder.emit(minimum, [one, ratio], {}, { hint: "clip" });
}

const named = (builder: Builder, hint: string, value: number): Value =>
  builder.emit(constant, [], { values: [value], type: f32() }, { hint });

interface StepInputs {
  readonly builder: Builder;
  readonly clip: Value;
  readonly lr: Value;
  readonly ok: Value;
  hostScalar(name: string, hint: string, rule?: HostRule): Value;
}

/** The state that one parameter's update keeps, and the values that replace the parameter and that state, in this order. */
interface StepResult {
  readonly declared: readonly StateDeclaration[];
  readonly written: readonly Value[];
}

function stepOf(spec: OptimizerSpec, { builder, clip, lr, ok, hostScalar }: StepInputs): (each: Trained) => StepResult {
  const moment = (state: StateDeclaration, suffix: string): StateDeclaration => ({
    name: `${state.name}#${suffix}`,
    type: state.type,
    role: "optimizer",
    init: "zeros",
    decay: false,
  });
  const read = ({ name, type }: StateDeclaration, hint: string): Value => builder.emit(stateRead, [], { name, type }, { hint });
  const ofState = (state: StateDeclaration) => ({
    decay: state.decay ? spec.decay : 0,
    ...(state.rate === undefined ? {} : { rate: state.rate }),
  });
  switch (spec.kind) {
    case "adamw": {
      const { beta1, beta2, eps } = spec;
      const c1 = hostScalar("adamw.correction1", "c1", { bias_correction: { beta: beta1 } });
      const c2 = hostScalar("adamw.correction2", "c2", { bias_correction: { beta: beta2 } });
      return ({ state, weight, gradient }) => {
        const declared = [moment(state, "adamw.m"), moment(state, "adamw.v")] as const;
        const [m, v] = [read(declared[0], "m"), read(declared[1], "v")];
        const hints = [`${weight.hint}_next`, "m_next", "v_next"];
        const written = builder.emit(
          adamw,
          [weight, m, v, gradient, clip, lr, c1, c2, ok],
          { beta1, beta2, eps, ...ofState(state) },
          { hints },
        );
        return { declared, written };
      };
    }
    case "sgd": {
      const { momentum } = spec;
      return ({ state, weight, gradient }) => {
        const attrs = ofState(state);
        const hint = `${weight.hint}_next`;
        if (momentum === 0) return { declared: [], written: [builder.emit(sgd, [weight, gradient, clip, lr, ok], attrs, { hint })] };
        const velocity = moment(state, "sgd.velocity");
        const operands = [weight, read(velocity, "velocity"), gradient, clip, lr, ok] as const;
        return {
          declared: [velocity],
          written: builder.emit(sgdMomentum, operands, { momentum, ...attrs }, { hints: [hint, "velocity_next"] }),
        };
      };
    }
    default:
      return spec satisfies never;
  }
}
