// The neighbours of a contraction's schedule, for all of its frames.
import type { CodeDepth, Schedule } from "../../ir/plan.ts";
import { halfAndDouble, neighboursAmong } from "./schedule-steps.ts";

type DotSchedule = Extract<Schedule, { kind: "dot" }>;

const steps = neighboursAmong<DotSchedule>({
  broadcast: {
    start: { kind: "dot", frame: "broadcast", rows: 2 },
    steps: (schedule) => [...halfAndDouble(schedule.rows).map((rows) => ({ ...schedule, rows })), ...otherDepths(schedule)],
  },
  tile: {
    start: { kind: "dot", frame: "tile", rows: 4, workgroup: [8, 1] },
    steps: (schedule) => {
      const [x, y] = schedule.workgroup;
      return [
        ...halfAndDouble(schedule.rows).map((rows) => ({ ...schedule, rows })),
        ...halfAndDouble(x).map((lanes) => ({ ...schedule, workgroup: [lanes, y] as const })),
        ...halfAndDouble(y).map((lanes) => ({ ...schedule, workgroup: [x, lanes] as const })),
        ...otherDepths(schedule),
      ];
    },
  },
});

/** Contractions of codes keep a depth in every frame. */
export const neighboursOfDot = (schedule: DotSchedule): readonly DotSchedule[] => {
  const { depth } = schedule;
  return depth === undefined ? steps(schedule) : steps(schedule).map((next) => ({ depth, ...next }));
};

const depths: readonly CodeDepth[] = [1, 2, 4];

const otherDepths = <S extends DotSchedule>(schedule: S): readonly S[] =>
  schedule.depth === undefined ? [] : depths.filter((depth) => depth !== schedule.depth).map((depth) => ({ ...schedule, depth }));
