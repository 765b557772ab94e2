// The lexer of `.loom`: token types, and which words are reserved everywhere or only at the start of a statement.
import { createToken, Lexer, type TokenType } from "chevrotain";

/** Names. Block words (`loss`, `data`, ...) are names too, except at the start of a statement of their block. */
export const Identifier = createToken({ name: "Identifier", pattern: /[A-Za-z_]\w*/, label: "a name" });

const titled = (word: string) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
// Words collect themselves: one that the lexer does not know could never be read.
const reservedTokens: TokenType[] = [];
/** Words that are never names. */
export const reservedWords: readonly TokenType[] = reservedTokens;
/** Words that begin something where a block expects them, and are names elsewhere. */
const blockWords: TokenType[] = [];
const collected = (words: TokenType[], token: TokenType): TokenType => {
  words.push(token);
  return token;
};
const reserved = (word: string) =>
  collected(reservedTokens, createToken({ name: titled(word), pattern: word, longer_alt: Identifier, label: `\`${word}\`` }));
const blockWord = (word: string) =>
  collected(
    blockWords,
    createToken({ name: titled(word), pattern: word, longer_alt: Identifier, categories: [Identifier], label: `\`${word}\`` }),
  );
const mark = (name: string, text: string) => createToken({ name, pattern: text, label: `\`${text}\`` });

export const Use = reserved("use");
export const Module = reserved("module");
export const Param = reserved("param");
export const Const = reserved("const");
export const Require = reserved("require");
export const Tie = reserved("tie");
export const Fn = reserved("fn");
export const Let = reserved("let");
export const Var = reserved("var");
export const For = reserved("for");
export const In = reserved("in");
export const Return = reserved("return");
export const If = reserved("if");
export const Then = reserved("then");
export const Else = reserved("else");
export const When = reserved("when");
export const True = reserved("true");
export const False = reserved("false");
export const Quantize = reserved("quantize");
export const Train = reserved("train");

export const Of = blockWord("of");
export const With = blockWord("with");
blockWord("any");
export const Data = blockWord("data");
export const Loss = blockWord("loss");
export const Optimizer = blockWord("optimizer");
export const Schedule = blockWord("schedule");
export const Clip = blockWord("clip");
export const Remat = blockWord("remat");
export const Eval = blockWord("eval");
export const Every = blockWord("every");
export const Over = blockWord("over");
export const Checkpoint = blockWord("checkpoint");
export const Accumulate = blockWord("accumulate");
export const Precision = blockWord("precision");
export const HeadChunk = blockWord("head_chunk");
export const Seconds = collected(
  blockWords,
  createToken({ name: "Seconds", pattern: "s", longer_alt: Identifier, categories: [Identifier], label: "`s`" }),
);

export const Float = createToken({ name: "Float", pattern: Lexer.NA, label: "a number" });
/** `1.`, `.5`, `0x10`, `1e`, but not `60s`: taken for a number, so that it is one problem and not several. */
export const WrongNumber = createToken({
  name: "WrongNumber",
  pattern: /\d[\d_]*\.(?![\w.*{])|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?(?!s(?!\w))[A-Za-z]\w*|(?<![\w)\]}*.])\.\d\w*/,
  categories: [Float],
  start_chars_hint: [..."0123456789."],
  line_breaks: false,
});
// A number after a dot belongs to a path (`layers.0.1`), so it never takes the next dot as its own.
const FloatLiteral = createToken({
  name: "FloatLiteral",
  pattern: /(?<!\.)\d[\d_]*\.\d[\d_]*(?:[eE][+-]?\d+)?|\d[\d_]*[eE][+-]?\d+/,
  categories: [Float],
  longer_alt: WrongNumber,
  start_chars_hint: [..."0123456789"],
  line_breaks: false,
});
export const Int = createToken({ name: "Int", pattern: /\d[\d_]*/, label: "an integer", longer_alt: WrongNumber });
export const Text = createToken({ name: "Text", pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*"/, label: "a text" });
export const UnclosedText = createToken({ name: "UnclosedText", pattern: /"[^\n\r]*/, categories: [Text] });

export const Arrow = mark("Arrow", "->");
export const FatArrow = mark("FatArrow", "=>");
export const PipeMark = mark("PipeMark", "|>");
export const Equal = mark("Equal", "==");
export const NotEqual = mark("NotEqual", "!=");
export const LessEqual = mark("LessEqual", "<=");
export const GreaterEqual = mark("GreaterEqual", ">=");
export const Less = mark("Less", "<");
export const Greater = mark("Greater", ">");
export const Assign = mark("Assign", "=");
export const DotDot = mark("DotDot", "..");
export const Dot = mark("Dot", ".");
export const Comma = mark("Comma", ",");
export const Colon = mark("Colon", ":");
export const Question = mark("Question", "?");
export const OpenParen = mark("OpenParen", "(");
export const CloseParen = mark("CloseParen", ")");
export const OpenBrace = mark("OpenBrace", "{");
export const CloseBrace = mark("CloseBrace", "}");
export const OpenBracket = mark("OpenBracket", "[");
export const CloseBracket = mark("CloseBracket", "]");
export const Plus = mark("Plus", "+");
export const Minus = mark("Minus", "-");
export const StarStar = mark("StarStar", "**");
export const Star = mark("Star", "*");
export const Slash = mark("Slash", "/");
export const Percent = mark("Percent", "%");

const Space = createToken({ name: "Space", pattern: /\s+/, group: Lexer.SKIPPED });
/** Reported; what stands in it is a comment all the same. */
const BlockComment = createToken({
  name: "BlockComment",
  pattern: /\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?/,
  group: "blockComments",
  start_chars_hint: ["/"],
  line_breaks: true,
});
const Comment = createToken({ name: "Comment", pattern: /\/\/[^\n\r]*/, group: "comments" });

/** What the items of a file begin with. */
export const itemWords: ReadonlySet<TokenType> = new Set([Use, Const, Module, Quantize, Train]);
/** A name follows them. */
export const namingWords: ReadonlySet<TokenType> = new Set([Let, Var, Param, Const, Module, For, Quantize, Train]);
const marks = [
  Arrow,
  FatArrow,
  PipeMark,
  Equal,
  NotEqual,
  LessEqual,
  GreaterEqual,
  Less,
  Greater,
  Assign,
  DotDot,
  Dot,
  Comma,
  Colon,
  Question,
  OpenParen,
  CloseParen,
  OpenBrace,
  CloseBrace,
  OpenBracket,
  CloseBracket,
  Plus,
  Minus,
  StarStar,
  Star,
  Slash,
  Percent,
];

/** In order of precedence: longer marks before their prefixes, words before names, comments before `/`. */
export const vocabulary: TokenType[] = [
  Space,
  Comment,
  BlockComment,
  ...reservedWords,
  ...blockWords,
  Identifier,
  Float,
  FloatLiteral,
  Int,
  WrongNumber,
  Text,
  UnclosedText,
  ...marks,
];

export const lexer = new Lexer(vocabulary, { positionTracking: "full", ensureOptimizations: true });
