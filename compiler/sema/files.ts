// Files and their names: loads what a file uses, and says what each name at the top of a file means.
import { type Diagnostic, error, hasErrors } from "../../ir/diagnostic.ts";
import { suggest } from "../../ir/nearest.ts";
import type { Source } from "../../ir/source.ts";
import type { Item, ModuleDeclaration, SourceFile, UseDeclaration } from "../syntax/ast.ts";
import type { Name } from "../syntax/ast-expression.ts";
import type { PolicyAlias, PolicyDeclaration, RecipeAlias, RecipeDeclaration } from "../syntax/ast-recipe.ts";
import { parse } from "../syntax/parse.ts";
import { type Constant, constantFunctionNames } from "./constant.ts";
import { evaluate } from "./evaluate.ts";

/**
 * Finds a source by its path with `/` between folders. For `use std.{Linear}` in `models/mlp.loom` it is asked for `models/std.loom`,
 * then for `std.loom`, which is where a library answers with its own.
 */
export type LoadSource = (path: string) => Source | undefined;

/** What the names at the top of a file mean: its own, and those that it takes by `use`. */
export interface FileScope {
  readonly source: Source;
  readonly modules: ReadonlyMap<string, Declared<ModuleDeclaration>>;
  readonly policies: ReadonlyMap<string, Declared<PolicyDeclaration | PolicyAlias>>;
  readonly recipes: ReadonlyMap<string, RecipeDeclaration | RecipeAlias>;
  readonly constants: ReadonlyMap<string, Constant>;
  /** Names whose declaration has an error that was reported. */
  readonly broken: ReadonlySet<string>;
}

/** A declaration and the file whose names its text uses. */
export interface Declared<T> {
  readonly declaration: T;
  readonly scope: FileScope;
}

export interface LoadedFiles {
  readonly root: FileScope;
  readonly sources: readonly Source[];
}

interface MutableScope extends FileScope {
  readonly modules: Map<string, Declared<ModuleDeclaration>>;
  readonly policies: Map<string, Declared<PolicyDeclaration | PolicyAlias>>;
  readonly recipes: Map<string, RecipeDeclaration | RecipeAlias>;
  readonly constants: Map<string, Constant>;
  readonly broken: Set<string>;
}

/** Parse a file and all that it uses. Answers undefined after a syntax error, since what follows would be noise. */
export function loadFiles(root: Source, load: LoadSource, diagnostics: Diagnostic[]): LoadedFiles | undefined {
  const before = diagnostics.length;
  const files = new Map<string, SourceFile>();
  const visit = (source: Source) => {
    const { value: file, diagnostics: problems } = parse(source);
    diagnostics.push(...problems);
    files.set(source.path, file);
    for (const item of file.items) {
      if (item.kind !== "use") continue;
      const used = findUsed(item, source, load);
      if (used !== undefined && !files.has(used.path)) visit(used);
    }
  };
  visit(root);
  if (hasErrors(diagnostics.slice(before))) return undefined;

  const scopes = new Map<string, MutableScope>();
  const scopeOf = (file: SourceFile): MutableScope => {
    const known = scopes.get(file.source.path);
    if (known !== undefined) return known;
    const scope: MutableScope = {
      source: file.source,
      modules: new Map(),
      policies: new Map(),
      recipes: new Map(),
      constants: new Map(),
      broken: new Set(),
    };
    // Known before its names are: two files may use each other.
    scopes.set(file.source.path, scope);
    const taken = new Map<string, Name>();
    for (const item of file.items) {
      if (item.kind !== "use") continue;
      const used = findUsed(item, file.source, load);
      const target = used === undefined ? undefined : files.get(used.path);
      if (target === undefined) diagnostics.push(unknownFile(item));
      for (const name of item.names) {
        if (!claim(name, taken, diagnostics)) continue;
        if (target === undefined) scope.broken.add(name.text);
        else takeName(name, scopeOf(target), target, scope, diagnostics);
      }
    }
    for (const item of file.items) if (item.kind !== "use" && claim(item.name, taken, diagnostics)) declare(item, scope, diagnostics);
    return scope;
  };
  const rootFile = files.get(root.path);
  if (rootFile === undefined) return undefined;
  const scope = scopeOf(rootFile);
  return { root: scope, sources: [...files.values()].map((file) => file.source) };
}

