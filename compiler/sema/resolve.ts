// Semantic analysis of a model file: from text to instance tree, policy and recipe.
import { type Diagnostic, error, hasErrors, type Report } from "../../ir/diagnostic.ts";
import { type Dim, printDim, shapesEqual } from "../../ir/dim.ts";
import { suggest } from "../../ir/nearest.ts";
import type { Scheme } from "../../ir/quant/quantizer.ts";
import { schemes } from "../../ir/quant/table.ts";
import type { Source } from "../../ir/source.ts";
import type { ModuleDeclaration } from "../syntax/ast.ts";
import type { Argument } from "../syntax/ast-expression.ts";
import type { PolicyReference, RecipeDeclaration, Selector } from "../syntax/ast-recipe.ts";
import { withinStack } from "../syntax/nesting.ts";
import { type Declared, type FileScope, type LoadSource, loadFiles, standardModules } from "./files.ts";
import { callName, instantiate, newInstantiateContext, type PendingTie } from "./instantiate.ts";
import { overrideRecipe, readOverride, readPolicyOverride, sortOverrides } from "./overrides.ts";
import type { GivenParameter } from "./parameters.ts";
import { resolvePolicy } from "./policy.ts";
import { resolveRecipe } from "./recipe.ts";
import { bindRecipe, openParameters } from "./recipe-parameters.ts";
import { withoutRepeats } from "./repeats.ts";
import { type Instance, instancesBelow, type Resolved } from "./resolved.ts";
import { printSelector } from "./selector.ts";

export interface ResolveOptions {
  readonly load: LoadSource;
  /** The recipe's name; without it the file's only one, if it has one. */
  readonly recipe?: string;
  /** The model's name where no recipe is wanted. */
  readonly model?: string;
  /** Text after `--policy`: takes the place of the recipe's policy. */
  readonly policy?: string;
  /** Texts after `--set`. */
  readonly set?: readonly string[];
  /** The schemes that policies may name; the whole table by default. */
  readonly quantizers?: readonly Scheme[];
}

/** Resolve a model file. The value is there where the model itself is sound: policy and recipe may be missing after an error. */
export function resolve(source: Source, options: ResolveOptions): Report<Resolved> {
  const diagnostics: Diagnostic[] = [];
  const value = withinStack(
    () => resolveInto(source, options, diagnostics),
    () => {
      diagnostics.push(error("too-deep", `\`${source.path}\` nests too deeply to be compiled`));
      return undefined;
    },
  );
  return { ...(value === undefined ? {} : { value }), diagnostics: withoutRepeats(diagnostics) };
}

function resolveInto(source: Source, options: ResolveOptions, diagnostics: Diagnostic[]): Resolved | undefined {
  const overrides = (options.set ?? []).map((text) => readOverride(text, diagnostics)).filter((override) => override !== undefined);
  const policyOverride = options.policy === undefined ? undefined : readPolicyOverride(options.policy, diagnostics);
  const sorted = sortOverrides(overrides, diagnostics);
  const before = diagnostics.length;
  const files = loadFiles(source, options.load, diagnostics);
  if (files === undefined) return undefined;
  const { root } = files;

  const target = chooseTarget(root, options, sorted.recipeParameters, diagnostics);
  if (target === undefined) return undefined;
  const cx = newInstantiateContext(diagnostics, () => standardModules(options.load));
  const scope = { constants: target.file.constants, broken: target.file.broken };
  const at = target.recipe?.model.span ?? target.module.declaration.name.span;
  const model = instantiate(cx, target.module, "", { args: target.args, scope, at, given: sorted.parameters });
  if (model === undefined) return undefined;
  const ties = resolveTies(model, cx.ties, diagnostics);
  // A model with holes would make every selector and every shape look wrong.
  if (hasErrors(diagnostics.slice(before))) return undefined;

  const reference: PolicyReference | undefined = policyOverride ?? (options.policy === undefined ? target.recipe?.policy : undefined);
  const policy =
    reference === undefined
      ? undefined
      : resolvePolicy({ file: target.file, model, quantizers: options.quantizers ?? schemes, diagnostics }, reference);
  let recipe: Resolved["recipe"];
  if (target.recipe !== undefined) {
    recipe = resolveRecipe(overrideRecipe(target.recipe, sorted.recipe, diagnostics), target.file, model, diagnostics);
  } else {
    const spans = [...sorted.recipe.map(({ span }) => span), ...sorted.recipeParameters.map(({ name }) => name.span)];
    for (const span of spans) diagnostics.push(error("wrong-override", "there is no recipe to set this in", span));
  }
  return {
    sources: files.sources,
    model,
    modelName: callName(model.module, model.parameters),
    ties,
    dims: sorted.dims,
    ...(policy === undefined ? {} : { policy }),
    ...(recipe === undefined ? {} : { recipe }),
  };
}

