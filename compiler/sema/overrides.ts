// Overrides from the command line: the texts after `--policy` and `--set`, read with the language's own parser.
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import type { Source, Span } from "../../ir/source.ts";
import type { InputDeclaration } from "../syntax/ast.ts";
import type { Expression, Name } from "../syntax/ast-expression.ts";
import type {
  PolicyReference,
  RecipeDeclaration,
  RecipeStatement,
  Selector,
  SelectorList,
  Setting,
  SettingValue,
} from "../syntax/ast-recipe.ts";
import { parseOverrideValue, parsePolicyReference } from "../syntax/parse.ts";
import type { Constant } from "./constant.ts";
import { evaluate } from "./evaluate.ts";
import type { GivenParameter } from "./parameters.ts";

/** `schedule.peak=1e-3`, read: the path's names and the value. */
export interface Override {
  readonly path: readonly Name[];
  readonly value: SettingValue;
  /** `checkpoint.every=300 s` */
  readonly inSeconds: boolean;
  readonly span: Span;
}

/** Read the text after `--policy`. */
export function readPolicyOverride(text: string, diagnostics: Diagnostic[]): PolicyReference | undefined {
  const { value, diagnostics: problems } = parsePolicyReference({ path: "--policy", text });
  diagnostics.push(...problems);
  return problems.length === 0 ? value : undefined;
}

/** Read the text after `--set`. */
export function readOverride(text: string, diagnostics: Diagnostic[]): Override | undefined {
  const whole: Source = { path: "--set", text };
  const cut = text.indexOf("=");
  const span = { source: whole, start: 0, end: text.length };
  const path = cut < 0 ? [] : namesOf(whole, text.slice(0, cut));
  if (path.length === 0) {
    diagnostics.push(error("wrong-override", "an override is `name=value`", span, "", ["write `--set schedule.peak=1e-3`"]));
    return undefined;
  }
  const { value, diagnostics: problems } = parseOverrideValue(whole, cut + 1);
  diagnostics.push(...problems);
  if (value === undefined || problems.length > 0) return undefined;
  if (value.inSeconds && path.map((name) => name.text).join(".") !== "checkpoint.every") {
    diagnostics.push(error("wrong-override", "only `checkpoint.every` takes seconds", span));
    return undefined;
  }
  return { path, ...value, span };
}

function namesOf(source: Source, text: string): readonly Name[] {
  const names: Name[] = [];
  let start = 0;
  for (const part of text.split(".")) {
    const word = part.trim();
    if (!/^\w+$/.test(word)) return [];
    const from = start + part.indexOf(word);
    names.push({ kind: "name", span: { source, start: from, end: from + word.length }, text: word });
    start += part.length + 1;
  }
  return names;
}

/** Overrides sorted by what they change. */
export interface SortedOverrides {
  /** `model.hidden=128` */
  readonly parameters: readonly GivenParameter[];
  /** `recipe.depth=2` */
  readonly recipeParameters: readonly GivenParameter[];
  /** `B=64` */
  readonly dims: ReadonlyMap<string, number>;
  readonly recipe: readonly Override[];
}

export function sortOverrides(overrides: readonly Override[], diagnostics: Diagnostic[]): SortedOverrides {
  const parameters: GivenParameter[] = [];
  const recipeParameters: GivenParameter[] = [];
  const dims = new Map<string, number>();
  const recipe: Override[] = [];
  for (const override of overrides) {
    const [first, second] = override.path;
    if ((first?.text === "model" || first?.text === "recipe") && second !== undefined && override.path.length === 2) {
      const value = constantOf(override, diagnostics);
      const list = first.text === "model" ? parameters : recipeParameters;
      if (value !== undefined) list.push({ name: second, value, at: override.value.span });
    } else if (first !== undefined && override.path.length === 1 && /^[A-Z]/.test(first.text)) {
      const value = constantOf(override, diagnostics);
      if (value?.kind === "int" && value.value > 0) dims.set(first.text, value.value);
      else if (value !== undefined)
        diagnostics.push(error("wrong-override", `the size \`${first.text}\` is an int above 0`, override.span));
    } else recipe.push(override);
  }
  return { parameters, recipeParameters, dims, recipe };
}

function constantOf(override: Override, diagnostics: Diagnostic[]): Constant | undefined {
  const { value } = override;
  if (!isSelector(value)) return evaluate(value, { constants: new Map(), words: true }, diagnostics);
  diagnostics.push(error("wrong-override", "a number, a text or a word is needed here", override.value.span));
  return undefined;
}

