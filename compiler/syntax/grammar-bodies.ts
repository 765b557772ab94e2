// The grammar of `.loom` below its declarations: types, statements and expressions. Without actions, with error recovery.
import { type CstNode, CstParser, type ParserMethod, type TokenType } from "chevrotain";
import { messages } from "./messages.ts";
import * as t from "./tokens.ts";

export type Rule = ParserMethod<[], CstNode>;

/** What modules, policies and recipes are made of; the parser of files adds them. */
export class BodyParser extends CstParser {
  constructor() {
    super(t.vocabulary, { recoveryEnabled: true, maxLookahead: 3, errorMessageProvider: messages, nodeLocationTracking: "onlyOffset" });
  }

  /** What follows the first item of a list up to its closing mark, which may have a comma before it. */
  protected moreItems(close: TokenType, item: () => void): void {
    this.MANY9({
      // With one token of lookahead a comma always means a further item, so that what is wrong behind it is said there.
      MAX_LOOKAHEAD: 1,
      GATE: () => this.LA(2).tokenType !== close,
      DEF: () => {
        this.CONSUME8(t.Comma);
        item();
      },
    });
    this.OPTION9(() => this.CONSUME9(t.Comma));
  }

  protected readonly parameters: Rule = this.RULE("parameters", () => {
    this.CONSUME(t.OpenParen);
    this.OPTION(() => {
      this.SUBRULE(this.parameter);
      this.moreItems(t.CloseParen, () => this.SUBRULE2(this.parameter));
    });
    this.CONSUME(t.CloseParen);
  });

