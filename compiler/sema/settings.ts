// Settings of optimizers and schedules: typed specifications, and reading a block of settings against one.
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import { suggest } from "../../ir/nearest.ts";
import type { Name } from "../syntax/ast-expression.ts";
import type { Selector, Setting } from "../syntax/ast-recipe.ts";
import { asParameter, type Constant, describeConstant } from "./constant.ts";
import { evaluate, type Scope } from "./evaluate.ts";

/** A number with its bounds (`from` included), or a fixed count of them. No `fallback`: it must be given. */
export interface NumberSetting {
  readonly kind: "int" | "float";
  readonly describe: string;
  readonly from: number;
  /** Excluded. */
  readonly below?: number;
  /** Length of a list; absent for a single number. */
  readonly count?: number;
  readonly fallback?: readonly number[];
}

export type SettingsSpec = Readonly<Record<string, NumberSetting>>;

/** What was read: numbers by setting, each a list, and selectors by setting. */
export interface SettingValues {
  numbers(name: string): readonly number[];
  readonly selectors: ReadonlyMap<string, readonly Selector[]>;
}

/** Read settings against a specification; `selectors` names those that hold a selector or a list of them. Undefined after an error. */
export function readSettings(
  owner: Name,
  settings: readonly Setting[],
  spec: SettingsSpec,
  selectorNames: readonly string[],
  scope: Scope,
  diagnostics: Diagnostic[],
): SettingValues | undefined {
  const numbers = new Map<string, readonly number[]>();
  const selectors = new Map<string, readonly Selector[]>();
  let failed = false;
  const fail = (problem: Diagnostic) => {
    failed = true;
    diagnostics.push(problem);
  };
  for (const setting of settings) {
    const name = setting.name.text;
    if (selectorNames.includes(name)) {
      const found = selectorsOf(setting);
      if (found === undefined)
        fail(error("wrong-setting", `\`${name}\` takes a selector`, setting.span, "", [`write \`${name} = layers.**\``]));
      else selectors.set(name, found);
      continue;
    }
    const wanted = Object.hasOwn(spec, name) ? spec[name] : undefined;
    if (wanted === undefined) {
      const known = [...Object.keys(spec), ...selectorNames];
      fail(
        error(
          "unknown-setting",
          `no setting \`${name}\`; \`${owner.text}\` has ${known.join(", ")}`,
          setting.name.span,
          "",
          suggest(name, known).filter((s) => s.startsWith("did")),
        ),
      );
      continue;
    }
    if (setting.value.kind === "selector" || setting.value.kind === "selectors") {
      fail(error("wrong-setting", `\`${name}\` is ${wanted.describe}`, setting.span));
      continue;
    }
    const value = evaluate(setting.value, scope, diagnostics);
    const read = value === undefined ? undefined : numbersOf(value, wanted);
    if (read !== undefined) numbers.set(name, read);
    else if (value === undefined) failed = true;
    else fail(error("wrong-setting", `\`${name}\` is ${wanted.describe}, got ${describeConstant(value)}`, setting.value.span));
  }
  for (const [name, wanted] of Object.entries(spec)) {
    if (numbers.has(name) || failed) continue;
    if (wanted.fallback === undefined)
      fail(
        error("missing-setting", `\`${owner.text}\` needs the setting \`${name}\``, owner.span, "", [`\`${name}\` is ${wanted.describe}`]),
      );
    else numbers.set(name, wanted.fallback);
  }
  return failed ? undefined : { numbers: (name) => numbers.get(name) ?? [], selectors };
}

function numbersOf(value: Constant, wanted: NumberSetting): readonly number[] | undefined {
  const items = wanted.count === undefined ? [value] : value.kind === "list" ? value.items : [];
  if (items.length !== (wanted.count ?? 1)) return undefined;
  const numbers = items.map((item) => {
    const fitting = asParameter(item, wanted.kind);
    return fitting?.kind === "int" || fitting?.kind === "float" ? fitting.value : Number.NaN;
  });
  return numbers.every((n) => n >= wanted.from && n < (wanted.below ?? Number.POSITIVE_INFINITY)) ? numbers : undefined;
}

function selectorsOf(setting: Setting): readonly Selector[] | undefined {
  const { value } = setting;
  if (value.kind === "selector") return [value];
  if (value.kind === "selectors") return value.items;
  const names = value.kind === "list" ? value.items : [value];
  const selectors = names.map((item): Selector | undefined =>
    item.kind === "use-name"
      ? { kind: "selector", span: item.span, segments: [{ kind: "word", span: item.span, text: item.text }], optional: false }
      : undefined,
  );
  const known = selectors.filter((s) => s !== undefined);
  return known.length === selectors.length ? known : undefined;
}