/** Names of the modules of the standard library. */
export function standardModules(load: LoadSource): readonly string[] {
  const source = load("std.loom");
  return source === undefined ? [] : parse(source).value.items.flatMap((item) => (item.kind === "module" ? [item.name.text] : []));
}

function findUsed(use: UseDeclaration, from: Source, load: LoadSource): Source | undefined {
  if (use.file.length === 0) return undefined;
  const path = `${use.file.map((name) => name.text).join("/")}.loom`;
  const folder = from.path.slice(0, from.path.lastIndexOf("/") + 1);
  return load(`${folder}${path}`) ?? (folder === "" ? undefined : load(path));
}

function unknownFile(use: UseDeclaration): Diagnostic {
  if (use.file.length === 0)
    return error("unknown-file", "`use` needs a file and a name of it", use.span, "", ["write `use std.{Linear}`"]);
  const path = use.file.map((name) => name.text).join("/");
  return error("unknown-file", `there is no file \`${path}.loom\``, use.span, "", [
    "`use a.b.{Name}` reads `a/b.loom` in the folder of this file",
  ]);
}

/** Whether the name is free; a second declaration is reported. */
function claim(name: Name, taken: Map<string, Name>, diagnostics: Diagnostic[]): boolean {
  const first = taken.get(name.text);
  if (first !== undefined) {
    diagnostics.push({
      ...error("duplicate-name", `\`${name.text}\` is declared twice`, name.span, "here again"),
      secondary: [{ span: first.span, message: "declared here first" }],
    });
    return false;
  }
  taken.set(name.text, name);
  return true;
}

function takeName(name: Name, from: FileScope, file: SourceFile, into: MutableScope, diagnostics: Diagnostic[]): void {
  // Only what the file itself declares: names do not travel through a file that uses them.
  const own = file.items.flatMap((item) => (item.kind === "use" ? [] : [item.name.text]));
  const [module, policy, constant] = [from.modules.get(name.text), from.policies.get(name.text), from.constants.get(name.text)];
  if (!own.includes(name.text)) {
    diagnostics.push(
      error("unknown-name", `\`${file.source.path}\` does not declare \`${name.text}\``, name.span, "", suggest(name.text, own)),
    );
    into.broken.add(name.text);
  } else if (module !== undefined) into.modules.set(name.text, module);
  else if (policy !== undefined) into.policies.set(name.text, policy);
  else if (constant !== undefined) into.constants.set(name.text, constant);
  else if (from.broken.has(name.text)) into.broken.add(name.text);
  else
    diagnostics.push(
      error("unknown-name", `\`${name.text}\` cannot be used from another file`, name.span, "", [
        "`use` takes modules, policies and constants",
      ]),
    );
}

function declare(item: Exclude<Item, UseDeclaration>, scope: MutableScope, diagnostics: Diagnostic[]): void {
  switch (item.kind) {
    case "module":
      scope.modules.set(item.name.text, { declaration: item, scope });
      return;
    case "policy":
    case "alias":
      scope.policies.set(item.name.text, { declaration: item, scope });
      return;
    case "recipe":
    case "recipe-alias":
      scope.recipes.set(item.name.text, item);
      return;
    case "const": {
      if (constantFunctionNames.includes(item.name.text)) {
        diagnostics.push(error("duplicate-name", `\`${item.name.text}\` is a function of the language`, item.name.span));
      }
      const value = evaluate(item.value, scope, diagnostics);
      if (value === undefined) scope.broken.add(item.name.text);
      else scope.constants.set(item.name.text, value);
      return;
    }
    default:
      item satisfies never;
  }
}
