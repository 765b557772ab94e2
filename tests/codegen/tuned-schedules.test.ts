// Tables of measured schedules: keys, the file's text and what is refused in it, lookup with the rules behind it, hashes.
import { describe, expect, test } from "vitest";
import { keyOf, printKey } from "../../compiler/codegen/schedule-key.ts";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { schedulesFrom, shippedSchedules, shippedTables } from "../../compiler/codegen/tuned-schedules.ts";
import { parseTable, printTable, type TunedTable } from "../../compiler/codegen/tuned-table.ts";
import { compileModule } from "../../compiler/index.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { PointwiseProblem, Problem, Schedule } from "../../ir/plan.ts";
import { load, plus, times, variable } from "../../ir/scalar.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { at, dotProblem, loadF32, mask, packed, questRows, reduceProblem, storeF32, targetOf } from "./support/problems.ts";

const lavapipe = targetOf("fixed", 8, "lavapipe");
const swiftshader = targetOf("fixed", 4, "swiftshader");

const tableOf = (...entries: readonly (readonly [Problem, Schedule])[]): TunedTable => ({
  adapter: { class: "lavapipe", subgroups: "fixed", subgroupSize: 8, name: "llvmpipe", driver: "Mesa 25" },
  entries: entries.map(([problem, schedule]) => ({ ...keyOf(problem), schedule })),
});

const doubled = (n: number): PointwiseProblem => {
  const x = loadF32(0, variable("c0", n));
  return { kind: "pointwise", shape: [n], stores: [storeF32(1, variable("c0", n), plus(x, x))] };
};

describe("keys", () => {
  const key = (problem: Problem) => printKey(keyOf(problem));

  test("are readable", () => {
    expect(key(dotProblem(1024, 768, 256))).toBe("dot z0 m10 n10 k8 | nn a:f32 b:f32 out:f32 sites:1");
    expect(key(reduceProblem(64, 1024, "inner", "sum"))).toBe("reduce o6 r10 | sum along:reduced in:f32 out:f32");
    expect(key(questRows(512, 128, 128, 4))).toBe("rows r9 c7 | block:128 mean_square in:f32 out:q4,b1 rows:f32");
    expect(key(doubled(4096))).toBe("pointwise e12 | in:f32 out:f32");
  });

  test("sizes close to each other share one, sizes that load otherwise do not", () => {
    expect(key(dotProblem(1000, 760, 256))).toBe(key(dotProblem(1024, 768, 256)));
    expect(key(dotProblem(512, 768, 256))).not.toBe(key(dotProblem(1024, 768, 256)));
    expect(key(dotProblem(1000, 766, 256))).not.toBe(key(dotProblem(1024, 768, 256)));
    expect(key(doubled(4096))).not.toBe(key(doubled(4097)));
  });

  test("layouts, packed operands and computed sides are told apart", () => {
    const layouts = [false, true].flatMap((aByK) => [false, true].map((bByK) => key(dotProblem(64, 64, 64, { aByK, bByK }))));
    expect(new Set(layouts).size).toBe(4);
    const codes = (bits: number): Problem =>
      dotProblem(64, 64, 64, {
        element: (side, row, column, columns) =>
          side === "a" ? loadF32(0, at(row, column, columns)) : times(load("f32", 1, packed(bits, 64), column, row), loadF32(3, row)),
      });
    expect(key(codes(4))).toContain("b:f32,q4 computed");
    expect(key(codes(4))).not.toBe(key(codes(2)));
    expect(key(questRows(64, 128, 128, 3, { layout: "planes" }))).toContain("q3 planes");
    expect(mask(8).signed).toBe(false);
  });
});

