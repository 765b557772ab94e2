// The sweeps: one size of a training step of the GPT grows, all else stays.

export interface Sweep {
  readonly name: string;
  readonly summary: string;
  readonly points: readonly SweepPoint[];
}

export interface SweepPoint {
  /** The size that grows. */
  readonly size: number;
  /** Parameters of the recipe `gpt` in bench/models/peers.loom. */
  readonly recipe: Readonly<Record<"batch" | "context" | "dim" | "depth", number>>;
}

const base = { batch: 8, context: 128, dim: 128, depth: 4 } as const;
/** Tokens of a step in the sweep of the length: as many at every point, so that a step's time is the time of a token. */
const tokens = 2048;

const grow = (sizes: readonly number[], recipe: (size: number) => Partial<SweepPoint["recipe"]>): readonly SweepPoint[] =>
  sizes.map((size) => ({ size, recipe: { ...base, ...recipe(size) } }));

export const sweeps: readonly Sweep[] = [
  { name: "depth", summary: "layers", points: grow([1, 2, 4, 8], (depth) => ({ depth })) },
  { name: "width", summary: "channels", points: grow([64, 128, 256], (dim) => ({ dim })) },
  {
    name: "length",
    summary: `tokens of a text, ${tokens} in a step`,
    points: grow([128, 256, 512, 1024, 2048], (context) => ({ context, batch: tokens / context })),
  },
  { name: "batch", summary: "texts in a step", points: grow([1, 2, 4, 8], (batch) => ({ batch })) },
];