  protected readonly parameter: Rule = this.RULE("parameter", () => {
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Colon);
    this.CONSUME2(t.Identifier);
    this.OPTION(() => {
      this.CONSUME(t.Assign);
      this.SUBRULE(this.expression);
    });
  });

  protected readonly inputs: Rule = this.RULE("inputs", () => {
    this.CONSUME(t.OpenParen);
    this.OPTION(() => {
      this.SUBRULE(this.arrayInput);
      this.moreItems(t.CloseParen, () => this.SUBRULE2(this.arrayInput));
    });
    this.CONSUME(t.CloseParen);
  });

  protected readonly arrayInput: Rule = this.RULE("arrayInput", () => {
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Colon);
    this.SUBRULE(this.type);
  });

  protected readonly type: Rule = this.RULE("type", () => {
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.dims));
  });

  protected readonly dims: Rule = this.RULE("dims", () => {
    this.CONSUME(t.OpenBracket);
    this.OPTION(() => {
      this.SUBRULE(this.indexItem);
      this.moreItems(t.CloseBracket, () => this.SUBRULE2(this.indexItem));
    });
    this.CONSUME(t.CloseBracket);
  });

  /** `..`, `i`, `a..b` or `a..`: in an index; in a type's dims the builder takes only `..` and single expressions. */
  protected readonly indexItem: Rule = this.RULE("indexItem", () => {
    this.OR([
      { ALT: () => this.CONSUME(t.DotDot) },
      {
        ALT: () => {
          this.SUBRULE(this.expression);
          this.OPTION(() => {
            this.CONSUME2(t.DotDot);
            this.OPTION2(() => this.SUBRULE2(this.expression));
          });
        },
      },
    ]);
  });

  // Statements

  protected readonly block: Rule = this.RULE("block", () => {
    this.CONSUME(t.OpenBrace);
    this.MANY(() => this.SUBRULE(this.statement));
    this.CONSUME(t.CloseBrace);
  });

  protected readonly statement: Rule = this.RULE("statement", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.declare) },
      { ALT: () => this.SUBRULE(this.loop) },
      { ALT: () => this.SUBRULE(this.give) },
      { ALT: () => this.SUBRULE(this.assign) },
    ]);
  });

  protected readonly declare: Rule = this.RULE("declare", () => {
    this.OR([{ ALT: () => this.CONSUME(t.Let) }, { ALT: () => this.CONSUME(t.Var) }]);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  protected readonly assign: Rule = this.RULE("assign", () => {
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  protected readonly loop: Rule = this.RULE("loop", () => {
    this.CONSUME(t.For);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.In);
    this.SUBRULE(this.range);
    this.SUBRULE(this.block);
  });

  protected readonly give: Rule = this.RULE("give", () => {
    this.CONSUME(t.Return);
    this.SUBRULE(this.expression);
  });

  /** What a `for` runs over: `0..n`, or an expression that is an array. */
  protected readonly range: Rule = this.RULE("range", () => {
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(t.DotDot);
      this.SUBRULE2(this.expression);
    });
  });

  // Expressions, loosest first

  protected readonly expression: Rule = this.RULE("expression", () => {
    this.OR([{ ALT: () => this.SUBRULE(this.choose) }, { ALT: () => this.SUBRULE(this.pipe) }]);
  });

  protected readonly choose: Rule = this.RULE("choose", () => {
    this.CONSUME(t.If);
    this.SUBRULE(this.expression);
    this.CONSUME(t.Then);
    this.SUBRULE2(this.expression);
    this.CONSUME(t.Else);
    this.SUBRULE3(this.expression);
  });

  protected readonly pipe: Rule = this.RULE("pipe", () => {
    this.SUBRULE(this.comparison);
    this.MANY(() => {
      this.CONSUME(t.PipeMark);
      this.SUBRULE(this.postfix);
    });
  });

  protected readonly comparison: Rule = this.RULE("comparison", () => {
    this.SUBRULE(this.sum);
    this.OPTION(() => {
      this.OR([
        { ALT: () => this.CONSUME(t.Equal) },
        { ALT: () => this.CONSUME(t.NotEqual) },
        { ALT: () => this.CONSUME(t.Less) },
        { ALT: () => this.CONSUME(t.LessEqual) },
        { ALT: () => this.CONSUME(t.Greater) },
        { ALT: () => this.CONSUME(t.GreaterEqual) },
      ]);
      this.SUBRULE2(this.sum);
    });
  });

  protected readonly sum: Rule = this.RULE("sum", () => {
    this.SUBRULE(this.product);
    this.MANY(() => {
      this.OR([{ ALT: () => this.CONSUME(t.Plus) }, { ALT: () => this.CONSUME(t.Minus) }]);
      this.SUBRULE2(this.product);
    });
  });

  protected readonly product: Rule = this.RULE("product", () => {
    this.SUBRULE(this.unary);
    this.MANY(() => {
      this.OR([{ ALT: () => this.CONSUME(t.Star) }, { ALT: () => this.CONSUME(t.Slash) }, { ALT: () => this.CONSUME(t.Percent) }]);
      this.SUBRULE2(this.unary);
    });
  });

  protected readonly unary: Rule = this.RULE("unary", () => {
    this.MANY(() => this.CONSUME(t.Minus));
    this.SUBRULE(this.postfix);
  });

  protected readonly postfix: Rule = this.RULE("postfix", () => {
    this.SUBRULE(this.primary);
    this.MANY(() => this.SUBRULE(this.suffix));
  });

  protected readonly suffix: Rule = this.RULE("suffix", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.args) },
      { ALT: () => this.SUBRULE(this.dims) },
      {
        ALT: () => {
          this.CONSUME(t.Dot);
          this.CONSUME(t.Identifier);
        },
      },
    ]);
  });

  protected readonly args: Rule = this.RULE("args", () => {
    this.CONSUME(t.OpenParen);
    this.OPTION(() => {
      this.SUBRULE(this.argument);
      this.moreItems(t.CloseParen, () => this.SUBRULE2(this.argument));
    });
    this.CONSUME(t.CloseParen);
  });

  protected readonly argument: Rule = this.RULE("argument", () => {
    this.OPTION(() => {
      this.CONSUME(t.Identifier);
      this.CONSUME(t.Assign);
    });
    this.SUBRULE(this.expression);
  });

  protected readonly primary: Rule = this.RULE("primary", () => {
    this.OR([
      { ALT: () => this.CONSUME(t.Int) },
      { ALT: () => this.CONSUME(t.Float) },
      { ALT: () => this.CONSUME(t.Text) },
      { ALT: () => this.CONSUME(t.True) },
      { ALT: () => this.CONSUME(t.False) },
      { ALT: () => this.CONSUME(t.Identifier) },
      { ALT: () => this.SUBRULE(this.list) },
      { ALT: () => this.SUBRULE(this.group) },
    ]);
  });

  protected readonly group: Rule = this.RULE("group", () => {
    this.CONSUME(t.OpenParen);
    this.SUBRULE(this.expression);
    this.CONSUME(t.CloseParen);
  });

  protected readonly list: Rule = this.RULE("list", () => {
    this.CONSUME(t.OpenBracket);
    this.OPTION(() => {
      this.SUBRULE(this.expression);
      this.OR([
        {
          ALT: () => {
            this.CONSUME(t.For);
            this.CONSUME(t.Identifier);
            this.CONSUME(t.In);
            this.SUBRULE(this.range);
          },
        },
        {
          ALT: () => this.moreItems(t.CloseBracket, () => this.SUBRULE2(this.expression)),
        },
      ]);
    });
    this.CONSUME(t.CloseBracket);
  });
}