describe("the file", () => {
  const table = tableOf(
    [dotProblem(64, 64, 64), { kind: "dot", frame: "tile", rows: 4, workgroup: [8, 2] }],
    [doubled(4096), { kind: "pointwise", width: 4, perLane: 2, workgroup: 64 }],
  );
  const text = printTable(table);

  test("reads back as it was written, in the order of keys", () => {
    const read = unwrap(parseTable(text, "mine.json"));
    expect(printTable(read)).toBe(text);
    expect(read.adapter).toEqual(table.adapter);
    expect(read.entries).toHaveLength(2);
    expect(printTable({ ...table, entries: table.entries.toReversed() })).toBe(text);
    expect(unwrap(parseTable(printTable({ ...table, entries: [] }), "mine.json")).entries).toEqual([]);
  });

  test.each([
    ["{", "it is not JSON"],
    ["[]", "must be an object"],
    [text.replace("bitloom-schedules", "bitloom-artifact"), '`format` must be "bitloom-schedules"'],
    [text.replace('"version": 1', '"version": 2'), "`version` must be 1"],
    [text.replace('"subgroups": "fixed"', '"subgroups": "wide"'), '`adapter.subgroups` must be "forced"'],
    [text.replace('"family":"dot"', '"family":"conv"'), "`entries[0].family` must be"],
    [text.replace("frame = tile", "frame = tiles"), "`entries[0].schedule`"],
    [text.replace("rows = 4, ", ""), "`entries[0].schedule`"],
    [text.replace("rows = 4, ", "rows = 70000, "), "`entries[0].schedule`: 70000 is more than 65536"],
    [text.replace("workgroup = [8, 2]", "workgroup = [8, 2]} {"), "`entries[0].schedule`"],
    [text.replace('"pointwise","shape":"e12"', '"pointwise","size":"e12"'), "`entries[1].size` is no field that is known"],
    [text.replace(/(\n {4}\{"family":"pointwise".*)\n/, "$1,$1\n"), "`entries[2]` has the key of an entry before it"],
    [text.slice(0, -20), "it is not JSON"],
  ])("refuses what is damaged %#", (damaged, message) => {
    expect(damaged).not.toBe(text);
    const { value, diagnostics } = parseTable(damaged, "mine.json");
    expect(value).toBeUndefined();
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toMatchObject({ severity: "error", code: "bad-schedules" });
    expect(diagnostics[0]?.message).toContain("`mine.json` is no table of schedules: ");
    expect(diagnostics[0]?.message).toContain(message);
  });
});

describe("lookup", () => {
  const problem = dotProblem(1024, 768, 256);
  const tuned: Schedule = { kind: "dot", frame: "broadcast", rows: 1 };

  test("what was measured comes first, on the adapter that it was measured on", () => {
    const { choose } = schedulesFrom([tableOf([problem, tuned])]);
    expect(choose(problem, lavapipe)).toEqual(tuned);
    expect(choose(dotProblem(1000, 800, 256), lavapipe)).toEqual(tuned);
    expect(choose(problem, swiftshader)).toEqual(chooseSchedule(problem, swiftshader));
    expect(choose(problem, targetOf("any", 8, "lavapipe"))).toEqual(chooseSchedule(problem, targetOf("any", 8, "lavapipe")));
    expect(choose(dotProblem(64, 64, 64), lavapipe)).toEqual(chooseSchedule(dotProblem(64, 64, 64), lavapipe));
  });

  test("what does not fit falls back, to the next table and then to the rules", () => {
    const refused: Schedule = { kind: "dot", frame: "broadcast", rows: 64 };
    expect(schedulesFrom([tableOf([problem, refused])]).choose(problem, lavapipe)).toEqual(chooseSchedule(problem, lavapipe));
    expect(schedulesFrom([tableOf([problem, refused]), tableOf([problem, tuned])]).choose(problem, lavapipe)).toEqual(tuned);
    const width = { kind: "pointwise", width: 3, perLane: 1, workgroup: 64 } as unknown as Schedule;
    expect(schedulesFrom([tableOf([doubled(4096), width])]).choose(doubled(4096), lavapipe)).toEqual(
      chooseSchedule(doubled(4096), lavapipe),
    );
  });

  test("the hash is of what applies", () => {
    const [none, one, other] = [[], [tableOf([problem, tuned])], [tableOf([problem, { ...tuned, rows: 2 } as Schedule])]].map(
      schedulesFrom,
    );
    expect(none?.hash([lavapipe])).toMatch(/^sha256-[0-9a-f]{64}$/);
    expect(one?.hash([lavapipe])).not.toBe(none?.hash([lavapipe]));
    expect(one?.hash([lavapipe])).not.toBe(other?.hash([lavapipe]));
    expect(one?.hash([swiftshader])).toBe(none?.hash([swiftshader]));
  });

  test("the shipped tables are for the drivers that were measured", () => {
    expect(shippedTables.map(({ adapter }) => adapter.class)).toEqual(["lavapipe", "swiftshader"]);
    for (const table of shippedTables)
      expect(unwrap(parseTable(printTable(table), "shipped.json"))).toEqual({ ...table, entries: table.entries });
    expect(shippedSchedules.choose(problem, swiftshader).kind).toBe("dot");
  });
});

describe("the compiler's option", () => {
  const text = `loomir 1
form primitive
entry @main(%x: f32[64, 64], %w: f32[64, 64]) -> (y: f32[64, 64]) {
  %y: f32[64, 64] = dot %x, %w {contract = [[1], [0]], batch = [[], []]}
  return %y
}
`;
  const module = unwrap(parseModule({ path: "main.loomir", text }));
  const tuned: Schedule = { kind: "dot", frame: "tile", rows: 2, workgroup: [4, 4] };

  test("decides the plan, and its hash is in the artifact", () => {
    const schedules = schedulesFrom([tableOf([dotProblem(64, 64, 64), tuned])]);
    const chosen: Schedule[] = [];
    const options = {
      targets: [lavapipe],
      portable: false,
      planned: (plan: { readonly entries: readonly { readonly dispatches: readonly { readonly schedule: Schedule }[] }[] }) =>
        chosen.push(...plan.entries.flatMap(({ dispatches }) => dispatches.map(({ schedule }) => schedule))),
    };
    const { manifest } = unwrap(compileModule(module, { ...options, schedules }));
    expect(chosen).toEqual([tuned]);
    expect(manifest.schedules).toBe(schedules.hash([lavapipe]));
    expect(unwrap(compileModule(module, { ...options, schedules: schedulesFrom([]) })).manifest.schedules).not.toBe(manifest.schedules);
  });

  test("a table of another adapter is refused", () => {
    const schedules = schedulesFrom([tableOf([dotProblem(64, 64, 64), tuned])]);
    const { value, diagnostics } = compileModule(module, { targets: [swiftshader], schedules });
    expect(value).toBeUndefined();
    expect(diagnostics).toMatchObject([{ severity: "error", code: "foreign-schedules" }]);
    expect(diagnostics[0]?.message).toBe("the schedules are for lavapipe with fixed subgroups of 8 (llvmpipe)");
    expect(diagnostics[0]?.help?.[0]).toContain("swiftshader-fixed-4, with fixed subgroups of 4 and portable, without subgroups");
  });
});
