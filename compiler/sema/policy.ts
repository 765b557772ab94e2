// Policies: which rule decides for each site, and rules that can decide nothing.
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import { didYouMean, suggest } from "../../ir/nearest.ts";
import type { QuantizeChoice, SettingValue } from "../../ir/quant/choice.ts";
import type { Scheme } from "../../ir/quant/quantizer.ts";
import type { Expression } from "../syntax/ast-expression.ts";
import type { PolicyDeclaration, PolicyReference, PolicyRule, Selector, Setting } from "../syntax/ast-recipe.ts";
import { type Constant, describeConstant, printConstant } from "./constant.ts";
import { evaluate, type Scope } from "./evaluate.ts";
import type { FileScope } from "./files.ts";
import { bindParameters } from "./parameters.ts";
import { type Instance, instancesBelow, type ResolvedPolicy, type SiteChoice } from "./resolved.ts";
import { matches, printSelector } from "./selector.ts";

/** What a policy is resolved against. */
export interface PolicyContext {
  readonly file: FileScope;
  readonly model: Instance;
  readonly quantizers: readonly Scheme[];
  readonly diagnostics: Diagnostic[];
}

/** Instances that own a matrix: what a policy chooses for. */
function sitesOf(model: Instance): readonly Instance[] {
  return instancesBelow(model).filter((instance) => [...instance.weights.values()].some((weight) => weight.type.dims.length >= 2));
}

/** The choice for each site under the policy that is referred to. */
export function resolvePolicy(cx: PolicyContext, reference: PolicyReference): ResolvedPolicy | undefined {
  const before = cx.diagnostics.length;
  const bound = bindPolicy(cx, cx.file, reference, []);
  if (bound === undefined) return undefined;
  const { policy, scope } = bound;
  if (policy.model !== undefined && policy.model.text !== cx.model.module.name.text) {
    cx.diagnostics.push({
      ...error(
        "wrong-model",
        `\`${policy.name.text}\` is a policy for \`${policy.model.text}\`, not for \`${cx.model.module.name.text}\``,
        reference.span,
      ),
      secondary: [{ span: policy.model.span, message: "declared here" }],
    });
    return undefined;
  }
  const sites = assignRules(cx, policy.rules, policy, scope);
  const name =
    reference.args.length === 0
      ? reference.name.text
      : `${reference.name.text}(${[...bound.parameters].map(([n, v]) => `${n} = ${printConstant(v)}`).join(", ")})`;
  return cx.diagnostics.slice(before).some((d) => d.severity === "error") ? undefined : { name, sites };
}

interface BoundPolicy {
  readonly policy: PolicyDeclaration;
  readonly scope: Scope;
  readonly parameters: ReadonlyMap<string, Constant>;
}

/** Follow aliases to a policy with rules, and bind its parameters. */
function bindPolicy(cx: PolicyContext, file: FileScope, reference: PolicyReference, through: readonly string[]): BoundPolicy | undefined {
  const { name } = reference;
  const target = file.policies.get(name.text);
  const caller: Scope = { constants: file.constants, broken: file.broken, words: true };
  if (target === undefined) {
    if (file.broken.has(name.text)) return undefined;
    const schemes = schemeNames(cx);
    if (schemes.includes(name.text)) return everywhere(cx, caller, reference);
    const near = didYouMean(name.text, [...file.policies.keys(), ...schemes]);
    const help = near.length > 0 ? near : suggest(name.text, file.policies.keys());
    cx.diagnostics.push(error("unknown-policy", `no policy is named \`${name.text}\``, name.span, "", help));
    return undefined;
  }
  const { declaration, scope: home } = target;
  if (declaration.kind === "alias") {
    if (reference.args.length > 0) {
      cx.diagnostics.push(
        error("wrong-argument", `\`${name.text}\` is an alias: its settings are fixed`, reference.span, "", [
          `it stands for \`${declaration.target.name.text}\`, which takes them`,
        ]),
      );
      return undefined;
    }
    if (through.includes(name.text)) {
      cx.diagnostics.push(error("endless-policy", `\`${name.text}\` is an alias of itself`, declaration.span));
      return undefined;
    }
    return bindPolicy(cx, home, declaration.target, [...through, name.text]);
  }
  const callee = { name: declaration.name, parameters: declaration.parameters, constants: home.constants, broken: home.broken };
  const parameters = bindParameters(callee, reference.args, caller, reference.span, [], cx.diagnostics);
  const broken = new Set(declaration.parameters.map((p) => p.name.text).filter((p) => !parameters.has(p)));
  return { policy: declaration, parameters, scope: { constants: new Map([...home.constants, ...parameters]), broken, words: true } };
}

