// Help for a name that is not known: the nearest one, or what there is.
import { didYouMean } from "../../ir/nearest.ts";

const longestList = 12;

/** `did you mean \`weight\`?`, or a list of the names where none is near and they are few. */
export function suggest(name: string, known: Iterable<string>): readonly string[] {
  const names = [...new Set(known)].filter((n) => n !== "");
  const near = didYouMean(name, names);
  if (near.length > 0 || names.length === 0 || names.length > longestList) return near;
  return [`there ${names.length === 1 ? "is" : "are"} ${names.map((n) => `\`${n}\``).join(", ")}`];
}
