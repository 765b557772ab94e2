#!/usr/bin/env node
// The command line's entry: runs one command and turns what it throws into words and an exit code.
import { run } from "./run.ts";

// A pipe or a terminal that is closed takes no more words, which is no reason to lose a run.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (problem: NodeJS.ErrnoException) => {
    if (problem.code !== "EPIPE" && problem.code !== "EIO") throw problem;
  });
}

process.exitCode = await run(process.argv.slice(2));
