// Charts as text for terminals: a grid of characters, one mark a series, ticks at round numbers.
import { type Axis, type Chart, type Point, rangeOf, type Series } from "./chart.ts";

export interface TerminalSize {
  /** Characters, axis labels included. */
  readonly columns: number;
  /** Lines of the drawing, without axis, title and legend. */
  readonly rows: number;
}

export const defaultTerminalSize: TerminalSize = { columns: 80, rows: 20 };

const marks = "ox+*#@%&=~^$abcdefghijklmnpqrstuvwyz";

/** Lines of a chart. `paint` may colour the marks of a series, by its index. */
export function renderTerminal(
  { title, x, y, series }: Chart,
  size: TerminalSize = defaultTerminalSize,
  paint: (series: number, text: string) => string = (_, text) => text,
): readonly string[] {
  const points = series.flatMap((one) => one.points);
  if (points.length === 0) return [title, "(nothing to draw)"];
  const yTicks = ticksOf(y, rangeOf(points.flatMap(({ y: at, low = at, high = at }) => [at, low, high])), Math.floor(size.rows / 2.5));
  const margin = Math.max(...yTicks.shown.map(({ label }) => label.length));
  const width = Math.max(10, size.columns - margin - 2);
  const xTicks = ticksOf(x, rangeOf(points.map((point) => point.x)), Math.floor(width / 10));
  const column = (value: number) => Math.round(xTicks.place(value) * (width - 1));
  const row = (value: number) => Math.round((1 - yTicks.place(value)) * (size.rows - 1));

  const cells: (number | undefined)[][] = Array.from({ length: size.rows }, () => Array.from({ length: width }));
  const bars = new Set<string>();
  for (const [i, one] of series.entries()) {
    for (const { x: at, low, high } of one.points) {
      if (low === undefined || high === undefined) continue;
      for (let r = row(high); r <= row(low); r++) {
        bars.add(`${r},${column(at)}`);
        put(cells, r, column(at), i);
      }
    }
  }
  for (const [i, one] of series.entries()) {
    for (const [c, value] of drawn(one, column)) {
      bars.delete(`${row(value)},${c}`);
      put(cells, row(value), c, i);
    }
  }

  const labels = new Map(yTicks.shown.map(({ at, label }) => [row(at), label]));
  const body = cells.map((line, r) => {
    const text = line.map((of, c) => (of === undefined ? " " : paint(of, bars.has(`${r},${c}`) ? "|" : markOf(of)))).join("");
    return `${(labels.get(r) ?? "").padStart(margin)} ${labels.has(r) ? "┤" : "│"}${text}`.trimEnd();
  });
  const legend =
    series.length > 1
      ? wrapped(
          series.map(({ name }, i) => ({ text: `${paint(i, markOf(i))} ${name}`, length: name.length + 2 })),
          size.columns,
        )
      : [];
  const pad = " ".repeat(margin + 2);
  return [
    title,
    `${y.label}`,
    ...body,
    ...xAxis(xTicks, column, width, margin),
    `${pad}${x.label.padStart((width + x.label.length) >> 1)}`,
    ...legend,
  ];
}

const markOf = (series: number): string => marks[series % marks.length] ?? "o";

/** Words joined to lines of at most so many characters; a word's text may hold more than is seen of it. */
function wrapped(words: readonly { readonly text: string; readonly length: number }[], columns: number): readonly string[] {
  const lines: string[] = [];
  let room = 0;
  for (const { text, length } of words) {
    if (room < length + 3) lines.push(text);
    else lines.push(`${lines.pop()}   ${text}`);
    room = (room < length + 3 ? columns : room - 3) - length;
  }
  return lines;
}

/** A later series is drawn over an earlier one. */
function put(cells: (number | undefined)[][], row: number, column: number, series: number): void {
  const line = cells[row];
  if (line !== undefined && column >= 0 && column < line.length) line[column] = series;
}

/** Columns with the value drawn there: the points alone, or of a line every column between its ends. */
function drawn({ points, mark }: Series, column: (x: number) => number): readonly (readonly [number, number])[] {
  if (mark === "points") return points.map(({ x, y }) => [column(x), y] as const);
  return points.flatMap((point, i): (readonly [number, number])[] => {
    const next: Point = points[i + 1] ?? point;
    const [from, to] = [column(point.x), column(next.x)];
    const between = Array.from(
      { length: Math.max(0, to - from) },
      (_, k) => [from + k, point.y + ((next.y - point.y) * k) / (to - from)] as const,
    );
    return to > from ? between : [[from, point.y]];
  });
}

interface Ticks {
  readonly shown: readonly { readonly at: number; readonly label: string }[];
  /** From the range to 0 .. 1. */
  place(value: number): number;
}

function ticksOf({ scale }: Axis, [low, high]: readonly [number, number], most: number): Ticks {
  const to = scale === "log" ? Math.log10 : (value: number) => value;
  const place = (value: number) => (to(value) - to(low)) / (to(high) - to(low));
  const at = scale === "log" ? logTicks(low, high, most) : linearTicks(low, high, most);
  return { place, shown: at.map((value) => ({ at: value, label: shortNumber(value) })) };
}

/** Multiples of 1, 2 or 5 times a power of ten. */
function linearTicks(low: number, high: number, most: number): readonly number[] {
  const rough = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** As many of 1, 2 and 5 times each power of ten as there is room for; of a range that has less than two of those, ticks as on a linear axis. */
function logTicks(low: number, high: number, most: number): readonly number[] {
  const decades = Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1;
  const powers = Array.from({ length: decades }, (_, i) => Math.floor(Math.log10(low)) + i);
  const within = (factors: readonly number[]) =>
    powers.flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`))).filter((at) => at >= low && at <= high);
  const choices = [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5], [1, 2, 5], [1]].map(within);
  const chosen = choices.find((ticks) => ticks.length <= most) ?? choices.at(-1) ?? [];
  return chosen.length < 2 ? linearTicks(low, high, most) : chosen;
}

/** `1200000` as `1.2M`. */
export function shortNumber(value: number): string {
  const [divisor, suffix] = (
    [
      [1e12, "T"],
      [1e9, "G"],
      [1e6, "M"],
      [1e4, "k"],
    ] as const
  ).find(([from]) => Math.abs(value) >= from) ?? [1, ""];
  return `${Number((value / (suffix === "k" ? 1e3 : divisor)).toPrecision(4))}${suffix}`;
}

/** The line and the numbers under it, as many as do not touch. */
function xAxis({ shown }: Ticks, column: (value: number) => number, width: number, margin: number): readonly string[] {
  const line = Array.from({ length: width }, () => "─");
  let labels = "";
  for (const { at, label } of shown) {
    const start = Math.max(0, Math.min(width - label.length, column(at) - (label.length >> 1)));
    if (labels !== "" && start < labels.length + 1) continue;
    line[column(at)] = "┬";
    labels = labels.padEnd(start) + label;
  }
  const pad = " ".repeat(margin + 1);
  return [`${pad}└${line.join("")}`, `${pad} ${labels}`];
}