const schemeNames = (cx: PolicyContext): readonly string[] => [...cx.quantizers.map((q) => q.name), "none"];

/**
 * A scheme where no policy has its name: what `quantize absmax(bits) for any { ** => absmax { bits } }` would declare for
 * `absmax(bits = 4)`. So every scheme with its settings can be tried on a model that does not know it.
 */
function everywhere(cx: PolicyContext, caller: Scope, { name, args, span }: PolicyReference): BoundPolicy | undefined {
  const parameters = new Map<string, Constant>();
  const settings: Setting[] = [];
  const broken = new Set(caller.broken);
  for (const argument of args) {
    if (argument.name === undefined) {
      const help = [`write \`${name.text}(NAME = VALUE)\``];
      cx.diagnostics.push(error("wrong-argument", `the settings of \`${name.text}\` go by name`, argument.span, "", help));
      return undefined;
    }
    const { text } = argument.name;
    const value = evaluate(argument.value, caller, cx.diagnostics);
    if (value === undefined) broken.add(text);
    else parameters.set(text, value);
    const use: Expression = { kind: "use-name", span: argument.value.span, text };
    settings.push({ kind: "setting", span: argument.span, name: argument.name, value: use });
  }
  // A model without sites has nothing to quantize: no error, as `**` was not written by anybody.
  const all: Selector = { kind: "selector", span, segments: [{ kind: "wildcard", span, deep: true }], optional: true };
  const rule: PolicyRule = { kind: "rule", span, selectors: [all], scheme: name, settings };
  const scope = { constants: new Map([...caller.constants, ...parameters]), broken, words: true };
  return { policy: { kind: "policy", span, name, parameters: [], rules: [rule] }, parameters, scope };
}

function assignRules(
  cx: PolicyContext,
  rules: readonly PolicyRule[],
  policy: PolicyDeclaration,
  scope: Scope,
): ReadonlyMap<string, SiteChoice> {
  const sites = sitesOf(cx.model);
  const taken = new Map<string, PolicyRule>();
  const chosen = new Map<string, SiteChoice>();
  for (const rule of rules) {
    const choice = resolveChoice(cx, rule, scope);
    for (const selector of rule.selectors) {
      const matched = sites.filter((site) => matches(selector, site.path));
      if (selector.value !== undefined) {
        cx.diagnostics.push(
          error("unsupported", "a policy cannot choose for single values yet", selector.span, "", [
            "leave out what follows the colon to choose for the whole site",
          ]),
        );
        continue;
      }
      if (matched.length === 0) {
        if (!selector.optional) cx.diagnostics.push(matchesNothing(cx.model, sites, selector));
        continue;
      }
      const free = matched.filter((site) => !taken.has(site.path));
      if (free.length === 0 && !selector.optional) cx.diagnostics.push(cannotMatch(selector, matched, taken));
      for (const site of free) {
        taken.set(site.path, rule);
        chosen.set(site.path, { ...(choice === undefined ? {} : { choice }), rule: rule.span });
      }
    }
  }
  const left = sites.filter((site) => !taken.has(site.path));
  const [first] = left;
  if (first !== undefined) {
    const more = left.length > 1 ? ` and ${left.length - 1} more` : "";
    cx.diagnostics.push({
      ...error("no-rule", `no rule of \`${policy.name.text}\` matches \`${first.path}\`${more}`, policy.name.span, "", [
        "end with `** => none` to leave the rest in float",
      ]),
      secondary: [{ span: first.declaredAt, message: "declared here" }],
    });
  }
  return chosen;
}

function matchesNothing(model: Instance, sites: readonly Instance[], selector: Selector): Diagnostic {
  const written = printSelector(selector);
  const others = instancesBelow(model).filter((instance) => matches(selector, instance.path));
  const [other] = others;
  const below = other === undefined ? undefined : sites.find((site) => site.path.startsWith(`${other.path}.`));
  const code = "matches-nothing";
  if (other !== undefined && below !== undefined) {
    return error(code, `\`${written}\` matches no contraction`, selector.span, `\`${other.path}\` is a ${other.module.name.text}`, [
      `write \`${written}.**\` for all that is inside it`,
    ]);
  }
  if (other !== undefined) {
    return {
      ...error(code, `\`${written}\` matches no contraction`, selector.span, `\`${other.path}\` has no weight matrix`, [
        "leave it out: nothing of it is quantized",
      ]),
      secondary: [{ span: other.declaredAt, message: "declared here" }],
    };
  }
  return error(code, `\`${written}\` matches nothing in \`${model.module.name.text}\``, selector.span, "", [
    ...nearPaths(written, model, sites),
    `write \`${written}?\` where it may match nothing`,
  ]);
}

