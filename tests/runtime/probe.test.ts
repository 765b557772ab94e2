// The subgroup probe: every path on every adapter, and a verdict that catches what it is there to catch.
import { describe, expect, it } from "vitest";
import type { SubgroupPath } from "../../ir/artifact.ts";
import { bestSubgroups, judge, probeSubgroups, subgroupsAllow } from "../../runtime/probe.ts";
import { availableAdapters } from "../support/adapters.ts";

for (const adapter of await availableAdapters()) {
  const { subgroupMinSize: min, subgroupMaxSize: max, features } = adapter.description;
  describe.runIf(features.includes("subgroups"))(adapter.name, () => {
    it("is right by default, and remembered", async () => {
      using device = await adapter.open();
      const support = await probeSubgroups(device);
      expect(support.any).toBeLessThanOrEqual(min);
      if (min === max)
        expect(support).toEqual({ forced: features.includes("subgroup-size-control") ? [max] : [], fixed: max, any: max, problems: [] });
      expect(await probeSubgroups(device)).toBe(support);
      device.assertHealthy();
    });

    it.each<[SubgroupPath, object]>([
      ["forced", { fixed: undefined, any: 0 }],
      ["fixed", { forced: [], any: 0 }],
      ["any", { forced: [], fixed: undefined }],
      ["none", { forced: [], fixed: undefined, any: 0 }],
    ])("gives the path `%s` alone when it is forced", async (path, expected) => {
      using device = await adapter.open({ subgroups: path });
      const support = await probeSubgroups(device);
      expect(support).toMatchObject(expected);
      expect(bestSubgroups(support).path).toBe(min === max ? path : bestSubgroups(support).path);
    });

    it("does not allow kernels for half the real size where they would be silently wrong", async () => {
      using device = await adapter.open();
      const support = await probeSubgroups(device);
      expect(subgroupsAllow(support, "fixed", min / 2)).toBe(false);
      if (min === max) expect(subgroupsAllow(support, "forced", min / 2)).toBe(false);
      expect(subgroupsAllow(support, "any", max * 2)).toBe(false);
      expect(subgroupsAllow(support, "none", 1)).toBe(true);
    });
  });
}

describe("the verdict", () => {
  /** What an adapter reports whose subgroups have `real` lanes, for a kernel written for `size`; `lanes` maps a local index to its lane. */
  const report = (size: number, workgroup: number, real: number, lanes: (local: number) => number = (local) => local % real) => {
    const words: number[] = [];
    for (let group = 0; group < 3; group++) {
      for (let local = 0; local < workgroup; local++) {
        const start = local - (local % real);
        const members = Array.from({ length: Math.min(real, workgroup - start) }, (_, i) => start + i);
        const at = (lane: number) => group * 1000 + (members.find((member) => lanes(member) === lane) ?? 0);
        const values = members.map((member) => group * 1000 + member);
        const seen = Array.from({ length: Math.log2(size) }, (_, i) => at(lanes(local) ^ (2 ** i)) * (i + 1));
        words.push(
          real,
          lanes(local),
          members.length,
          values.reduce((a, b) => a + b, 0),
          at(0),
          at(size - 1),
          Math.max(...values),
          seen.reduce((a, b) => a + b, 0),
        );
      }
    }
    return Uint32Array.from(words);
  };

  it("accepts full subgroups in lane order", () => {
    expect(judge(report(8, 8, 8), 8, 8, false)).toBeUndefined();
    expect(judge(report(8, 32, 8), 8, 32, false)).toBeUndefined();
  });

  it("accepts a workgroup smaller than the real subgroup only where one row a workgroup is asked for", () => {
    expect(judge(report(4, 4, 8), 4, 4, true)).toBeUndefined();
    expect(judge(report(4, 4, 8), 4, 4, false)).toBe("subgroup size is 8 at local index 0, not 4");
  });

  it("refuses subgroups of another size", () => {
    expect(judge(report(4, 16, 8), 4, 16, false)).toContain("subgroup size is 8");
    expect(judge(report(8, 8, 4), 8, 8, true)).toContain("subgroup size is 4");
  });

  it("refuses lanes in another order", () => {
    expect(
      judge(
        report(8, 8, 8, (local) => 7 - (local % 8)),
        8,
        8,
        false,
      ),
    ).toBe("lane is 7 at local index 0, not 0");
  });

  it("refuses a wrong reduction, broadcast or shuffle", () => {
    for (const [word, name] of [
      [2, "active lanes"],
      [3, "subgroupAdd"],
      [4, "subgroupBroadcast of lane 0"],
      [5, "subgroupBroadcast of the last lane"],
      [6, "subgroupMax"],
      [7, "subgroupShuffleXor"],
    ] as const) {
      const words = report(8, 32, 8);
      words[8 * 40 + word]! += 1;
      expect(judge(words, 8, 32, false)).toContain(`${name} is`);
    }
  });
});

describe("the best path", () => {
  it("is fixed, then the largest forced size, then any, then none", () => {
    expect(bestSubgroups({ forced: [8], fixed: 8, any: 8, problems: [] })).toEqual({ path: "fixed", size: 8 });
    expect(bestSubgroups({ forced: [8, 16, 32], fixed: undefined, any: 8, problems: [] })).toEqual({ path: "forced", size: 32 });
    expect(bestSubgroups({ forced: [], fixed: undefined, any: 8, problems: [] })).toEqual({ path: "any", size: 8 });
    expect(bestSubgroups({ forced: [], fixed: undefined, any: 0, problems: [] })).toEqual({ path: "none", size: 1 });
  });
});
