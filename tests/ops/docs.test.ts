// docs/ops.md and docs/quantizers.md say what the tables say.
import { expect, test } from "vitest";
import { builtins } from "../../compiler/lower/builtins.ts";
import { isFromResult } from "../../ir/attribute.ts";
import { evaluateScalars } from "../../ir/evaluate-scalar.ts";
import { printLiteral } from "../../ir/literal.ts";
import { forms, type Op, variadicName } from "../../ir/op.ts";
import { ops } from "../../ir/ops/table.ts";
import { decodeCode, isMade } from "../../ir/quant/grid.ts";
import type { Quantizer } from "../../ir/quant/quantizer.ts";
import { pruners, quantizers } from "../../ir/quant/table.ts";
import { float, input } from "../../ir/scalar.ts";
import type { Grid } from "../../ir/type.ts";
import { expectGenerated } from "../support/generated.ts";

const kinds: Readonly<Record<Op["lower"]["kind"], { readonly title: string; readonly says: string }>> = {
  source: { title: "Sources", says: "State, constants and positions: nothing to compute." },
  pointwise: { title: "Pointwise", says: "One scalar body for every element; the reference semantics and the kernels follow from it." },
  view: { title: "Views", says: "The same elements at other places. No kernel of their own: consumers index through them." },
  kernel: { title: "Kernels", says: "A family of kernels with a template." },
  expand: { title: "Composites", says: "Rewritten to other ops by `expand`." },
};

const cell = (text: string): string => text.replaceAll("|", "\\|");
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

function use({ signature }: Op): string {
  const { name, operands, results } = signature;
  const many = variadicName(operands);
  const given = many === undefined ? operands.map((o) => `%${o}`).join(", ") : `%${many}, ...`;
  return `\`${results.map((r) => `%${r}`).join(", ")} = ${name}${given === "" ? "" : ` ${given}`}\``;
}

function attributes({ signature }: Op): string {
  return Object.entries(signature.attrs)
    .map(([name, kind]) => {
      if (isFromResult(kind)) return "the result's type";
      const fallback = "fallback" in kind ? `, else ${printLiteral(kind.write(kind.fallback))}` : "";
      return `\`${name}\`: ${kind.describe}${fallback}`;
    })
    .join("; ");
}

function gradient({ vjp, signature }: Op): string {
  if (vjp === "none") return "none";
  return signature.operands.length === 0 ? "nothing to pass on" : "yes";
}

function notes(op: Op): string {
  const { lower, signature } = op;
  const last = signature.forms.at(-1);
  const family = lower.kind === "kernel" ? [`Family \`${lower.family}\`.`] : [];
  const range = signature.forms.length === forms.length ? [] : [`From \`${signature.forms[0]}\` to \`${last}\`.`];
  return [signature.summary, ...family, ...range].join(" ");
}

test("docs/ops.md", () => {
  const sections = Object.entries(kinds).map(([kind, { title, says }]) => {
    const members = ops.filter((op) => op.lower.kind === kind);
    const rows = members.map((op) => [use(op), attributes(op), gradient(op), notes(op)]);
    return `## ${title}\n\n${says}\n\n${table(["Op", "Attributes", "Gradient", "Meaning"], rows)}\n`;
  });
  const functions = [...builtins].map(([name, { parameters, summary }]) => {
    const given = parameters.map((p) => (p.endsWith("?") ? `[${p.slice(0, -1)}]` : p));
    return [`\`${name}(${given.join(", ")})\``, summary];
  });
  const called = `## Functions of the language\n\nWhat models call; each is one op or a few. Arguments in brackets may be left out.\n\n${table(["Function", "Meaning"], functions)}\n`;
  const text = `# Ops\n\nGenerated from the table of ops (\`ir/ops/table.ts\`); a test compares it. Ops are pure, and nothing broadcasts by itself.\n\n${[...sections, called].join("\n")}`;
  for (const { signature } of ops) expect(text).toContain(` = ${signature.name}`);
  expectGenerated("docs/ops.md", text);
});

