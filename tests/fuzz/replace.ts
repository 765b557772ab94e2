// JSON with each of its parts in turn left out, or replaced by something strange.

const strange: readonly unknown[] = [
  undefined,
  null,
  true,
  "",
  "x",
  "constructor",
  -1,
  0,
  0.5,
  2,
  2 ** 32,
  2 ** 53,
  1e308,
  [],
  [1],
  {},
  { x: 1 },
];

/** Every such value. Of lists the first and the last item are tried. */
export function* replaced(whole: unknown): Generator<unknown> {
  yield* strange;
  if (typeof whole !== "object" || whole === null) return;
  const keys = Object.keys(whole);
  const tried = Array.isArray(whole) ? [...new Set([...keys.slice(0, 1), ...keys.slice(-1)])] : keys;
  for (const key of tried) {
    const copy = (value: unknown) => (Array.isArray(whole) ? whole.with(Number(key), value) : { ...whole, [key]: value });
    for (const value of replaced((whole as Record<string, unknown>)[key])) yield copy(value);
  }
}