/** The recipe as it would be written with the overrides in it. */
export function overrideRecipe(recipe: RecipeDeclaration, overrides: readonly Override[], diagnostics: Diagnostic[]): RecipeDeclaration {
  let { statements } = recipe;
  for (const override of overrides) {
    const [block, setting] = override.path;
    if (block === undefined) continue;
    // A recipe that says nothing of it has one micro-batch a step.
    if (block.text === "accumulate" && !statements.some(({ kind }) => kind === "accumulate"))
      statements = [...statements, { kind: "accumulate", span: override.span, value: { kind: "int", span: override.span, value: 1 } }];
    const at = statements.findIndex((statement) => statement.kind === block.text);
    const added = at < 0 ? addedStatement(override) : undefined;
    const changed = statements[at] === undefined ? undefined : changeStatement(statements[at], setting, override);
    if (added !== undefined) statements = [...statements, added];
    else if (changed !== undefined) statements = statements.with(at, changed);
    else diagnostics.push(unknownOverride(override, at >= 0, recipe));
  }
  return { ...recipe, statements };
}

function isSelector(value: SettingValue): value is Selector | SelectorList {
  return value.kind === "selector" || value.kind === "selectors";
}

/** What a recipe need not say, but every run does. */
function addedStatement({ path, value, inSeconds, span }: Override): RecipeStatement | undefined {
  const written = path.map((name) => name.text).join(".");
  if (written === "remat") return rematStatement(value, span);
  if (isSelector(value)) return undefined;
  if (written === "precision" || written === "head_chunk") return { kind: written, span, value };
  if (written !== "checkpoint.every") return undefined;
  return { kind: "checkpoint", span, every: value, unit: inSeconds ? "seconds" : "steps" };
}

/** `remat=layers.*`, `remat=[layers.*, head]`, `remat=auto`; `remat=none` for none at all. */
function rematStatement(value: SettingValue, span: Span): RecipeStatement | undefined {
  if (value.kind === "selectors") return { kind: "remat", span, selectors: value.items };
  if (value.kind === "selector") return { kind: "remat", span, selectors: [value] };
  if (value.kind !== "use-name") return undefined;
  if (value.text === "none") return { kind: "remat", span, selectors: [] };
  const word = { kind: "word", span: value.span, text: value.text } as const;
  return { kind: "remat", span, selectors: [{ kind: "selector", span: value.span, segments: [word], optional: false }] };
}

/** Undefined where the statement has nothing that the path could mean. */
function changeStatement(statement: RecipeStatement, name: Name | undefined, override: Override): RecipeStatement | undefined {
  const { value, path, span, inSeconds } = override;
  if (path.length > 2) return undefined;
  switch (statement.kind) {
    case "optimizer":
    case "schedule": {
      if (name === undefined) return undefined;
      const setting: Setting = { kind: "setting", span, name, value };
      return { ...statement, settings: [...statement.settings.filter((s) => s.name.text !== name.text), setting] };
    }
    case "clip":
      return isSelector(value) || name?.text !== statement.name.text ? undefined : { ...statement, value };
    case "checkpoint":
      if (isSelector(value) || name?.text !== "every") return undefined;
      return { ...statement, every: value, unit: inSeconds ? "seconds" : "steps" };
    case "eval":
      return isSelector(value) || name?.text !== "every" ? undefined : { ...statement, every: value };
    case "accumulate":
    case "precision":
    case "head_chunk":
      return isSelector(value) || name !== undefined ? undefined : { ...statement, value };
    case "remat":
      return name === undefined ? rematStatement(value, span) : undefined;
    case "data":
      return isSelector(value) || name?.text !== "batch"
        ? undefined
        : { ...statement, arrays: statement.arrays.map((a) => withBatch(a, value)) };
    case "const":
    case "loss":
      return undefined;
    default:
      return statement satisfies never;
  }
}

/** The array with another first axis. */
const withBatch = (array: InputDeclaration, size: Expression): InputDeclaration => ({
  ...array,
  type: { ...array.type, dims: array.type.dims.map((dim, axis) => (axis === 0 ? size : dim)) },
});

function unknownOverride(override: Override, known: boolean, recipe: RecipeDeclaration): Diagnostic {
  const written = override.path.map((name) => name.text).join(".");
  const message = known ? `\`${written}\` cannot be set` : `\`${written}\` names nothing in the recipe \`${recipe.name.text}\``;
  return error("wrong-override", message, override.span, "", [
    "what can be set: `schedule.NAME`, `optimizer.NAME`, `clip.grad_norm`, `eval.every`, `checkpoint.every`, `accumulate`, `precision`, `head_chunk`, `remat`, `data.batch`, `model.PARAMETER`, `recipe.PARAMETER`, and a size such as `B`",
  ]);
}
