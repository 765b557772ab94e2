// What a subtest of the file-test runner is.
import type { Diagnostic } from "../../../ir/diagnostic.ts";
import type { Source } from "../../../ir/source.ts";

/** What a case gives: text to compare with the file's expectation, and problems to compare with its `// error` comments. */
export interface Outcome {
  readonly output?: string;
  readonly diagnostics: readonly Diagnostic[];
}

/** `// test NAME ARGUMENT` on a file's first line picks one. */
export interface Subtest {
  readonly name: string;
  /** Without a `// ----` part the output is expected to be the input itself, without its comments. */
  readonly roundTrip?: boolean;
  run(input: Source, argument: string): Outcome;
}
