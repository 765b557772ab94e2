// What the parser says: our own words for each rule, and a plain sentence where a rule has none.
// Chevrotain carries one string an error; ours is `message\nlabel`, the label to stand under the guilty token.
import { EOF, type IParserErrorMessageProvider, type IToken, type TokenType, tokenLabel } from "chevrotain";
import { Identifier, In, reservedWords } from "./tokens.ts";

/** By rule, then by the name of the token that was expected. */
const expectations: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  use: { Identifier: "`use` needs the name of a file: `use std.{Linear}`" },
  choices: { CloseBrace: "the choice is not closed: it needs `,` between its names and `}` at the end" },
  selectorList: { CloseBracket: "the list is not closed: it needs `,` between its items and `]` at the end" },
  nameList: { CloseBrace: "the list of names is not closed: it needs `}`", Identifier: "a list of names holds names only: `{a, b}`" },
  module: {
    Identifier: "a module needs a name",
    OpenBrace: "a module needs a body in braces",
    CloseBrace: "a module holds `param`, `const`, `require`, `tie`, `fn` and `name = Module(...)`",
  },
  parameters: { CloseParen: "the parameters are not closed: they need `,` between them and `)` at the end" },
  parameter: { Colon: "a parameter needs a type: `name: int`", Identifier: "a parameter is `name: type`" },
  weight: {
    Identifier: "`param` needs a name",
    Colon: "`param` needs a type: `param weight: f32[n, m] = normal(0.0, 0.02)`",
    Assign: "`param` needs an initial value: `= zeros`, `= normal(mean, deviation)`",
  },
  constant: { Identifier: "`const` needs a name", Assign: "`const` needs a value: `const name = value`" },
  child: { Assign: "a submodule is `name = Module(...)`" },
  tie: { Assign: "`tie` needs two paths: `tie lm_head.weight = embed.table`" },
  fn: {
    Arrow: "a function needs a result type: `-> f32[.., n]`",
  },
  inputs: { CloseParen: "the inputs are not closed: they need `,` between them and `)` at the end" },
  arrayInput: { Colon: "an input needs a type: `x: f32[.., n]`", Identifier: "an input is `name: type`" },
  type: { Identifier: "a type begins with a scalar: `f32[.., n]`, `i32[]`" },
  dims: { CloseBracket: "`[` is not closed: it needs `,` between its items and `]` at the end" },
  block: { OpenBrace: "a body in braces is missing", CloseBrace: "a statement starts with `let`, `var`, `for`, `return` or `name =`" },
  declare: { Identifier: "`let` and `var` need a name", Assign: "`let` and `var` need a value: `let name = value`" },
  assign: { Assign: "a statement starts with `let`, `var`, `for`, `return` or `name =`" },
  loop: { Identifier: "`for` needs a name: `for layer in layers`", In: "`for` needs `in`: `for layer in layers`" },
  choose: { Then: "`if` is an expression here: `if condition then a else b`", Else: "an `if` expression needs its `else`" },
  suffix: { Identifier: "a name must follow the dot" },
  args: { CloseParen: "the call is not closed: it needs `,` between its arguments and `)` at the end" },
  group: { CloseParen: "`(` is not closed" },
  list: {
    CloseBracket: "the list is not closed: it needs `,` between its items and `]` at the end",
    In: "`for` in a list needs `in`: `[Block(dim) for i in 0..depth]`",
  },
  quantize: {
    Identifier: "`quantize` needs a name, and a model after `for`: `quantize name for any { ... }`",
    For: "a policy needs `for any` or `for Model`",
    OpenBrace: "a policy needs its rules in braces",
    CloseBrace: "a policy holds rules: `selector => scheme`",
  },
  policyReference: { Identifier: "the name of a policy is missing" },
  recipeReference: { Identifier: "the name of a recipe is missing: `train name = other(...)`" },
  policyRule: { FatArrow: "a policy rule needs `=>`", Identifier: "a policy rule needs a scheme or `none` after `=>`" },
  settings: { CloseBrace: "the settings are not closed: they need `,` between them and `}` at the end" },
  setting: { Identifier: "a setting is `name = value`" },
  recipe: {
    Identifier: "a recipe is `train name of Model with policy { ... }` or `train name = other(...)`",
    Of: "a recipe needs a model: `train name of Model with policy { ... }`",
    OpenBrace: "a recipe needs its statements in braces",
    CloseBrace:
      "a recipe holds `const`, `data`, `loss`, `optimizer`, `schedule`, `clip`, `remat`, `eval`, `checkpoint`, `accumulate`, `precision` and `head_chunk`",
  },
  data: { Assign: "`data` needs a source: `data x: f32[64, 784] = mnist()`" },
  optimizer: { Identifier: "`optimizer` needs a name: `optimizer adamw { ... }`" },
  schedule: { Identifier: "`schedule` needs a name: `schedule warmup_cosine { ... }`" },
  clip: { Identifier: "`clip` says what it limits: `clip grad_norm = 1.0`", Assign: "`clip` needs a limit: `clip grad_norm = 1.0`" },
  evaluate: {
    Every: "`eval` says how often: `eval every 50 { loss over 20 }`",
    OpenBrace: "`eval` needs its metrics in braces",
    CloseBrace: "a metric is `name over batches`: `loss over 20`",
  },
  checkpoint: { Every: "`checkpoint` says how often: `checkpoint every 100`, `checkpoint every 300 s`" },
  accumulate: { Assign: "`accumulate` needs a number: `accumulate = 8`" },
  precision: { Assign: "`precision` is `f32` or `f16`: `precision = f16`" },
  headChunk: { Assign: "`head_chunk` is `auto`, `none` or a number of rows: `head_chunk = 256`" },
};

