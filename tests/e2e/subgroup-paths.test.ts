// The digits model on every way in which kernels may use subgroups: each right against the interpreter, or refused; never silently wrong.
import { afterAll, describe, expect, test } from "vitest";
import { targetFor } from "../../compiler/driver/targets.ts";
import type { SubgroupPath, Target } from "../../ir/plan.ts";
import type { Device } from "../../runtime/device.ts";
import { probeSubgroups, subgroupsAllow } from "../../runtime/probe.ts";
import type { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { openSession, targetOn } from "../support/backends.ts";
import { digitSteps, smallModel } from "../support/digits.ts";
import { digitsStep } from "../support/step-twin.ts";
import { expectStepsOfInterpreter } from "../support/teacher-forced.ts";

/** 4 bits everywhere; float and 1 bit too where no subgroups are, which is what the portable target does (the best path has its own test). */
const policies: Readonly<Record<SubgroupPath, readonly string[]>> = {
  forced: ["quest_w4a4"],
  fixed: ["quest_w4a4"],
  any: ["quest_w4a4"],
  none: ["quest_w4a4", "float", "quest_w1a1"],
};
const paths = Object.keys(policies) as readonly SubgroupPath[];
/** The second begins on weights that the adapter has updated. */
const steps = 2;

const kernelTexts = ({ artifact }: Session): string => [...artifact.files.values()].join("\n");

/** What the kernels say of the path that they were compiled for. */
function expectKernelsOf(path: SubgroupPath, size: number, session: Session): void {
  const { requires } = session.target;
  const text = kernelTexts(session);
  expect(requires.subgroups).toBe(path === "none" ? undefined : path);
  expect(requires.subgroupSize).toBe(path === "none" ? undefined : size);
  expect(requires.features.includes("subgroups")).toBe(path !== "none");
  expect(requires.features.includes("subgroup-size-control")).toBe(path === "forced");
  expect(/subgroup/.test(text)).toBe(path !== "none");
  expect(text.includes(`@subgroup_size(${size})`)).toBe(path === "forced");
}

describe.each(await availableAdapters())("$name", (adapter) => {
  const open: Device[] = [];
  afterAll(() => {
    for (const device of open) device.dispose();
  });
  const { subgroupMinSize: size, features } = adapter.description;
  /** A device that has no other way. */
  const deviceOf = async (path: SubgroupPath) => {
    const device = await adapter.open({ subgroups: path });
    open.push(device);
    return device;
  };
  const supported = (path: SubgroupPath) =>
    path === "none" || (features.includes("subgroups") && (path !== "forced" || features.includes("subgroup-size-control")));

  describe.each(paths.filter(supported))("%s", (path) => {
    const device = deviceOf(path);

    test.each(policies[path])("%s equals the interpreter", async (policy) => {
      const twin = digitsStep(policy, smallModel);
      using session = await openSession(twin.observed, await device, {}, await targetOn(await device, path));
      expectKernelsOf(path, size, session);
      await session.initialise(1);
      await expectStepsOfInterpreter(twin, session, steps, await digitSteps(twin.observed));
    });
  });

  describe("another size than the adapter's", () => {
    const device = adapter.open();
    afterAll(async () => (await device).dispose());
    const wrong = (["forced", "fixed", "any"] as const).flatMap((path) => [size / 2, size * 2].map((other) => [path, other] as const));

    test.each(wrong)("%s subgroups of %i are refused, or right", async (path, other) => {
      const twin = digitsStep("quest_w4a4", smallModel);
      const target: Target = targetFor((await device).adapter, { path, size: other });
      const opened = openSession(twin.observed, await device, {}, target);
      if (subgroupsAllow(await probeSubgroups(await device), path, other)) {
        using session = await opened;
        expectKernelsOf(path, other, session);
        await session.initialise(1);
        await expectStepsOfInterpreter(twin, session, steps, await digitSteps(twin.observed));
      } else {
        await expect(opened).rejects.toThrow(`error[no-target]: no target of the artifact runs on ${adapter.name}`);
        await expect(opened).rejects.toThrow(`needs ${path} subgroups of ${other}; ${adapter.name} offers `);
        await expect(opened).rejects.toThrow("help: compile for this adapter, or with the target `portable`");
      }
    });
  });
});
