// The recipe that a name stands for, with its parameters bound: by an alias, by the command line, by their defaults.
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import { suggest } from "../../ir/nearest.ts";
import type { ConstDeclaration } from "../syntax/ast.ts";
import type { RecipeAlias, RecipeDeclaration } from "../syntax/ast-recipe.ts";
import { evaluate } from "./evaluate.ts";
import type { FileScope } from "./files.ts";
import { bindParameters, type GivenParameter } from "./parameters.ts";

/** A recipe under the name that was asked for. */
export interface BoundRecipe {
  readonly recipe: RecipeDeclaration;
  /** The names that its text uses: the file's, and its parameters among the constants. */
  readonly file: FileScope;
}

/** Undefined where an alias stands for nothing; parameters without a value are reported, and broken in the scope. */
export function bindRecipe(
  file: FileScope,
  declared: RecipeDeclaration | RecipeAlias,
  given: readonly GivenParameter[],
  diagnostics: Diagnostic[],
): BoundRecipe | undefined {
  const recipe = declared.kind === "recipe" ? declared : targetOf(file, declared, diagnostics);
  if (recipe === undefined) return undefined;
  if (declared.kind === "recipe") {
    const open = openParameters(recipe).filter((name) => !given.some((g) => g.name.text === name));
    if (open.length > 0) {
      diagnostics.push(needsParameters(file, recipe, open));
      return undefined;
    }
  }
  const [args, at] = declared.kind === "recipe" ? [[], declared.name.span] : [declared.target.args, declared.target.span];
  const callee = { name: recipe.name, parameters: recipe.parameters, constants: file.constants, broken: file.broken };
  const parameters = bindParameters(callee, args, file, at, given, diagnostics);
  const missing = recipe.parameters.map(({ name }) => name.text).filter((name) => !parameters.has(name));
  return {
    recipe: { ...recipe, name: declared.name },
    file: { ...file, constants: new Map([...file.constants, ...parameters]), broken: new Set([...file.broken, ...missing]) },
  };
}

/** Parameters that have no default: a recipe with such runs under another name that gives them, or with what the command line sets. */
export const openParameters = ({ parameters }: RecipeDeclaration): readonly string[] =>
  parameters.flatMap(({ name, initial }) => (initial === undefined ? [name.text] : []));

function needsParameters(file: FileScope, { name }: RecipeDeclaration, open: readonly string[]): Diagnostic {
  const names = [...file.recipes].flatMap(([other, r]) =>
    r.kind === "recipe-alias" && r.target.name.text === name.text ? [`\`${other}\``] : [],
  );
  return error(
    "missing-argument",
    `the recipe \`${name.text}\` needs \`${open.join("`, `")}\``,
    name.span,
    "has parameters without a default",
    [
      ...(names.length === 0 ? [] : [`recipes that give them: ${names.join(", ")}`]),
      `or give them: \`${open.map((parameter) => `--set recipe.${parameter}=...`).join(" ")}\``,
    ],
  );
}

function targetOf(file: FileScope, { name, target }: RecipeAlias, diagnostics: Diagnostic[]): RecipeDeclaration | undefined {
  const found = file.recipes.get(target.name.text);
  if (found?.kind === "recipe") return found;
  if (file.broken.has(target.name.text)) return undefined;
  const bodies = [...file.recipes.values()].flatMap((recipe) => (recipe.kind === "recipe" ? [recipe.name.text] : []));
  const message =
    found === undefined
      ? `no recipe is named \`${target.name.text}\``
      : `\`${target.name.text}\` is itself another name: \`${name.text}\` must stand for a recipe with statements`;
  diagnostics.push(error("unknown-recipe", message, target.name.span, "", suggest(target.name.text, bodies)));
  return undefined;
}

/** The file's names and the recipe's own `const`s, in the order in which they are written. */
export function withConstants(file: FileScope, recipe: RecipeDeclaration, diagnostics: Diagnostic[]): FileScope {
  const constants = new Map(file.constants);
  const broken = new Set(file.broken);
  const places = new Map(recipe.parameters.map(({ name }) => [name.text, name.span]));
  for (const { name, value } of recipe.statements.filter((s): s is ConstDeclaration => s.kind === "const")) {
    const first = places.get(name.text);
    if (first !== undefined) {
      diagnostics.push({
        ...error("duplicate-name", `\`${name.text}\` is declared twice in \`${recipe.name.text}\``, name.span, "here again"),
        secondary: [{ span: first, message: "declared here first" }],
      });
      continue;
    }
    places.set(name.text, name.span);
    const known = evaluate(value, { constants, broken }, diagnostics);
    if (known === undefined) broken.add(name.text);
    else constants.set(name.text, known);
  }
  return { ...file, constants, broken };
}
