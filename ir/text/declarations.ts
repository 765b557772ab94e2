// What the statements above the entries hold in braces and calls: state, training, host scalars, inputs. Printer and parser share it.
import {
  type AttributeKind,
  type AttributeSpec,
  type Attributes,
  bool,
  float,
  int,
  oneOf,
  printAttributes,
  text,
  withDefault,
} from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import type { HostRule } from "../host.ts";
import { type InitRule, initFrom, initName } from "../init.ts";
import { call, floatLiteral, type Literal, printLiteral, word } from "../literal.ts";
import type { InputOrigin, OptimizerSpec, StateDeclaration, TrainingSpec } from "../module.ts";

/** One of several calls with named arguments: `sgd(momentum = 0.9, decay = 0.0)`. Every argument must be given. */
function callKind<N extends string, T>(
  what: string,
  forms: Readonly<Record<N, AttributeSpec>>,
  take: (value: T) => { readonly name: N; readonly args: Attributes },
  make: (name: N, args: Attributes) => T,
): AttributeKind<T> {
  const names = Object.keys(forms) as N[];
  const example = (name: N) => `${name}(${Object.keys(forms[name]).join(", ")})`;
  return {
    describe: what,
    write(value) {
      const { name, args } = take(value);
      return call(name, Object.fromEntries(Object.entries(forms[name]).map(([key, kind]) => [key, kind.write(args[key])])));
    },
    read(literal) {
      const name = literal.kind === "call" ? names.find((n) => n === literal.name) : undefined;
      if (literal.kind !== "call" || name === undefined || literal.positional.length > 0) {
        return reject(`must be ${what}: ${names.map(example).join(" or ")}, got \`${printLiteral(literal)}\``);
      }
      const spec = forms[name];
      const given = new Map(literal.named);
      const unknown = literal.named.find(([key]) => !Object.hasOwn(spec, key));
      if (unknown !== undefined) reject(`has no \`${unknown[0]}\`: it is ${example(name)}`);
      const args = Object.entries(spec).map(([key, kind]) => {
        const value = given.get(key);
        if (value === undefined) return reject(`needs \`${key}\`: it is ${example(name)}`);
        return [key, readNamed(kind, key, value)] as const;
      });
      return make(name, Object.fromEntries(args));
    },
  };
}

/** The kind's own message, begun with the argument that it is about. */
function readNamed(kind: AttributeKind<unknown>, key: string, value: Literal): unknown {
  try {
    return kind.read(value);
  } catch (problem) {
    return reject(`has a \`${key}\` that ${problem instanceof Error ? problem.message : problem}`);
  }
}

type NamesOf<T> = T extends unknown ? keyof T & string : never;

const hostForms: Readonly<Record<NamesOf<HostRule>, AttributeSpec>> = {
  constant: { value: float },
  warmup_cosine: { peak: float, warmup: int, steps: int, floor: float },
  one_cycle: { peak: float, warmup: int, steps: int, start: float, floor: float },
  bias_correction: { beta: float },
};

export const hostRule: AttributeKind<HostRule> = callKind(
  "a host rule",
  hostForms,
  (rule) => {
    const [[name, args] = ["constant", {}]] = Object.entries(rule);
    return { name: name as NamesOf<HostRule>, args };
  },
  (name, args) => ({ [name]: args }) as unknown as HostRule,
);

const optimizerForms: Readonly<Record<OptimizerSpec["kind"], AttributeSpec>> = {
  adamw: { beta1: float, beta2: float, eps: float, decay: float },
  sgd: { momentum: float, decay: float },
};

const optimizer: AttributeKind<OptimizerSpec> = callKind(
  "an optimizer",
  optimizerForms,
  ({ kind, ...args }) => ({ name: kind, args }),
  (kind, args) => ({ kind, ...args }) as unknown as OptimizerSpec,
);

const init: AttributeKind<InitRule> = {
  describe: "an initial value, such as `normal(0.0, 0.02)`",
  write(rule) {
    const { name, args } = initName(rule);
    return args.length === 0 ? word(name) : call(name, {}, args.map(floatLiteral));
  },
  read(literal) {
    const numbers = literal.kind === "call" ? literal.positional.flatMap((l) => (l.kind === "float" ? [l.value] : [])) : [];
    const whole =
      literal.kind === "word" || (literal.kind === "call" && literal.named.length === 0 && numbers.length === literal.positional.length);
    const rule =
      literal.kind === "call" ? initFrom(literal.name, numbers) : literal.kind === "word" ? initFrom(literal.value, []) : undefined;
    if (!whole || rule === undefined) {
      reject(
        `must be zeros, ones, constant(x), normal(mean, deviation) or uniform(low, high), with floats, got \`${printLiteral(literal)}\``,
      );
    }
    return rule;
  },
};

export const stateAttributes = {
  role: oneOf("parameter", "calibration", "optimizer", "gradient", "cache", "codes"),
  init,
  decay: withDefault(bool, false),
  rotation: withDefault(int, 0),
  rate: withDefault(float, 1),
} satisfies AttributeSpec;

/** `clip` stands only where there is clipping, `accumulate` where a step has several micro-batches. */
export const trainingAttributes = { optimizer, clip: optional(float), accumulate: optional(int), rate: text } satisfies AttributeSpec;

/** At most one of the two; none for an input that the caller gives. */
export const inputAttributes = { data: optional(text), host: optional(text) } satisfies AttributeSpec;

export const printStateAttributes = (state: StateDeclaration): readonly string[] =>
  printAttributes(stateAttributes, { rotation: 0, rate: 1, ...state });

export function printTraining({ optimizer: chosen, clipNorm, accumulate, learningRate }: TrainingSpec): readonly string[] {
  return printPresent(trainingAttributes, { optimizer: chosen, clip: clipNorm, accumulate, rate: learningRate });
}

export const printOrigin = (origin: InputOrigin): readonly string[] =>
  origin === "caller" ? [] : printPresent(inputAttributes, { ...origin });

/** May be left out; then it has no value. */
function optional<T>(kind: AttributeKind<T>): AttributeKind<T> & { readonly optional: true } {
  return { ...kind, optional: true };
}

function printPresent(spec: AttributeSpec, values: Attributes): readonly string[] {
  return printAttributes(Object.fromEntries(Object.entries(spec).filter(([name]) => values[name] !== undefined)), values);
}
