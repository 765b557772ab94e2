// Lowering function bodies: statements run in order, `for` is unrolled, calls of submodules are inlined.
import { reject } from "../../ir/diagnostic.ts";
import { suggest } from "../../ir/nearest.ts";
import type { Span } from "../../ir/source.ts";
import { printType } from "../../ir/type.ts";
import { type Constant, callConstantFunction, combine, constantFunctionNames, negate } from "../sema/constant.ts";
import type { Instance } from "../sema/resolved.ts";
import type { Block, ForStatement, FunctionDeclaration, ReturnStatement, Statement } from "../syntax/ast.ts";
import type { CallExpression, Expression, IndexExpression, PipeExpression } from "../syntax/ast-expression.ts";
import type { GivenArgument } from "./arguments.ts";
import { lowerNegation, lowerOperator } from "./arithmetic.ts";
import { lowerBuiltin } from "./builtins.ts";
import type { EntryContext } from "./entry-context.ts";
import { type Frame, Locals, lookUp, memberOf, namesIn, newFrame } from "./frame.ts";
import { bindInputs, calledName, reportInput, resultTensor, tensorFor } from "./inputs.ts";
import { asDim, constantMeaning, describe, dimMeaning, failed, type Meaning, tensorMeaning } from "./meaning.ts";
import { combineSizes, matchType, printWritten } from "./signature-match.ts";
import { type IndexItem, lowerIndex, rangeItem } from "./slicing.ts";

const deepest = 100;
const longestLoop = 65_536;

/** What a body gives back, and the expression that says so. Undefined where a `return` is missing, which is reported. */
export function lowerBody(
  cx: EntryContext,
  frame: Frame,
  block: Block,
  hint: string | undefined,
): { readonly meaning: Meaning; readonly at: Span } | undefined {
  const last = block.statements.at(-1);
  for (const statement of block.statements) {
    if (statement.kind === "return" && !cx.problems.step(statement.span)) return undefined;
    if (statement.kind !== "return") lowerStatement(cx, frame, statement);
    else if (statement === last) return { meaning: lowerExpression(cx, frame, statement.value, hint), at: statement.value.span };
    else cx.report("early-return", "`return` ends a body: nothing can follow it", statement.span);
  }
  // A `return` that stands too early, or in a loop, has been reported.
  if (!returnsSomewhere(block))
    cx.report(
      "missing-return",
      "this body gives nothing back",
      { ...block.span, start: Math.max(block.span.start, block.span.end - 1) },
      "a `return` is missing here",
    );
  return undefined;
}

const returnsSomewhere = ({ statements }: Block): boolean =>
  statements.some((statement) => statement.kind === "return" || (statement.kind === "for" && returnsSomewhere(statement.body)));

function lowerStatement(cx: EntryContext, frame: Frame, statement: Exclude<Statement, ReturnStatement>): void {
  if (!cx.problems.step(statement.span)) return;
  if (statement.kind === "for") {
    lowerLoop(cx, frame, statement);
    return;
  }
  const { text: name, span: at } = statement.name;
  const meaning = lowerExpression(cx, frame, statement.value, name === "" ? undefined : name);
  if (statement.kind === "let") {
    const known = frame.locals.declare(name, { meaning, mutable: statement.mutable, at });
    if (known !== undefined)
      cx.report(
        "duplicate-name",
        `\`${name}\` is declared twice`,
        at,
        "here again",
        ["a `var` changes by `name = value`"],
        [{ span: known.at, message: "declared here first" }],
      );
    return;
  }
  const local = frame.locals.find(name);
  if (local === undefined) cx.report("unknown-name", `no \`var\` is named \`${name}\``, at, "", suggest(name, frame.locals.names()));
  else if (local.mutable) local.meaning = meaning;
  else
    cx.report(
      "not-mutable",
      `\`${name}\` cannot change`,
      at,
      "assigned here",
      ["declare it with `var`"],
      [{ span: local.at, message: "declared here" }],
    );
}

function lowerLoop(cx: EntryContext, frame: Frame, loop: ForStatement): void {
  for (const meaning of itemsOf(cx, frame, loop.over) ?? []) {
    const locals = new Locals(frame.locals);
    locals.declare(loop.name.text, { meaning, mutable: false, at: loop.name.span });
    for (const statement of loop.body.statements) {
      if (statement.kind === "return") cx.report("early-return", "a `for` cannot return: every step of it is done", statement.span);
      else lowerStatement(cx, { ...frame, locals }, statement);
    }
  }
}

