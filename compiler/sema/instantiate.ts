// The instance tree: binds a module's parameters, evaluates its constants and requirements, and makes its weights and children.
import { type Diagnostic, error, type Label } from "../../ir/diagnostic.ts";
import type { DiagnosticCode } from "../../ir/errors/table.ts";
import { type InitRule, initFrom } from "../../ir/init.ts";
import { didYouMean, suggest } from "../../ir/nearest.ts";
import type { Span } from "../../ir/source.ts";
import { type Scalar, scalars, type TensorType, tensor } from "../../ir/type.ts";
import type {
  ChildDeclaration,
  FunctionDeclaration,
  ModuleDeclaration,
  RequireDeclaration,
  TieDeclaration,
  TypeNode,
  WeightDeclaration,
} from "../syntax/ast.ts";
import type { Argument, Expression, Name } from "../syntax/ast-expression.ts";
import { type Constant, describeConstant, intConstant, printConstant } from "./constant.ts";
import { evaluate, evaluateAs, type Scope } from "./evaluate.ts";
import type { Declared, FileScope } from "./files.ts";
import { bindParameters, type GivenParameter } from "./parameters.ts";
import type { Instance, InstanceArray, Weight } from "./resolved.ts";

/** A `tie` with the instance that it stands in. */
export interface PendingTie {
  readonly tie: TieDeclaration;
  readonly inside: string;
}

/** What all instances of one model share while they are made. */
export interface InstantiateContext {
  readonly diagnostics: Diagnostic[];
  readonly ties: PendingTie[];
  /** Modules with their parameters that are being made, outermost first: one that comes again contains itself. */
  readonly open: OpenModule[];
  /** Names of the modules of the standard library, for help. */
  readonly standardModules: () => readonly string[];
  /** How many more instances may be made. */
  budget: number;
}

interface OpenModule {
  readonly name: string;
  /** With file and parameters. */
  readonly key: string;
}

export const newInstantiateContext = (diagnostics: Diagnostic[], standardModules: () => readonly string[]): InstantiateContext => ({
  diagnostics,
  ties: [],
  open: [],
  standardModules,
  budget: mostInstances,
});

/** Far more than any model has; a module that contains itself with ever new parameters reaches it. */
const mostInstances = 100_000;
const deepest = 64;
const longestArray = 65_536;

/** A call of a module: where, with what, and who says so. */
interface Call {
  readonly args: readonly Argument[];
  readonly scope: Scope;
  readonly at: Span;
  readonly given: readonly GivenParameter[];
}

/** Answers undefined where the module contains itself. */
export function instantiate(cx: InstantiateContext, target: Declared<ModuleDeclaration>, path: string, call: Call): Instance | undefined {
  const { declaration: module, scope: file } = target;
  const callee = { name: module.name, parameters: module.parameters, constants: file.constants, broken: file.broken };
  const parameters = bindParameters(callee, call.args, call.scope, call.at, call.given, cx.diagnostics);
  const name = module.name.text;
  const key = `${file.source.path} ${callName(module, parameters)}`;
  const known = cx.open.findIndex((outer) => outer.key === key);
  if (known >= 0 || cx.open.length >= deepest || cx.budget <= 0) {
    // Only the first time: a module that contains itself twice would say so without end.
    const round = [...cx.open.slice(known).map((outer) => outer.name), name];
    const help = known < 0 ? [] : [`it goes round: ${round.join(" > ")}`];
    if (cx.budget > 0) cx.diagnostics.push(error("endless-model", `\`${name}\` contains itself without end`, call.at, "", help));
    cx.budget = 0;
    return undefined;
  }
  cx.budget--;
  cx.open.push({ name, key });
  const instance = new InstanceBuilder(cx, module, file, path, parameters, call.at).build();
  cx.open.pop();
  return instance;
}

