// `bitloom ir --diff`: what each pass changed, as hunks with the changed lines under the names that values keep throughout.
import { describeStep } from "../compiler/index.ts";
import { type DiffHunk, diffModules, LastingNames } from "../ir/text/diff-modules.ts";
import type { DiffLine } from "../ir/text/line-diff.ts";
import type { PrintOptions } from "../ir/text/print.ts";
import type { Dump } from "./ir-dumps.ts";
import type { Output } from "./output.ts";

/** Tell the differences between neighbouring dumps; the first is the module as it came in. */
export function tellDiff(dumps: readonly Dump[], options: Pick<PrintOptions, "only" | "locations">, output: Output): void {
  const names = new LastingNames();
  const changes: object[] = [];
  for (const [i, { module, step }] of dumps.entries()) {
    const before = dumps[i - 1]?.module;
    if (step === undefined || before === undefined) continue;
    const hunks = diffModules(before, module, names, options);
    const lines = hunks.flatMap((hunk) => hunk.lines);
    const count = (kind: DiffLine["kind"]) => lines.filter((line) => line.kind === kind).length;
    const [added, removed] = [count("added"), count("removed")];
    changes.push({ ...step, added, removed, diff: hunks.flatMap(hunkLines).map((line) => line.text) });
    if (lines.length === 0) continue;
    output.say(output.paint("bold", `${String(step.place).padStart(2, "0")} ${describeStep(step)}   (+${added} -${removed} lines)`));
    for (const { text, tone } of hunks.flatMap(hunkLines)) output.say(tone === undefined ? text : output.paint(tone, text));
    output.say("");
  }
  output.result({ changes });
}

interface ShownLine {
  readonly text: string;
  readonly tone?: "red" | "green" | "cyan";
}

function hunkLines({ section, lines }: DiffHunk): readonly ShownLine[] {
  return [
    { text: `@@ ${section === "" ? "declarations" : section} @@`, tone: "cyan" },
    ...lines.map(({ kind, text }): ShownLine => {
      switch (kind) {
        case "same":
          return { text: ` ${text}` };
        case "removed":
          return { text: `-${text}`, tone: "red" };
        case "added":
          return { text: `+${text}`, tone: "green" };
        default:
          return kind satisfies never;
      }
    }),
  ];
}
