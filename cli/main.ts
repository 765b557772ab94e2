#!/usr/bin/env node
// The command line's entry: runs one command and turns what it throws into words and an exit code.
import { run } from "./run.ts";

process.exitCode = await run(process.argv.slice(2));