function itemsOf(cx: EntryContext, frame: Frame, over: Expression): readonly Meaning[] | undefined {
  if (over.kind === "range") {
    const [from, to] = [lowerExpression(cx, frame, over.from), over.to === undefined ? failed : lowerExpression(cx, frame, over.to)];
    if (from.kind === "failed" || to.kind === "failed") return undefined;
    const [first, end] = [asDim(from), asDim(to)];
    if (typeof first === "number" && typeof end === "number") {
      if (end - first > longestLoop) {
        cx.report("too-many-steps", `this loop has ${end - first} steps, more than ${longestLoop}`, over.span);
        return undefined;
      }
      return Array.from({ length: Math.max(0, end - first) }, (_, i) => dimMeaning(first + i));
    }
    cx.report(
      "not-constant",
      "the bounds of a `for` must be known when the model is compiled",
      over.span,
      `this is ${describe(from)} to ${describe(to)}`,
    );
    return undefined;
  }
  const meaning = lowerExpression(cx, frame, over);
  if (meaning.kind === "instances" || meaning.kind === "list") return meaning.items;
  if (meaning.kind !== "failed")
    cx.report("type-mismatch", "a `for` runs over a range or an array of submodules", over.span, `this is ${describe(meaning)}`);
  return undefined;
}

/** The meaning of an expression; `hint` names the tensor that it makes. */
function lowerExpression(cx: EntryContext, frame: Frame, expression: Expression, hint?: string): Meaning {
  const { span } = expression;
  switch (expression.kind) {
    case "int":
      return { kind: "constant", constant: { kind: "int", value: expression.value, literal: true } };
    case "float":
    case "bool":
    case "text":
      return { kind: "constant", constant: expression };
    case "use-name":
      return (
        lookUp(cx, frame, expression.text, span) ??
        cx.report("unknown-name", `nothing is named \`${expression.text}\` here`, span, "", suggestName(expression.text, frame))
      );
    case "list":
      return allOrFailed(expression.items.map((item) => lowerExpression(cx, frame, item)));
    case "unary":
      return lowerUnary(cx, lowerExpression(cx, frame, expression.value), span, hint);
    case "binary": {
      const [a, b] = [lowerExpression(cx, frame, expression.left), lowerExpression(cx, frame, expression.right)];
      if (a.kind === "failed" || b.kind === "failed") return failed;
      return cx.attempt(span, () => {
        if (a.kind === "constant" && b.kind === "constant") return constantMeaning(combine(expression.operator, a.constant, b.constant));
        const [x, y] = [asDim(a), asDim(b)];
        const size = x === undefined || y === undefined ? undefined : combineSizes(expression.operator, x, y);
        return size === undefined ? tensorMeaning(lowerOperator(cx, expression.operator, a, b, hint)) : dimMeaning(size);
      });
    }
    case "if": {
      const condition = lowerExpression(cx, frame, expression.condition);
      if (condition.kind === "failed") return failed;
      if (condition.kind === "constant" && condition.constant.kind === "bool") {
        return lowerExpression(cx, frame, condition.constant.value ? expression.then : expression.otherwise, hint);
      }
      return cx.report(
        "type-mismatch",
        "the condition of `if` must be a bool that is known when the model is compiled",
        expression.condition.span,
        `this is ${describe(condition)}`,
        ["`select(condition, yes, no)` chooses between the elements of tensors"],
      );
    }
    case "call":
      return lowerCall(cx, frame, expression, [], hint);
    case "pipe":
      return lowerPipe(cx, frame, expression, hint);
    case "index":
      return lowerIndexing(cx, frame, expression, hint);
    case "field": {
      const owner = lowerExpression(cx, frame, expression.value);
      if (owner.kind === "failed") return failed;
      if (owner.kind !== "instance")
        return cx.report("unknown-name", `only a submodule has members, this is ${describe(owner)}`, expression.value.span);
      const { text, span: at } = expression.name;
      const names = [...owner.weights.keys(), ...owner.children.keys(), ...owner.functions.keys()];
      return (
        memberOf(cx, owner, text, at) ??
        cx.report("unknown-name", `\`${owner.module.name.text}\` has no \`${text}\``, at, "", suggest(text, names))
      );
    }
    case "range":
      return cx.report("type-mismatch", "a range stands only in an index or behind `in`", span);
    case "comprehension":
      return cx.report("type-mismatch", "an array of submodules is declared in a module, not in a function", span);
    case "missing":
      return failed;
    default:
      return expression satisfies never;
  }
}

