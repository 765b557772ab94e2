// Initial values of state: which distribution, as data. The runtime draws them on the CPU from a seed and the state's name.

export type InitRule =
  | "zeros"
  | "ones"
  | { readonly constant: number }
  | { readonly normal: readonly [mean: number, deviation: number] }
  | { readonly uniform: readonly [low: number, high: number] };

/** As it stands in IR text and in the language: `normal(0.0, 0.02)`. */
export function initName(rule: InitRule): { readonly name: string; readonly args: readonly number[] } {
  if (rule === "zeros" || rule === "ones") return { name: rule, args: [] };
  if ("constant" in rule) return { name: "constant", args: [rule.constant] };
  if ("normal" in rule) return { name: "normal", args: rule.normal };
  if ("uniform" in rule) return { name: "uniform", args: rule.uniform };
  return rule satisfies never;
}

/** The rule of a name and its arguments, or undefined where there is no such rule. */
export function initFrom(name: string, args: readonly number[]): InitRule | undefined {
  const [a, b] = args;
  switch (name) {
    case "zeros":
    case "ones":
      return args.length === 0 ? name : undefined;
    case "constant":
      return args.length === 1 && a !== undefined ? { constant: a } : undefined;
    case "normal":
    case "uniform":
      if (args.length !== 2 || a === undefined || b === undefined) return undefined;
      return name === "normal" ? { normal: [a, b] } : { uniform: [a, b] };
    default:
      return undefined;
  }
}
