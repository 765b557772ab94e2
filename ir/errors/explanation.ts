// What is said about a diagnostic code beyond the message: the shape of an entry in the table of codes.

/** A text that earns exactly the code, and the same text put right. Tests compile both. */
export interface Example {
  /** A model file, IR text, or a command. */
  readonly language: "loom" | "loomir" | "sh";
  readonly wrong: string;
  readonly right: string;
  /** What stands before both texts and is not worth showing: the model that a recipe is for. */
  readonly context?: string;
}

export interface Explanation {
  /** What the code says, in one sentence. */
  readonly meaning: string;
  /** How it comes about and what mends it. */
  readonly text: string;
  /** Left out where no short text can show it: a missing file, a lost device. */
  readonly example?: Example;
}

/** A table of one area. Keeps the codes as literal types, which together are the union that diagnostics take. */
export const explain = <Code extends string>(entries: Readonly<Record<Code, Explanation>>): Readonly<Record<Code, Explanation>> => entries;

export const loom = (wrong: string, right: string, context?: string): Example => ({
  language: "loom",
  wrong: dedent(wrong),
  right: dedent(right),
  ...(context === undefined ? {} : { context }),
});
export const loomir = (wrong: string, right: string): Example => ({ language: "loomir", wrong: dedent(wrong), right: dedent(right) });
export const sh = (wrong: string, right: string): Example => ({ language: "sh", wrong: `${wrong}\n`, right: `${right}\n` });

/** Texts stand indented in the tables: take the first line's indentation off every line, and the empty lines at both ends. */
export function dedent(text: string): string {
  const lines = text.replace(/^\n/, "").trimEnd().split("\n");
  const margin = /^ */.exec(lines[0] ?? "")?.[0].length ?? 0;
  return `${lines.map((line) => line.slice(margin)).join("\n")}\n`;
}
