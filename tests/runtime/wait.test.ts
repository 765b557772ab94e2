// Waiting: sleeps instead of spinning, serves many waits with one loop, passes results and errors on.
import { describe, expect, it } from "vitest";
import { sleepUntil } from "../../runtime/wait.ts";

const delay = (ms: number) => new Promise<number>((resolve) => setTimeout(resolve, ms, ms));
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

describe("sleepUntil", () => {
  it("gives the value and the error of its promise", async () => {
    expect(await sleepUntil(delay(1))).toBe(1);
    expect(await sleepUntil(Promise.resolve("now"))).toBe("now");
    await expect(sleepUntil(delay(1).then(() => Promise.reject(new Error("no"))))).rejects.toThrow("no");
  });

  it("leaves the processor to others", async () => {
    await delay(20);
    const before = cpuMs();
    const start = performance.now();
    await sleepUntil(delay(300));
    const wall = performance.now() - start;
    // A loop that polls without sleeping takes as much processor time as wall time.
    expect(cpuMs() - before).toBeLessThan(0.5 * wall);
  });

  it("is not slower for many waits at once", async () => {
    // The best of three: other processes may take the core. Sleeps that add up cost 200 ms and more.
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const start = performance.now();
      await Promise.all(Array.from({ length: 200 }, () => sleepUntil(delay(30))));
      times.push(performance.now() - start);
    }
    expect(Math.min(...times)).toBeLessThan(120);
  });

  it("lets timers run", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await sleepUntil(delay(200));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  });
});