interface Target {
  readonly module: Declared<ModuleDeclaration>;
  readonly args: readonly Argument[];
  readonly recipe?: RecipeDeclaration;
  /** The root file; under a recipe its parameters are among the constants. */
  readonly file: FileScope;
}

function chooseTarget(
  root: FileScope,
  options: ResolveOptions,
  given: readonly GivenParameter[],
  diagnostics: Diagnostic[],
): Target | undefined {
  const moduleNamed = (name: string, at?: RecipeDeclaration) => {
    const module = root.modules.get(name);
    if (module === undefined && !root.broken.has(name))
      diagnostics.push(error("unknown-model", `no module is named \`${name}\``, at?.model.span, "", suggest(name, root.modules.keys())));
    return module;
  };
  if (options.model !== undefined && options.recipe === undefined) {
    const module = moduleNamed(options.model);
    return module === undefined ? undefined : { module, args: [], file: root };
  }
  const names = [...root.recipes.values()].flatMap((r) => (r.kind === "recipe" && openParameters(r).length > 0 ? [] : [r.name.text]));
  const [only, ...others] = names;
  const name = options.recipe ?? (others.length === 0 ? only : undefined);
  const declared = name === undefined ? undefined : root.recipes.get(name);
  if (declared === undefined) {
    if (name !== undefined)
      diagnostics.push(error("unknown-recipe", `\`${root.source.path}\` has no recipe \`${name}\``, undefined, "", suggest(name, names)));
    else if (names.length > 0)
      diagnostics.push(
        error("unknown-recipe", `\`${root.source.path}\` has several recipes: say which one`, undefined, "", suggest("", names)),
      );
    else
      diagnostics.push(error("unknown-recipe", `\`${root.source.path}\` has no recipe`, undefined, "", ["say which module is the model"]));
    return undefined;
  }
  const bound = bindRecipe(root, declared, given, diagnostics);
  if (bound === undefined) return undefined;
  const { recipe, file } = bound;
  const module = moduleNamed(recipe.model.text, recipe);
  return module === undefined ? undefined : { module, args: recipe.modelArgs, recipe, file };
}

function resolveTies(model: Instance, pending: readonly PendingTie[], diagnostics: Diagnostic[]): ReadonlyMap<string, string> {
  const weights = new Map(
    instancesBelow(model).flatMap((instance) => [...instance.weights.values()].map((weight) => [weight.path, weight] as const)),
  );
  const ties = new Map<string, string>();
  const find = (selector: Selector, inside: string) => {
    const path = inside === "" ? printSelector(selector) : `${inside}.${printSelector(selector)}`;
    const weight = weights.get(path);
    if (weight === undefined)
      diagnostics.push(error("unknown-name", `no parameter is named \`${path}\``, selector.span, "", suggest(path, weights.keys())));
    return weight;
  };
  for (const { tie, inside } of pending) {
    const from = find(tie.path, inside);
    const to = find(tie.target, inside);
    if (from === undefined || to === undefined) continue;
    if (!shapesEqual(from.type.dims, to.type.dims)) {
      diagnostics.push({
        ...error(
          "shape-mismatch",
          `\`${from.path}\` is ${shapeText(from.type.dims)}, \`${to.path}\` is ${shapeText(to.type.dims)}`,
          tie.span,
          "tied parameters have one shape",
        ),
        secondary: [from, to].map((weight) => ({ span: weight.declaredAt, message: `\`${weight.path}\` is declared here` })),
      });
    } else if (ties.has(from.path)) {
      diagnostics.push(error("duplicate-name", `\`${from.path}\` is tied twice`, tie.span));
    } else {
      // Where the target is tied itself, both name its state.
      const end = ties.get(to.path) ?? to.path;
      if (end === from.path) diagnostics.push(error("endless-tie", `\`${from.path}\` is tied to itself`, tie.span));
      else {
        for (const [path, state] of ties) if (state === from.path) ties.set(path, end);
        ties.set(from.path, end);
      }
    }
  }
  return ties;
}

const shapeText = (dims: readonly Dim[]): string => `[${dims.map(printDim).join(", ")}]`;