/** By rule, where no alternative fits the next token. */
const alternatives: Readonly<Record<string, string>> = {
  item: "a file holds `use`, `const`, `module`, `quantize` and `train`",
  member: "a module holds `param`, `const`, `require`, `tie`, `fn` and `name = Module(...)`",
  statement: "a statement starts with `let`, `var`, `for`, `return` or `name =`",
  quantize: "a policy is `quantize name for any { ... }` or `quantize name = other(...)`",
  recipeStatement:
    "a recipe holds `const`, `data`, `loss`, `optimizer`, `schedule`, `clip`, `remat`, `eval`, `checkpoint`, `accumulate`, `precision` and `head_chunk`",
  segment: "a name, `*`, `**` or `{a, b}` is missing in the selector",
  settingValue: "the setting's value is missing",
  list: "the list is not closed: it needs `,` between its items and `]` at the end",
  policyRule: "a policy rule starts with a selector: `layers.** => quest { w = 4, a = 4 }`",
  choices: "a choice holds names: `{a, b}`",
  nameList: "a list of names holds names only: `{a, b}`",
  data: "`data` needs an array: `data x: f32[64, 784] = mnist()`",
  remat: "`remat` needs a selector: `remat layers.*`",
};
const expressionRules: ReadonlySet<string> = new Set([
  "expression",
  "choose",
  "pipe",
  "comparison",
  "sum",
  "product",
  "unary",
  "postfix",
  "primary",
  "indexItem",
  "suffix",
]);

function describeToken(token: IToken): string {
  if (token.image === "") return "the end of the text";
  return reservedWords.includes(token.tokenType) ? `the word \`${token.image}\`` : `\`${token.image}\``;
}

function alternative(ruleName: string, actual: IToken | undefined): string {
  const found = actual === undefined ? "" : `\nfound ${describeToken(actual)}`;
  const known = alternatives[ruleName === "file" ? "item" : ruleName];
  if (known !== undefined) return `${known}${found}`;
  if (expressionRules.has(ruleName)) return `an expression is missing${found}`;
  return `${ruleName} cannot go on like this${found}`;
}

export const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage({ expected, actual, ruleName }: { expected: TokenType; actual: IToken; ruleName: string }) {
    if (expected === Identifier && reservedWords.includes(actual.tokenType) && actual.tokenType !== In)
      return `\`${actual.image}\` is a word of the language and cannot be a name`;
    if (expected === EOF) return alternative(ruleName, actual);
    const known = expectations[ruleName]?.[expected.name];
    return `${known ?? `${tokenLabel(expected)} is missing`}\nfound ${describeToken(actual)}`;
  },
  buildNotAllInputParsedMessage({ firstRedundant, ruleName }) {
    if (ruleName === "file") return alternative(ruleName, firstRedundant);
    return `nothing more can follow here\nfound ${describeToken(firstRedundant)}`;
  },
  buildNoViableAltMessage: ({ actual, ruleName }) => alternative(ruleName, actual[0]),
  buildEarlyExitMessage: ({ actual, ruleName }) => alternative(ruleName, actual[0]),
};
