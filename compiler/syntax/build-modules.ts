// Concrete to abstract syntax: modules, their members, `use` and `const`.
import type { CstNode } from "chevrotain";
import type { ConstDeclaration, FunctionDeclaration, Member, ModuleDeclaration, UseDeclaration } from "./ast.ts";
import { buildBlock, buildExpression, buildInputs, buildParameters, buildText, buildType } from "./build-expressions.ts";
import { buildSelector } from "./build-policies.ts";
import { type BuildContext, chosen, isReal, nameOf, node, nodes, spanOf, token, tokens } from "./cst.ts";

export function buildUse(cx: BuildContext, cst: CstNode): UseDeclaration {
  const path = tokens(cst, "Identifier").map((found) => nameOf(cx, found, cst));
  const list = node(cst, "nameList");
  // Without braces the last name is the one that is taken: `use std.Linear`.
  const names = list === undefined ? path.slice(-1) : tokens(list, "Identifier").map((found) => nameOf(cx, found, list));
  return { kind: "use", span: spanOf(cx, cst), file: list === undefined ? path.slice(0, -1) : path, names };
}

export function buildConst(cx: BuildContext, cst: CstNode): ConstDeclaration {
  const name = nameOf(cx, token(cst, "Identifier"), cst);
  return { kind: "const", span: spanOf(cx, cst), name, value: buildExpression(cx, node(cst, "expression"), cst) };
}

export function buildModule(cx: BuildContext, cst: CstNode): ModuleDeclaration {
  return {
    kind: "module",
    span: spanOf(cx, cst),
    name: nameOf(cx, token(cst, "Identifier"), cst),
    parameters: buildParameters(cx, node(cst, "parameters")),
    members: nodes(cst, "member").flatMap((member) => {
      const inner = chosen(member);
      return inner === undefined ? [] : [buildMember(cx, inner.rule, inner.node)];
    }),
  };
}

function buildMember(cx: BuildContext, rule: string, cst: CstNode): Member {
  const span = spanOf(cx, cst);
  const name = nameOf(cx, token(cst, "Identifier"), cst);
  const expression = () => buildExpression(cx, node(cst, "expression"), cst);
  const when = node(cst, "condition");
  const condition = when === undefined ? {} : { condition: buildExpression(cx, node(when, "expression"), when) };
  switch (rule) {
    case "weight":
      return { kind: "weight", span, name, type: buildType(cx, node(cst, "type"), cst), initial: expression(), ...condition };
    case "constant":
      return buildConst(cx, cst);
    case "require": {
      const text = token(cst, "Text");
      const message = text === undefined || !isReal(text) ? {} : { message: buildText(cx, text) };
      return { kind: "require", span, condition: expression(), ...message };
    }
    case "tie":
      return {
        kind: "tie",
        span,
        path: buildSelector(cx, node(cst, "selector"), cst),
        target: buildSelector(cx, node(cst, "selector", 1), cst),
      };
    case "fn":
      return buildFunction(cx, cst);
    case "child":
      return { kind: "child", span, name, value: expression(), ...condition };
    default:
      throw new Error(`no member is built from the rule ${rule}`);
  }
}

function buildFunction(cx: BuildContext, cst: CstNode): FunctionDeclaration {
  const name = token(cst, "Identifier");
  return {
    kind: "function",
    span: spanOf(cx, cst),
    ...(name === undefined ? {} : { name: nameOf(cx, name, cst) }),
    inputs: buildInputs(cx, node(cst, "inputs")),
    result: buildType(cx, node(cst, "type"), cst),
    body: buildBlock(cx, node(cst, "block"), cst),
  };
}
