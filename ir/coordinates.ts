// Coordinates of row-major element numbers, as leaves of scalar expressions.
import type { Leaves } from "./evaluate-scalar.ts";
import { elementCount } from "./type.ts";

/** Variables `names[axis]`: the coordinate along each axis of `shape` of element 0, 1, 2, ... */
export function coordinateLeaves(names: readonly string[], shape: readonly number[]): NonNullable<Leaves["variables"]> {
  const leaf = (axis: number) => {
    const size = shape[axis] ?? 1;
    const run = elementCount(shape.slice(axis + 1));
    return (start: number, into: { [index: number]: number; readonly length: number }) => {
      let coordinate = Math.floor(start / run) % size;
      let left = run - (start % run);
      for (let i = 0; i < into.length; i++) {
        into[i] = coordinate;
        left--;
        if (left === 0) {
          left = run;
          coordinate = coordinate + 1 === size ? 0 : coordinate + 1;
        }
      }
    };
  };
  return Object.fromEntries(names.map((name, axis) => [name, leaf(axis)]));
}

/** `c0`, `c1`, ... for each axis. */
export const axisNames = (prefix: string, shape: readonly number[]): readonly string[] => shape.map((_, axis) => `${prefix}${axis}`);
