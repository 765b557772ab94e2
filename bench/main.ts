// The entry of `npm run bench`.
import { runBench } from "./program.ts";

process.exitCode = await runBench(process.argv.slice(2));