/** The levels of a width in steps: what each code decodes to where a step is 1. Levels of more than 4 bits are told by the outermost. */
function levelsOf(grid: Grid, bits: number): string {
  const codes = Float64Array.from({ length: 2 ** bits }, (_, i) => i - 2 ** (bits - 1));
  const decoded = decodeCode({ grid, bits }, input(0, "i32"), float(1));
  const [values] = evaluateScalars([decoded], codes.length, "wide", { inputs: [codes] });
  const levels = [...new Set(Array.from(values ?? []).filter((_, i) => isMade(grid, codes[i] ?? 0)))].sort((a, b) => a - b);
  const text = levels.map((v) => String(Number(v.toPrecision(6))));
  return bits <= 4 ? text.join(" ") : `${text.slice(0, 2).join(" ")} ... ${text.slice(-2).join(" ")}`;
}

/** A row for each width and mask rule that has figures, and one for each width that has none. */
function widthRows({ grid, widths, gaussian }: Quantizer): readonly (readonly string[])[] {
  return widths.flatMap((bits) => {
    const start = [String(bits), levelsOf(grid, bits)];
    const figures = gaussian.filter((f) => f.bits === bits);
    if (figures.length === 0) return [[...start, "", "", ""]];
    return figures.map((f) => [...start, `\`${f.outer}\``, f.error.toPrecision(5), f.masked.toPrecision(5)]);
  });
}

test("docs/quantizers.md", () => {
  const sections = quantizers.map((q) => {
    const rows = Object.entries(q.settings).map(([name, { describe, fallback }]) => [
      `\`${name}\``,
      describe,
      fallback === undefined ? "must be given" : `\`${fallback}\``,
    ]);
    const facts = [
      `- Source: ${q.source}`,
      `- Grid: \`${q.grid}\``,
      `- Scale from ${q.scaleGradient === "none" ? "the row's statistic" : "a statistic of the first tensor"}: \`${q.statistic}\``,
      `- Step: ${q.formula.step}`,
      `- Code: ${q.formula.code}`,
      `- Gradient passes: ${q.formula.mask}`,
      `- Learned: ${q.formula.learned ?? "nothing; the scale has no gradient"}`,
    ];
    const settings = table(["Setting", "Meaning", "Where it is not given"], rows);
    const figures = table(["Bits", "Levels, in steps", "Mask", "Error of N(0, 1)", "Masked share"], widthRows(q));
    return `## ${q.name}\n\n${q.summary}\n\n${facts.join("\n")}\n\n${settings}\n\n${figures}\n`;
  });
  const pruned = pruners.map(({ name, summary, source, keeps, settings }) => {
    const rows = Object.entries(settings).map(([setting, { describe, fallback }]) => [`\`${setting}\``, describe, `\`${fallback}\``]);
    const facts = [`- Source: ${source}`, `- What stays: ${keeps}; of equal norms the later`, "- Gradient passes: where x stays"];
    return `## ${name}\n\n${summary}\n\n${facts.join("\n")}\n\n${table(["Setting", "Meaning", "Where it is not given"], rows)}\n`;
  });
  const text = `# Quantizers

Generated from the table of quantizers (\`ir/quant/table.ts\`); a test compares it. A policy names one with its settings: \`quest { w = 4, a = 4 }\`; \`--policy 'quest(w = 4, a = 4)'\` chooses it for every layer.

In formulas n is 2^bits, s the step and v = x / s, of a row (or group) after its rotation. The error is the mean square of what rounding changes in a row
of normally distributed elements with mean 0 and variance 1, and the masked share that of its elements whose gradient does not pass; tests measure both.

${[...sections, ...pruned].join("\n")}`;
  expect(quantizers.length).toBeGreaterThan(0);
  expectGenerated("docs/quantizers.md", text);
});
