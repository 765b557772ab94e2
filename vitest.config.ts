// Test runner settings: processes, not threads, because Dawn crashes in worker threads.
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: "forks",
    // By default one less than there are cores; drivers and the compiler seldom use two at once.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    include: ["tests/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
