#!/usr/bin/env node
// The command line's entry: runs one command and turns what it throws into words and an exit code.
import { run } from "./run.ts";

// A reader that has seen enough (`| head`) closes the pipe. That is no error: the command does its work, and nobody reads the rest.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (problem: NodeJS.ErrnoException) => {
    if (problem.code !== "EPIPE") throw problem;
  });
}

process.exitCode = await run(process.argv.slice(2));