export function callName(module: ModuleDeclaration, parameters: ReadonlyMap<string, Constant>): string {
  return `${module.name.text}(${[...parameters].map(([name, value]) => `${name} = ${printConstant(value)}`).join(", ")})`;
}

/** One instance in the making: its names grow member by member, in the order in which they are written. */
class InstanceBuilder {
  readonly #cx: InstantiateContext;
  readonly #module: ModuleDeclaration;
  readonly #file: FileScope;
  readonly #path: string;
  readonly #parameters: ReadonlyMap<string, Constant>;
  readonly #at: Span;
  readonly #constants: Map<string, Constant>;
  readonly #broken: Set<string>;
  readonly #weights = new Map<string, Weight>();
  readonly #children = new Map<string, Instance | InstanceArray>();
  readonly #absent = new Map<string, Expression>();
  readonly #functions = new Map<string, FunctionDeclaration>();
  readonly #names = new Map<string, Span>();

  constructor(
    cx: InstantiateContext,
    module: ModuleDeclaration,
    file: FileScope,
    path: string,
    parameters: ReadonlyMap<string, Constant>,
    at: Span,
  ) {
    this.#cx = cx;
    this.#module = module;
    this.#file = file;
    this.#path = path;
    this.#parameters = parameters;
    this.#at = at;
    this.#constants = new Map([...file.constants, ...parameters]);
    this.#broken = new Set([...file.broken, ...module.parameters.map((p) => p.name.text).filter((name) => !parameters.has(name))]);
  }

