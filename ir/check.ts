// Checks of what stands in JSON files against the types that the code relies on: files come from anywhere, and may be changed or damaged.
import { reject } from "./diagnostic.ts";
import { suggest } from "./nearest.ts";

/** Answers the value itself as a `T`, or throws a Rejection that names its place (`targets[0].slabs[1].bytes`) and says what must stand there. */
export type Check<T> = (value: unknown, at: string) => T;

const wrong = (at: string, wanted: string, value: unknown): never =>
  reject(`${at === "" ? "it" : `\`${at}\``} must be ${wanted}, not ${shown(value)}`);

/** As JSON, shortened for messages. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

export const text: Check<string> = (value, at) => (typeof value === "string" ? value : wrong(at, "a text", value));
export const flag: Check<boolean> = (value, at) => (typeof value === "boolean" ? value : wrong(at, "true or false", value));
export const finite: Check<number> = (value, at) =>
  typeof value === "number" && Number.isFinite(value) ? value : wrong(at, "a finite number", value);

/** A whole number with its bounds, both included. */
export const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check<number> =>
  (value, at) => {
    if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    return wrong(at, most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`, value);
  };

export const oneOf =
  <const T extends string | number>(...known: readonly T[]): Check<T> =>
  (value, at) =>
    known.find((one) => one === value) ?? wrong(at, known.map((one) => JSON.stringify(one)).join(" or "), value);

export const listOf =
  <T>(item: Check<T>): Check<readonly T[]> =>
  (value, at) => {
    if (!Array.isArray(value)) return wrong(at, "a list", value);
    for (const [i, one] of value.entries()) item(one, `${at}[${i}]`);
    return value;
  };

export const tupleOf =
  <T extends readonly unknown[]>(...items: { readonly [I in keyof T]: Check<T[I]> }): Check<T> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length !== items.length) return wrong(at, `a list of ${items.length}`, value);
    for (const [i, item] of items.entries()) item(value[i], `${at}[${i}]`);
    return value as unknown as T;
  };

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Values of one kind by names of their own. */
export const recordOf =
  <T>(item: Check<T>): Check<Readonly<Record<string, T>>> =>
  (value, at) => {
    if (!isRecord(value)) return wrong(at, "an object", value);
    for (const [name, one] of Object.entries(value)) item(one, place(at, name));
    return value as Readonly<Record<string, T>>;
  };

/** A field that may be left out. */
interface Optional<T> {
  readonly optional: Check<T>;
}
export const optional = <T>(check: Check<T>): Optional<T> => ({ optional: check });

/** A check for each field of a type, so that a field that is added to the type must be checked too. */
type Fields<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? Optional<Exclude<T[K], undefined>> : Check<T[K]>;
};

/** An object of exactly these fields. */
export const objectOf =
  <T extends object>(fields: Fields<T>): Check<T> =>
  (value, at) => {
    if (!isRecord(value)) return wrong(at, "an object", value);
    const known = new Map(Object.entries<Check<unknown> | Optional<unknown>>(fields));
    const unknown = Object.keys(value).find((name) => !known.has(name));
    if (unknown !== undefined) return reject(`\`${place(at, unknown)}\` is no field that is known`, suggest(unknown, known.keys()));
    for (const [name, check] of known) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      if (typeof check === "function") check(given, place(at, name));
      else if (given !== undefined) check.optional(given, place(at, name));
    }
    return value as T;
  };

/** A union of objects of one field each, told apart by its name: `{ "constant": ... }` or `{ "normal": ... }`. */
export const keyed =
  <T extends object>(cases: { readonly [K in KeyOf<T>]: Check<Extract<T, Readonly<Record<K, unknown>>>[K]> }): Check<T> =>
  (value, at) => {
    const [name = "", ...more] = isRecord(value) ? Object.keys(value) : [];
    const check = Object.hasOwn(cases, name) ? (cases as Readonly<Record<string, Check<unknown>>>)[name] : undefined;
    if (!isRecord(value) || check === undefined || more.length > 0)
      return wrong(at, `an object with one of ${Object.keys(cases).join(", ")}`, value);
    check(value[name], place(at, name));
    return value as T;
  };
type KeyOf<T> = T extends unknown ? keyof T : never;

const place = (at: string, name: string): string => {
  if (!/^\w+$/.test(name)) return `${at}[${JSON.stringify(name)}]`;
  return at === "" ? name : `${at}.${name}`;
};