const suggestName = (name: string, frame: Frame): readonly string[] =>
  suggest(name, namesIn(frame)).filter((help) => help.startsWith("did"));

function allOrFailed(items: readonly Meaning[]): Meaning {
  return items.some((item) => item.kind === "failed") ? failed : { kind: "list", items };
}

function lowerUnary(cx: EntryContext, meaning: Meaning, at: Span, hint: string | undefined): Meaning {
  if (meaning.kind === "failed") return failed;
  return cx.attempt(at, () => {
    if (meaning.kind === "constant") return constantMeaning(negate(meaning.constant));
    if (meaning.kind === "dim") return dimMeaning(combineSizes("-", 0, meaning.dim) ?? 0);
    return meaning.kind === "tensor"
      ? tensorMeaning(lowerNegation(cx, meaning.value, hint))
      : reject(`\`-\` does not take ${describe(meaning)}`);
  });
}

/** `x |> f(a)` is `f(x, a)`. */
function lowerPipe(cx: EntryContext, frame: Frame, { value, into }: PipeExpression, hint: string | undefined): Meaning {
  const meaning = lowerExpression(cx, frame, value);
  // The place of what flows in is where it goes to: the left side may be a long chain.
  const piped: GivenArgument = { meaning, span: into.span };
  if (into.kind === "call") return lowerCall(cx, frame, into, [piped], hint);
  return callMeaning(cx, frame, lowerExpression(cx, frame, into), [piped], into.span, into.span, hint);
}

function lowerCall(
  cx: EntryContext,
  frame: Frame,
  { callee, args, span }: CallExpression,
  before: readonly GivenArgument[],
  hint: string | undefined,
): Meaning {
  const target = lowerExpression(cx, frame, callee);
  const given = args.map(
    ({ name, value }): GivenArgument => ({
      ...(name === undefined ? {} : { name: name.text }),
      meaning: lowerExpression(cx, frame, value),
      span: value.span,
    }),
  );
  return callMeaning(cx, frame, target, [...before, ...given], span, callee.span, hint);
}

function callMeaning(
  cx: EntryContext,
  frame: Frame,
  target: Meaning,
  args: readonly GivenArgument[],
  at: Span,
  calleeAt: Span,
  hint: string | undefined,
): Meaning {
  if (target.kind === "failed" || args.some((argument) => argument.meaning.kind === "failed")) return failed;
  switch (target.kind) {
    case "instance": {
      const declaration = target.functions.get("");
      const named = [...target.functions.keys()].filter((name) => name !== "");
      const help = named.length === 0 ? [] : [`it has ${named.map((name) => `\`${name}\``).join(", ")}`];
      if (declaration === undefined)
        return cx.report(
          "not-callable",
          `\`${target.module.name.text}\` has no function without a name`,
          calleeAt,
          "so it cannot be called",
          help,
        );
      return callFunction(cx, frame, target, declaration, args, at, hint ?? instanceHint(target));
    }
    case "function":
      return callFunction(cx, frame, target.instance, target.declaration, args, at, hint);
    case "builtin":
      return cx.attempt(at, () => callBuiltin(cx, target.name, args, hint));
    default:
      return cx.report("not-callable", `this cannot be called: it is ${describe(target)}`, calleeAt);
  }
}

/** Values are named after the submodule that makes them: `fc1`, and `layers` for an item of an array. */
function instanceHint(instance: Instance): string | undefined {
  return instance.path.split(".").findLast((word) => /^[A-Za-z_]/.test(word));
}

/** `sqrt(2.0)` is a constant, `sqrt(x)` an op. */
function callBuiltin(cx: EntryContext, name: string, args: readonly GivenArgument[], hint: string | undefined): Meaning {
  const constants = args.flatMap((argument): readonly Constant[] =>
    argument.meaning.kind === "constant" && argument.name === undefined ? [argument.meaning.constant] : [],
  );
  if (constantFunctionNames.includes(name) && constants.length === args.length) {
    const result = callConstantFunction(name, constants);
    if (result !== undefined) return constantMeaning(result);
  }
  if (name === "float")
    return reject(
      `\`float\` takes an int that is known when the model is compiled, got ${args.map((a) => describe(a.meaning)).join(", ")}`,
      ["a tensor is converted by `cast(x, f32)`"],
    );
  return lowerBuiltin(cx, name, args, hint);
}