  build(): Instance {
    for (const parameter of this.#module.parameters) this.#claim(parameter.name.text, parameter.name.span);
    for (const member of this.#module.members) {
      switch (member.kind) {
        case "const": {
          if (!this.#claim(member.name.text, member.name.span)) break;
          const value = evaluate(member.value, this.#scope, this.#cx.diagnostics);
          if (value === undefined) this.#broken.add(member.name.text);
          else this.#constants.set(member.name.text, value);
          break;
        }
        case "require":
          this.#require(member);
          break;
        case "weight":
          if (this.#claim(member.name.text, member.name.span) && this.#present(member.name.text, member.condition)) this.#weight(member);
          break;
        case "child":
          if (this.#claim(member.name.text, member.name.span) && this.#present(member.name.text, member.condition)) this.#child(member);
          break;
        case "function":
          for (const { scalar } of [...member.inputs.map(({ type }) => type), member.result]) scalarOf(scalar, this.#cx.diagnostics);
          if (this.#claim(member.name?.text ?? "", member.name?.span ?? member.span)) this.#functions.set(member.name?.text ?? "", member);
          break;
        case "tie":
          this.#cx.ties.push({ tie: member, inside: this.#path });
          break;
        default:
          member satisfies never;
      }
    }
    return {
      kind: "instance",
      path: this.#path,
      module: this.#module,
      constants: this.#constants,
      parameters: this.#parameters,
      weights: this.#weights,
      children: this.#children,
      absent: this.#absent,
      functions: this.#functions,
      declaredAt: this.#at,
    };
  }

  get #scope(): Scope {
    return { constants: this.#constants, broken: this.#broken };
  }

  #report(
    code: DiagnosticCode,
    message: string,
    at: Span,
    label = "",
    help: readonly string[] = [],
    secondary: readonly Label[] = [],
  ): void {
    this.#cx.diagnostics.push({ ...error(code, message, at, label, help), ...(secondary.length === 0 ? {} : { secondary }) });
  }

  #claim(name: string, at: Span): boolean {
    const first = this.#names.get(name);
    if (first === undefined) {
      this.#names.set(name, at);
      return true;
    }
    const what = name === "" ? "the function without a name" : `\`${name}\``;
    this.#report(
      "duplicate-name",
      `${what} is declared twice in \`${this.#module.name.text}\``,
      at,
      "here again",
      [],
      [{ span: first, message: "declared here first" }],
    );
    return false;
  }

  #present(name: string, condition: Expression | undefined): boolean {
    if (condition === undefined) return true;
    const value = evaluateAs("bool", condition, this.#scope, this.#cx.diagnostics);
    if (value === undefined) this.#broken.add(name);
    else if (!value.value) this.#absent.set(name, condition);
    return value?.value === true;
  }

  #require(member: RequireDeclaration): void {
    const value = evaluateAs("bool", member.condition, this.#scope, this.#cx.diagnostics);
    if (value === undefined || value.value) return;
    const bound = [...this.#parameters].map(([name, constant]) => `${name} = ${printConstant(constant)}`).join(", ");
    const where = this.#path === "" ? `\`${this.#module.name.text}\`` : `\`${this.#path}\``;
    const message = member.message?.value ?? "a requirement does not hold";
    this.#report(
      "require",
      `${where}: ${message}`,
      this.#at,
      `here, ${this.#module.name.text}(${bound})`,
      [],
      [{ span: member.condition.span, message: "required here" }],
    );
  }

  #weight(member: WeightDeclaration): void {
    const type = this.#weightType(member.type);
    const init = this.#init(member.initial);
    if (type === undefined || init === undefined) {
      this.#broken.add(member.name.text);
      return;
    }
    const path = this.#path === "" ? member.name.text : `${this.#path}.${member.name.text}`;
    this.#weights.set(member.name.text, { path, type, init, declaredAt: member.name.span });
  }

  #weightType(node: TypeNode): TensorType | undefined {
    if (node.leading) this.#report("unknown-size", "a parameter's axes must be known: `..` cannot stand here", node.span);
    const dims = node.dims.map((dim) => {
      const size = evaluateAs("int", dim, this.#scope, this.#cx.diagnostics);
      if (size !== undefined && size.value < 1) this.#report("unknown-size", `an axis cannot have size ${size.value}`, dim.span);
      return size?.value;
    });
    const scalar = scalarOf(node.scalar, this.#cx.diagnostics);
    if (scalar !== undefined && scalar !== "f32")
      this.#report("unknown-type", "parameters are f32", node.scalar.span, "", ["a policy says how they are quantized"]);
    const known = dims.filter((d) => d !== undefined);
    return node.leading || scalar === undefined || known.length < dims.length ? undefined : tensor(scalar, known);
  }

  #init(initial: Expression): InitRule | undefined {
    const call = initial.kind === "call" ? initial : undefined;
    const callee = call === undefined ? initial : call.callee;
    const rules = "`zeros`, `ones`, `constant(x)`, `normal(mean, deviation)`, `uniform(low, high)`";
    if (callee.kind === "missing") return undefined;
    if (callee.kind !== "use-name") {
      this.#report("unknown-init", "this is not an initial value", initial.span, "", [`initial values are ${rules}`]);
      return undefined;
    }
    const args = (call?.args ?? []).map((argument) => {
      const value = evaluate(argument.value, this.#scope, this.#cx.diagnostics);
      if (value === undefined) return undefined;
      if (value.kind === "float" || (value.kind === "int" && value.literal === true)) return value.value;
      this.#report(
        "type-mismatch",
        `\`${callee.text}\` takes floats`,
        argument.value.span,
        `this is ${describeConstant(value)}`,
        value.kind === "int" ? ["an int becomes a float by `float(...)`"] : [],
      );
      return undefined;
    });
    const known = args.filter((a) => a !== undefined);
    if (known.length < args.length) return undefined;
    const rule = initFrom(callee.text, known);
    if (rule === undefined)
      this.#report(
        "unknown-init",
        `there is no initial value \`${callee.text}\` of ${known.length} argument${known.length === 1 ? "" : "s"}`,
        initial.span,
        "",
        [`initial values are ${rules}`],
      );
    return rule;
  }

  #child(member: ChildDeclaration): void {
    const name = member.name.text;
    const path = this.#path === "" ? name : `${this.#path}.${name}`;
    const { value } = member;
    if (value.kind !== "comprehension" && value.kind !== "list") {
      const child = this.#make(value, path, this.#scope);
      if (child === undefined) this.#broken.add(name);
      else this.#children.set(name, child);
      return;
    }
    const scopes = value.kind === "list" ? value.items.map((item) => ({ item, scope: this.#scope })) : this.#iterations(value);
    const items = scopes?.map(({ item, scope }, i) => this.#make(item, `${path}.${i}`, scope));
    const made = items?.filter((item) => item !== undefined);
    if (items === undefined || made === undefined || made.length < items.length) this.#broken.add(name);
    else this.#children.set(name, { kind: "instances", path, items: made, declaredAt: value.span });
  }

  #iterations(value: Extract<Expression, { kind: "comprehension" }>): readonly { item: Expression; scope: Scope }[] | undefined {
    const values = iterate(value.over, this.#scope, this.#cx.diagnostics);
    return values?.map((constant) => ({
      item: value.item,
      scope: { ...this.#scope, constants: new Map([...this.#constants, [value.name.text, constant]]) },
    }));
  }

  /** The instance that `Linear(dim, dim)` makes. */
  #make(value: Expression, path: string, scope: Scope): Instance | undefined {
    if (value.kind === "missing") return undefined;
    const callee = value.kind === "call" ? value.callee : value;
    if (callee.kind !== "use-name") {
      this.#report("not-a-module", "a submodule is `name = Module(...)`", value.span, "this is not a call of a module", [
        "a number or a text is `const name = ...`",
      ]);
      return undefined;
    }
    const target = this.#file.modules.get(callee.text);
    if (target === undefined) {
      if (!this.#file.broken.has(callee.text))
        this.#report("unknown-name", `no module is named \`${callee.text}\``, callee.span, "", this.#moduleHelp(callee.text));
      return undefined;
    }
    return instantiate(this.#cx, target, path, { args: value.kind === "call" ? value.args : [], scope, at: value.span, given: [] });
  }

  #moduleHelp(name: string): readonly string[] {
    const standard = this.#cx.standardModules();
    if (standard.includes(name)) return [`it is in the standard library: write \`use std.{${name}}\` at the top`];
    const near = didYouMean(name, [...this.#file.modules.keys(), ...standard]);
    return near.length > 0 ? near : suggest(name, this.#file.modules.keys());
  }
}

/** The constants that `0..n` or a list runs through. */
function iterate(over: Expression, scope: Scope, diagnostics: Diagnostic[]): readonly Constant[] | undefined {
  if (over.kind !== "range") return evaluateAs("list", over, scope, diagnostics)?.items;
  const from = evaluateAs("int", over.from, scope, diagnostics);
  const to = over.to === undefined ? undefined : evaluateAs("int", over.to, scope, diagnostics);
  if (from === undefined || to === undefined) return undefined;
  const count = Math.max(0, to.value - from.value);
  if (count > longestArray) {
    diagnostics.push(error("endless-model", `this range has ${count} steps, more than ${longestArray}`, over.span));
    return undefined;
  }
  return Array.from({ length: count }, (_, i) => intConstant(from.value + i));
}

export function scalarOf(name: Name, diagnostics: Diagnostic[]): Scalar | undefined {
  const scalar = scalars.find((s) => s === name.text);
  if (scalar === undefined)
    diagnostics.push(error("unknown-type", `there is no type \`${name.text}\``, name.span, "", helpForScalar(name.text)));
  return scalar;
}

const foreignScalars: Readonly<Record<string, Scalar>> = { float: "f32", half: "f16", int: "i32", uint: "u32", bfloat16: "bf16" };

function helpForScalar(name: string): readonly string[] {
  const meant = Object.hasOwn(foreignScalars, name) ? foreignScalars[name] : undefined;
  return meant === undefined ? suggest(name, scalars) : [`did you mean \`${meant}\`?`];
}
