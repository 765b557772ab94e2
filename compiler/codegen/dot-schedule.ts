// The neighbours of a contraction's schedule, for all of its frames.
import type { Schedule } from "../../ir/plan.ts";
import { halfAndDouble, neighboursAmong } from "./schedule-steps.ts";

export const neighboursOfDot = neighboursAmong<Extract<Schedule, { kind: "dot" }>>({
  broadcast: {
    start: { kind: "dot", frame: "broadcast", rows: 2 },
    steps: (schedule) => halfAndDouble(schedule.rows).map((rows) => ({ ...schedule, rows })),
  },
  tile: {
    start: { kind: "dot", frame: "tile", rows: 4, workgroup: [8, 1] },
    steps: (schedule) => {
      const [x, y] = schedule.workgroup;
      return [
        ...halfAndDouble(schedule.rows).map((rows) => ({ ...schedule, rows })),
        ...halfAndDouble(x).map((lanes) => ({ ...schedule, workgroup: [lanes, y] as const })),
        ...halfAndDouble(y).map((lanes) => ({ ...schedule, workgroup: [x, lanes] as const })),
      ];
    },
  },
});
