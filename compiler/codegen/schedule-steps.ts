// From which families make the neighbours of a schedule: steps along one knob, and ways from frame to frame.

/** One step down and one up of a knob that is a power of two. */
export const halfAndDouble = (n: number): readonly number[] => (n % 2 === 0 ? [n / 2, 2 * n] : [2 * n]);

/** One step down and one up of a knob that takes every whole number from 1 on. */
export const oneLessAndMore = (n: number): readonly number[] => (n > 1 ? [n - 1, n + 1] : [n + 1]);

interface Framed {
  readonly frame: string;
}

/** Of each frame: where a search in it begins, and the schedules one step along each of its knobs. */
export type Frames<S extends Framed> = {
  readonly [F in S["frame"]]: {
    readonly start: Extract<S, { frame: F }>;
    readonly steps: (schedule: Extract<S, { frame: F }>) => readonly Extract<S, { frame: F }>[];
  };
};

/** Neighbours in a family of several frames: the steps within the schedule's frame, and where each of the others begins. */
export const neighboursAmong =
  <S extends Framed>(frames: Frames<S>) =>
  (schedule: S): readonly S[] => {
    const all: readonly { readonly start: S; readonly steps: (schedule: never) => readonly S[] }[] = Object.values(frames);
    return all.flatMap(({ start, steps }) => (start.frame === schedule.frame ? steps(schedule as never) : [start]));
  };
