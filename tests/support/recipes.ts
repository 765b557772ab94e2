// Which recipes of a file run as they are.
import { openParameters } from "../../compiler/sema/recipe-parameters.ts";
import type { SourceFile } from "../../compiler/syntax/ast.ts";

/** Their names, in order: all but those with a parameter that nothing gives. */
export const runnableRecipes = ({ items }: SourceFile): readonly string[] =>
  items.flatMap((item) => {
    const runs = item.kind === "recipe-alias" || (item.kind === "recipe" && openParameters(item).length === 0);
    return runs ? [item.name.text] : [];
  });