function nearPaths(written: string, model: Instance, sites: readonly Instance[]): readonly string[] {
  const near = didYouMean(
    written,
    instancesBelow(model).map((instance) => instance.path),
  );
  return near.length > 0
    ? near
    : suggest(
        written,
        sites.map((site) => site.path),
      );
}

function cannotMatch(selector: Selector, matched: readonly Instance[], taken: ReadonlyMap<string, PolicyRule>): Diagnostic {
  const before = [...new Set(matched.flatMap((site) => taken.get(site.path) ?? []))];
  const all = matched.map((site) => `\`${site.path}\``);
  const what = all.length <= 3 ? all.join(", ") : `all ${all.length} sites that it matches`;
  return {
    ...error("never-matches", `\`${printSelector(selector)}\` can never match: earlier rules take ${what}`, selector.span, "", [
      "the first rule that matches decides: put the special rule first",
    ]),
    secondary: before.map((rule) => ({ span: rule.span, message: "this rule is first" })),
  };
}

/** The scheme with its settings, checked against the table; undefined for `none`, and after a problem. */
function resolveChoice(cx: PolicyContext, rule: PolicyRule, scope: Scope): QuantizeChoice | undefined {
  const { scheme } = rule;
  if (scheme.text === "none") {
    const [setting] = rule.settings;
    if (setting !== undefined) cx.diagnostics.push(error("unknown-setting", "`none` has no settings", setting.span));
    return undefined;
  }
  const quantizer = cx.quantizers.find((q) => q.name === scheme.text);
  if (quantizer === undefined) {
    cx.diagnostics.push(
      error("unknown-scheme", `there is no scheme \`${scheme.text}\``, scheme.span, "", suggest(scheme.text, schemeNames(cx))),
    );
    return undefined;
  }
  const settings = new Map<string, SettingValue>();
  for (const setting of rule.settings) {
    const name = setting.name.text;
    const declared = Object.hasOwn(quantizer.settings, name) ? quantizer.settings[name] : undefined;
    if (declared === undefined) {
      const message = `no setting \`${name}\`; \`${quantizer.name}\` has ${Object.keys(quantizer.settings).join(", ")}`;
      cx.diagnostics.push(
        error(
          "unknown-setting",
          message,
          setting.name.span,
          "",
          suggest(name, Object.keys(quantizer.settings)).filter((s) => s.startsWith("did")),
        ),
      );
      continue;
    }
    if (settings.has(name)) cx.diagnostics.push(error("duplicate-setting", `\`${name}\` is set twice`, setting.span));
    const value = settingValue(setting, scope, cx.diagnostics);
    if (value === undefined) {
      settings.set(name, "none");
      continue;
    }
    if (!declared.accepts(value))
      cx.diagnostics.push(
        error("wrong-setting", `\`${name} = ${value}\` is not allowed`, setting.span, "", [`\`${name}\` is ${declared.describe}`]),
      );
    settings.set(name, value);
  }
  for (const [name, declared] of Object.entries(quantizer.settings)) {
    if (declared.fallback !== undefined || settings.has(name)) continue;
    cx.diagnostics.push(
      error("missing-setting", `\`${quantizer.name}\` needs the setting \`${name}\``, scheme.span, "", [
        `\`${name}\` is ${declared.describe}`,
      ]),
    );
  }
  // In the table's order, so that two policies that mean the same print the same.
  const ordered = Object.keys(quantizer.settings).flatMap((name) => {
    const value = settings.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { scheme: quantizer.name, settings: Object.fromEntries(ordered) };
}

function settingValue(setting: Setting, scope: Scope, diagnostics: Diagnostic[]): SettingValue | undefined {
  if (setting.value.kind === "selector" || setting.value.kind === "selectors") {
    diagnostics.push(error("wrong-setting", `\`${setting.name.text}\` takes a number or a word, not a selector`, setting.span));
    return undefined;
  }
  const value: Constant | undefined = evaluate(setting.value, scope, diagnostics);
  if (value === undefined) return undefined;
  if (value.kind === "int" || value.kind === "float" || value.kind === "word") return value.value;
  diagnostics.push(
    error("wrong-setting", `\`${setting.name.text}\` takes a number or a word, not ${describeConstant(value)}`, setting.span),
  );
  return undefined;
}
