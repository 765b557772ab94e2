// A chart as data: what every plot is made of, whether it becomes SVG or text.

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Ends of an interval around y, both or none. */
  readonly low?: number;
  readonly high?: number;
}

export interface Series {
  readonly name: string;
  /** In order of x. */
  readonly points: readonly Point[];
  /** A line without marks for what is dense, marks joined by a line for what is sparse. */
  readonly mark: "line" | "points";
}

export interface Axis {
  readonly label: string;
  /** A logarithmic axis takes values above 0 alone. */
  readonly scale: "linear" | "log";
}

export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** Smallest and largest value; a range of no length is widened so that there is something to draw. */
export function rangeOf(values: readonly number[]): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low < high ? [low, high] : [low - (Math.abs(low) || 1) / 2, low + (Math.abs(low) || 1) / 2];
}
