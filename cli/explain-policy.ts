// `bitloom explain-policy`: which rule of a policy decides for each matrix of a model, and what follows from it.
import { Command } from "commander";
import { explainPolicy, type SiteExplanation } from "../compiler/index.ts";
import { printBytes } from "../ir/byte-size.ts";
import { DiagnosticError, hasErrors } from "../ir/diagnostic.ts";
import { floatBits } from "../ir/quant/stored-bits.ts";
import type { SourceFlags } from "./compilation.ts";
import { readSource } from "./files.ts";
import { jsonOption, policyOption, setOption } from "./options.ts";
import type { Output } from "./output.ts";
import { aligned } from "./table.ts";

export function explainPolicyCommand(output: Output): Command {
  return new Command("explain-policy")
    .description(
      "Show what a policy means for each matrix of a model: the rule that decides, bits, rotation, bytes of codes and scales in a packed file.",
    )
    .argument("<file>", "model file (.loom), `-` for the standard input")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: SourceFlags) => explain(file, recipe, flags, output));
}

async function explain(file: string, recipe: string | undefined, { policy, set }: SourceFlags, output: Output): Promise<void> {
  const { value, diagnostics } = explainPolicy(await readSource(file), {
    set,
    ...(recipe === undefined ? {} : { recipe }),
    ...(policy === undefined ? {} : { policy }),
  });
  if (value === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
  output.diagnostics(diagnostics);
  output.result(value);
  output.say(output.strong(`${value.model}, policy ${value.policy}`));
  const head = ["matrix", "type", "weight", "activation", "rotation", "bytes", "of f32", "rule"];
  for (const line of aligned([head, ...value.sites.map(row)])) output.say(line);
  const share = percent(value.bytes, value.floatBytes);
  output.say(`all parameters: ${printBytes(value.bytes)} with codes and scales, ${share} of ${printBytes(value.floatBytes)} in f32`);
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

function row(site: SiteExplanation): readonly string[] {
  const { path, parameter, type, weight, activation, storedBits, unused, bytes, floatBytes, rule, at } = site;
  const rotated = weight ?? activation;
  const rotation = rotated === undefined || rotated.rotation === "none" ? "-" : `${rotated.rotation}, blocks of ${rotated.block}`;
  const told = (side: SiteExplanation["weight"], bits = side?.bits): string =>
    side === undefined || bits === floatBits ? "float" : `${bits} bits${side.group === "row" ? "" : ` by ${side.group}`}`;
  return [
    path === "" ? parameter : `${path}.${parameter}`,
    type,
    told(weight, storedBits),
    told(activation),
    rotation,
    printBytes(bytes),
    percent(bytes, floatBytes),
    `${rule} (${at})${unused === true ? ": no contraction reads it" : ""}`,
  ];
}
