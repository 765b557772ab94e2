// docs/ops.md and docs/quantizers.md say what the tables say.
import { expect, test } from "vitest";
import { builtins } from "../../compiler/lower/builtins.ts";
import { isFromResult } from "../../ir/attribute.ts";
import { printLiteral } from "../../ir/literal.ts";
import { forms, type Op, variadicName } from "../../ir/op.ts";
import { ops } from "../../ir/ops/table.ts";
import { quantizers } from "../../ir/quant/table.ts";
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
      `- Scale from the row's statistic: \`${q.statistic}\``,
      `- Gradient of the scale: \`${q.scaleGradient}\``,
    ];
    return `## ${q.name}\n\n${q.summary}\n\n${facts.join("\n")}\n\n${table(["Setting", "Meaning", "Where it is not given"], rows)}\n`;
  });
  const text = `# Quantizers\n\nGenerated from the table of quantizers (\`ir/quant/table.ts\`); a test compares it. A policy names one with its settings: \`quest { w = 4, a = 4 }\`; \`--policy 'quest(w = 4, a = 4)'\` chooses it for every layer.\n\n${sections.join("\n")}`;
  expect(quantizers.length).toBeGreaterThan(0);
  expectGenerated("docs/quantizers.md", text);
});
