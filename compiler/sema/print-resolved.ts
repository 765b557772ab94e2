// A resolved model as text: the instance tree with its parameters, the policy's choices, the recipe.
import { initName } from "../../ir/init.ts";
import { call, floatLiteral, printLiteral } from "../../ir/literal.ts";
import { printChoice } from "../../ir/quant/choice.ts";
import { printType } from "../../ir/type.ts";
import { callName } from "./instantiate.ts";
import type { Instance, Recipe, Resolved } from "./resolved.ts";

export function printResolved({ model, ties, dims, policy, recipe }: Resolved): string {
  const lines = [`model ${callName(model.module, model.parameters)}`, ...printMembers(model)];
  for (const [path, state] of ties) lines.push(`tie ${path} = ${state}`);
  for (const [name, size] of dims) lines.push(`size ${name} = ${String(size)}`);
  if (policy !== undefined) {
    lines.push(`policy ${policy.name}`);
    for (const [site, { choice }] of policy.sites) lines.push(`  ${site} => ${choice === undefined ? "none" : printChoice(choice)}`);
  }
  if (recipe !== undefined) lines.push(...printRecipe(recipe));
  return `${lines.join("\n")}\n`;
}

function printMembers(instance: Instance): readonly string[] {
  const lines: string[] = [];
  for (const { path, type, init } of instance.weights.values()) {
    const { name, args } = initName(init);
    const drawn = args.length === 0 ? name : printLiteral(call(name, {}, args.map(floatLiteral)));
    lines.push(`  ${path}: ${printType(type)} = ${drawn}`);
  }
  for (const name of instance.absent.keys()) lines.push(`  ${instance.path === "" ? name : `${instance.path}.${name}`} is absent`);
  for (const child of instance.children.values()) {
    for (const item of child.kind === "instance" ? [child] : child.items) {
      lines.push(`  ${item.path} = ${callName(item.module, item.parameters)}`, ...printMembers(item));
    }
  }
  return lines;
}

function printRecipe(recipe: Recipe): readonly string[] {
  const { optimizer, learningRate, clipNorm, accumulate, precision, headChunk, run } = recipe;
  return [
    `recipe ${recipe.name}`,
    ...recipe.arrays.map(({ name, type }) => `  data ${name}: ${printType(type)}`),
    `  optimizer ${JSON.stringify(optimizer)}`,
    `  rate ${JSON.stringify(learningRate)}`,
    ...(clipNorm === undefined ? [] : [`  clip ${clipNorm}`]),
    ...[...recipe.decays].map((state) => `  decays ${state}`),
    ...(recipe.rematerialize === "auto" ? ["auto"] : recipe.rematerialize).map((what) => `  remat ${what}`),
    ...(accumulate === 1 ? [] : [`  accumulate ${accumulate}`]),
    ...(precision === "f32" ? [] : [`  precision ${precision}`]),
    ...(headChunk === "auto" ? [] : [`  head_chunk ${headChunk}`]),
    `  run ${JSON.stringify(run)}`,
  ];
}
