// Concrete to abstract syntax: recipes and their statements.
import type { CstNode } from "chevrotain";
import type { RecipeAlias, RecipeDeclaration, RecipeReference, RecipeStatement } from "./ast-recipe.ts";
import { buildArguments, buildBlock, buildExpression, buildInputs, buildParameters } from "./build-expressions.ts";
import { buildConst } from "./build-modules.ts";
import { buildPolicyReference, buildSelector, buildSettings } from "./build-policies.ts";
import { type BuildContext, chosen, complain, nameOf, node, nodes, spanOf, token } from "./cst.ts";

export function buildRecipe(cx: BuildContext, cst: CstNode): RecipeDeclaration | RecipeAlias {
  const name = nameOf(cx, token(cst, "Identifier"), cst);
  const target = node(cst, "recipeReference");
  if (target !== undefined) return { kind: "recipe-alias", span: spanOf(cx, cst), name, target: buildRecipeReference(cx, target) };
  const policy = node(cst, "policyReference");
  return {
    kind: "recipe",
    span: spanOf(cx, cst),
    name,
    parameters: buildParameters(cx, node(cst, "parameters")),
    model: nameOf(cx, token(cst, "Identifier", 1), cst),
    modelArgs: buildArguments(cx, node(cst, "args")),
    ...(policy === undefined ? {} : { policy: buildPolicyReference(cx, policy, cst) }),
    statements: nodes(cst, "recipeStatement").flatMap((statement) => {
      const inner = chosen(statement);
      return inner === undefined ? [] : [buildRecipeStatement(cx, inner.rule, inner.node)];
    }),
  };
}

function buildRecipeReference(cx: BuildContext, cst: CstNode): RecipeReference {
  const name = nameOf(cx, token(cst, "Identifier"), cst);
  return { kind: "recipe-reference", span: spanOf(cx, cst), name, args: buildArguments(cx, node(cst, "args")) };
}

function buildRecipeStatement(cx: BuildContext, rule: string, cst: CstNode): RecipeStatement {
  const span = spanOf(cx, cst);
  const name = nameOf(cx, token(cst, "Identifier"), cst);
  const value = () => buildExpression(cx, node(cst, "expression"), cst);
  switch (rule) {
    case "constant":
      return buildConst(cx, cst);
    case "data":
      return { kind: "data", span, arrays: buildInputs(cx, cst), origin: value() };
    case "loss":
      return { kind: "loss", span, body: buildBlock(cx, node(cst, "block"), cst) };
    case "optimizer":
    case "schedule":
      return { kind: rule, span, name, settings: buildSettings(cx, node(cst, "settings")) };
    case "clip":
      return { kind: "clip", span, name, value: value() };
    case "remat":
      return { kind: "remat", span, selectors: nodes(cst, "selector").map((selector) => buildSelector(cx, selector, cst)) };
    case "evaluate": {
      const metrics = nodes(cst, "metric").map((metric) => ({
        kind: "metric" as const,
        span: spanOf(cx, metric),
        name: nameOf(cx, token(metric, "Identifier"), metric),
        ...(token(metric, "Over") === undefined ? {} : { over: buildExpression(cx, node(metric, "expression"), metric) }),
      }));
      if (metrics.length === 0 && token(cst, "CloseBrace") !== undefined)
        complain(cx, "`eval` measures nothing", span, "", ["write `eval every 50 { loss over 20 }`"]);
      return { kind: "eval", span, every: value(), metrics };
    }
    case "checkpoint":
      return { kind: "checkpoint", span, every: value(), unit: token(cst, "Seconds") === undefined ? "steps" : "seconds" };
    case "accumulate":
    case "precision":
      return { kind: rule, span, value: value() };
    case "headChunk":
      return { kind: "head_chunk", span, value: value() };
    default:
      throw new Error(`no recipe statement is built from the rule ${rule}`);
  }
}
