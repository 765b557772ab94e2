// A kernel's text and its immediates: which of the sizes in it are one immediate. Kernels that differ in sizes alone get one text, and so one
// pipeline: two sizes share an immediate only where they are equal in all of them.

export interface KernelOutline {
  /** The title, and what the text enables. */
  readonly head: readonly string[];
  /** Declarations and body, with a {@link sizePlace} wherever a size stands, and the IR value that each line serves. */
  readonly lines: readonly { readonly text: string; readonly serves: string | undefined }[];
  /** By their numbers. */
  readonly sizes: readonly SizeUse[];
}

/** A 32-bit word. `keep`: WGSL has no constant for it. */
export interface SizeUse {
  readonly value: number;
  readonly keep: boolean;
}

export interface PrintedKernel {
  readonly text: string;
  /** Values of the immediates, in their order. */
  readonly immediates: readonly number[];
  /** IR value served by each line (line 1 is element 0); undefined where a line serves none. */
  readonly sourceMap: readonly (string | undefined)[];
}

/** Stands for size number `i`; no WGSL text has it. */
export const sizePlace = (i: number): string => `\u0001${i}\u0002`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: characters that no text has are the point.
const places = /\u0001(\d+)\u0002/g;

/** 64 bytes: what WebGPU promises. */
const maxImmediates = 16;

/** For each size of an outline, the number of its immediate; undefined where it stays a constant. */
export type Slots = readonly (number | undefined)[];

/** Equal values are one immediate, in order of first appearance. Where there are too many, what could be a constant is one. */
export function slotsOfOne({ sizes }: KernelOutline): Slots {
  const found = new Map<number, boolean>();
  for (const { value, keep } of sizes) found.set(value, (found.get(value) ?? false) || keep);
  let room = maxImmediates - [...found.values()].filter((keep) => keep).length;
  const chosen = new Map([...found].filter(([, keep]) => keep || room-- > 0).map(([value], slot) => [value, slot]));
  return sizes.map(({ value }) => chosen.get(value));
}

/** Immediates for outlines of equal lines. Undefined where that takes more than there are. */
export function slotsOfAll(outlines: readonly KernelOutline[]): Slots | undefined {
  const slots = new Map<string, number>();
  const [first] = outlines;
  const chosen = (first?.sizes ?? []).map((_, i) => {
    const values = outlines.map((o) => o.sizes[i]?.value).join();
    const slot = slots.get(values) ?? slots.size;
    slots.set(values, slot);
    return slot;
  });
  return slots.size > maxImmediates ? undefined : chosen;
}

/** What is the same in kernels that may share a text. */
export const outlineKey = ({ head, lines }: KernelOutline): string => [...head, ...lines.map((l) => l.text)].join("\n");

export function fillKernel({ head, lines, sizes }: KernelOutline, slots: Slots): PrintedKernel {
  const immediates: number[] = [];
  const filled = lines.map(({ text }) =>
    text.replaceAll(places, (_, number) => {
      const [size, slot] = [sizes[Number(number)], slots[Number(number)]];
      if (size === undefined) throw new Error("a place without its size");
      if (slot === undefined) return `${size.value}u`;
      immediates[slot] = size.value;
      return `sizes.s${slot}`;
    }),
  );
  const declaration =
    immediates.length === 0
      ? []
      : [
          "requires immediate_address_space;",
          "",
          `struct Sizes { ${immediates.map((_, slot) => `s${slot}: u32`).join(", ")} }`,
          "var<immediate> sizes: Sizes;",
        ];
  const sourceMap = [...[...head, ...declaration].map(() => undefined), ...lines.map((l) => l.serves)];
  return { text: `${[...head, ...declaration, ...filled].join("\n")}\n`, immediates, sourceMap };
}