function callFunction(
  cx: EntryContext,
  frame: Frame,
  instance: Instance,
  declaration: FunctionDeclaration,
  args: readonly GivenArgument[],
  at: Span,
  hint: string | undefined,
): Meaning {
  const called = declaration.name?.text ?? calledName(instance);
  if (frame.depth >= deepest) return cx.report("endless-call", `\`${called}\` calls itself without end`, at);
  const inner = newFrame(instance, instance.constants, frame.depth + 1);
  const bound = bindInputs(cx, called, declaration.inputs, args, at);
  if (bound === undefined) return failed;
  let fits = true;
  for (const { input, argument } of bound) {
    const value = tensorFor(cx, input, argument);
    const mismatch = value === undefined ? undefined : matchType(input.type, value.type, inner.sizes);
    if (value === undefined || mismatch !== undefined) {
      fits = false;
      if (value !== undefined && mismatch !== undefined)
        reportInput(cx, called, { instance, input, argument, mismatch, only: bound.length === 1 });
      continue;
    }
    if (instance === cx.resolved.model) cx.modelInputs.push(value.type);
    const parameter = argument.meaning.kind === "tensor" ? argument.meaning.parameter : undefined;
    const meaning: Meaning = { ...tensorMeaning(value), ...(parameter === undefined ? {} : { parameter }) };
    inner.locals.declare(input.name.text, { meaning, mutable: false, at: input.name.span });
  }
  return fits ? runFunction(cx, inner, called, declaration, hint) : failed;
}

/** Lower the body of a function whose inputs are bound, and check what it gives back. */
export function runFunction(
  cx: EntryContext,
  inner: Frame,
  called: string,
  declaration: FunctionDeclaration,
  hint: string | undefined,
): Meaning {
  const result = cx.within(inner.instance?.path ?? "", () => lowerBody(cx, inner, declaration.body, hint));
  if (result === undefined || result.meaning.kind === "failed") return failed;
  return cx.attempt(result.at, () => {
    const value = resultTensor(cx, declaration, result.meaning);
    if (value === undefined)
      return cx.report("type-mismatch", `\`${called}\` must give back a tensor`, result.at, `this is ${describe(result.meaning)}`);
    const mismatch = matchType(declaration.result, value.type, inner.sizes);
    if (mismatch === undefined) return tensorMeaning(value);
    const wanted =
      mismatch.kind === "size"
        ? `${mismatch.wanted}, got ${mismatch.got}`
        : `${printWritten(declaration.result, inner.sizes)}, got ${printType(value.type)}`;
    if (mismatch.kind === "unknown") return cx.report("unknown-size", mismatch.wanted, mismatch.size?.span ?? declaration.result.span);
    return cx.report("shape-mismatch", `\`${called}\` promises ${wanted}`, result.at, `this is ${printType(value.type)}`, mismatch.help, [
      { span: declaration.result.span, message: "promised here" },
    ]);
  });
}

function lowerIndexing(
  cx: EntryContext,
  frame: Frame,
  { value, leading, items, span }: IndexExpression,
  hint: string | undefined,
): Meaning {
  const whole = lowerExpression(cx, frame, value);
  const built = items.map((item) => indexItem(cx, frame, item));
  const known = built.filter((item) => item !== undefined);
  if (whole.kind === "failed" || known.length < built.length) return failed;
  if (whole.kind === "tensor") return cx.attempt(span, () => tensorMeaning(lowerIndex(cx, whole.value, leading, known, hint)));
  if (whole.kind !== "instances" && whole.kind !== "list")
    return cx.report("type-mismatch", `${describe(whole)} cannot be indexed`, value.span);
  const [only, ...more] = known;
  const at = only?.kind === "position" ? only.at : undefined;
  const index = typeof at === "number" && at < 0 ? at + whole.items.length : at;
  const item = typeof index === "number" && more.length === 0 && !leading ? whole.items[index] : undefined;
  return (
    item ?? cx.report("wrong-index", `${describe(whole)} has no such item`, span, "", [`its items are 0 to ${whole.items.length - 1}`])
  );
}

function indexItem(cx: EntryContext, frame: Frame, item: Expression): IndexItem | undefined {
  const size = (expression: Expression) => {
    const meaning = lowerExpression(cx, frame, expression);
    const dim = asDim(meaning);
    if (dim === undefined && meaning.kind !== "failed")
      cx.report("type-mismatch", "an index is an int", expression.span, `this is ${describe(meaning)}`);
    return dim;
  };
  if (item.kind !== "range") {
    const at = size(item);
    return at === undefined ? undefined : { kind: "position", at };
  }
  return rangeItem(size(item.from), item, size);
}
