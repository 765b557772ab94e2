// Concrete to abstract syntax: policies, their selectors and settings.
import type { CstNode } from "chevrotain";
import type { Name } from "./ast-expression.ts";
import type { PolicyAlias, PolicyDeclaration, PolicyReference, Segment, Selector, Setting, SettingValue } from "./ast-recipe.ts";
import { buildArguments, buildExpression, buildParameters } from "./build-expressions.ts";
import { type BuildContext, nameOf, node, nodes, spanOf, token, tokens } from "./cst.ts";

export function buildPolicy(cx: BuildContext, cst: CstNode): PolicyDeclaration | PolicyAlias {
  const span = spanOf(cx, cst);
  const name = nameOf(cx, token(cst, "Identifier"), cst);
  const target = node(cst, "policyReference");
  if (target !== undefined) return { kind: "alias", span, name, target: buildPolicyReference(cx, target, cst) };
  // `any` is a block word that also counts as a name, and lands under the same key as other names.
  const model = tokens(cst, "Identifier")[1];
  const rules = nodes(cst, "policyRule").map((rule) => ({
    kind: "rule" as const,
    span: spanOf(cx, rule),
    selectors: nodes(rule, "selector").map((selector) => buildSelector(cx, selector, rule)),
    scheme: nameOf(cx, token(rule, "Identifier"), rule),
    settings: buildSettings(cx, node(rule, "settings")),
  }));
  return {
    kind: "policy",
    span,
    name,
    parameters: buildParameters(cx, node(cst, "parameters")),
    ...(model === undefined || model.image === "any" ? {} : { model: nameOf(cx, model, cst) }),
    rules,
  };
}

export function buildPolicyReference(cx: BuildContext, cst: CstNode | undefined, near: CstNode): PolicyReference {
  const around = cst ?? near;
  return {
    kind: "policy-reference",
    span: spanOf(cx, around),
    name: nameOf(cx, token(cst, "Identifier"), around),
    args: buildArguments(cx, node(cst, "args")),
  };
}

export function buildSelector(cx: BuildContext, cst: CstNode | undefined, near: CstNode): Selector {
  const value = token(cst, "Identifier");
  return {
    kind: "selector",
    span: spanOf(cx, cst ?? near),
    segments: nodes(cst, "segment").flatMap((segment) => buildSegment(cx, segment)),
    ...(value === undefined ? {} : { value: nameOf(cx, value, near) }),
    optional: token(cst, "Question") !== undefined,
  };
}

function buildSegment(cx: BuildContext, cst: CstNode): readonly Segment[] {
  const span = spanOf(cx, cst);
  const list = node(cst, "choices");
  if (list !== undefined)
    return [{ kind: "choice", span, names: tokens(list, "Identifier", "Int").map((name): Name => nameOf(cx, name, list)) }];
  const [found] = tokens(cst, "Identifier", "Int", "Star", "StarStar");
  if (found === undefined || found.image === "") return [];
  if (found.image === "*" || found.image === "**") return [{ kind: "wildcard", span, deep: found.image === "**" }];
  return [{ kind: "word", span, text: found.image }];
}

export function buildSettings(cx: BuildContext, cst: CstNode | undefined): readonly Setting[] {
  return nodes(cst, "setting").map((setting) => {
    const name = nameOf(cx, token(setting, "Identifier"), setting);
    const written = node(setting, "settingValue");
    const value: SettingValue =
      written !== undefined || token(setting, "Assign") !== undefined
        ? buildSettingValue(cx, written, setting)
        : { kind: "use-name", span: name.span, text: name.text };
    return { kind: "setting", span: spanOf(cx, setting), name, value };
  });
}

export function buildSettingValue(cx: BuildContext, cst: CstNode | undefined, near: CstNode): SettingValue {
  const list = node(cst, "selectorList");
  if (list !== undefined)
    return { kind: "selectors", span: spanOf(cx, list), items: nodes(list, "selector").map((item) => buildSelector(cx, item, list)) };
  const selector = node(cst, "selector");
  return selector === undefined ? buildExpression(cx, node(cst, "expression"), cst ?? near) : buildSelector(cx, selector, near);
}
