// The grammar of `.loom`, without actions: tokens to a concrete syntax tree, with error recovery.
import { type CstNode, CstParser, EOF, type IToken, type ParserMethod } from "chevrotain";
import { messages } from "./messages.ts";
import * as t from "./tokens.ts";

/** What {@link LoomParser} can parse from the top. */
export type EntryRule = "file" | "policyReferenceAlone" | "overrideValue";

type Rule = ParserMethod<[], CstNode>;

/** How many tokens of a list are looked at to see what it holds. */
const longestList = 1_000;

/** One instance can be used again: set `input`, call a rule, read `errors`. */
export class LoomParser extends CstParser {
  constructor() {
    super(t.vocabulary, { recoveryEnabled: true, maxLookahead: 3, errorMessageProvider: messages });
    this.performSelfAnalysis();
  }

  readonly file: Rule = this.RULE("file", () => {
    this.MANY(() => this.SUBRULE(this.item));
  });

  readonly policyReferenceAlone: Rule = this.RULE("policyReferenceAlone", () => {
    this.SUBRULE(this.policyReference);
  });

  readonly overrideValue: Rule = this.RULE("overrideValue", () => {
    this.SUBRULE(this.settingValue);
  });

  private readonly item: Rule = this.RULE("item", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.use) },
      { ALT: () => this.SUBRULE(this.constant) },
      { ALT: () => this.SUBRULE(this.module) },
      { ALT: () => this.SUBRULE(this.quantize) },
      { ALT: () => this.SUBRULE(this.recipe) },
    ]);
  });

  private readonly use: Rule = this.RULE("use", () => {
    this.CONSUME(t.Use);
    this.CONSUME(t.Identifier);
    this.MANY(() => {
      this.CONSUME(t.Dot);
      this.CONSUME2(t.Identifier);
    });
    this.OPTION(() => {
      this.CONSUME2(t.Dot);
      this.SUBRULE(this.nameList);
    });
  });

  private readonly nameList: Rule = this.RULE("nameList", () => {
    this.CONSUME(t.OpenBrace);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.CONSUME(t.Identifier) });
    this.CONSUME(t.CloseBrace);
  });

  // Modules

  private readonly module: Rule = this.RULE("module", () => {
    this.CONSUME(t.Module);
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.parameters));
    this.CONSUME(t.OpenBrace);
    this.MANY(() => this.SUBRULE(this.member));
    this.CONSUME(t.CloseBrace);
  });

  private readonly parameters: Rule = this.RULE("parameters", () => {
    this.CONSUME(t.OpenParen);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.parameter) });
    this.CONSUME(t.CloseParen);
  });

  private readonly parameter: Rule = this.RULE("parameter", () => {
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Colon);
    this.CONSUME2(t.Identifier);
    this.OPTION(() => {
      this.CONSUME(t.Assign);
      this.SUBRULE(this.expression);
    });
  });

  private readonly member: Rule = this.RULE("member", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.weight) },
      { ALT: () => this.SUBRULE(this.constant) },
      { ALT: () => this.SUBRULE(this.require) },
      { ALT: () => this.SUBRULE(this.tie) },
      { ALT: () => this.SUBRULE(this.fn) },
      { ALT: () => this.SUBRULE(this.child) },
    ]);
  });

  private readonly weight: Rule = this.RULE("weight", () => {
    this.CONSUME(t.Param);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Colon);
    this.SUBRULE(this.type);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
    this.OPTION(() => this.SUBRULE(this.condition));
  });

  private readonly condition: Rule = this.RULE("condition", () => {
    this.CONSUME(t.When);
    this.SUBRULE(this.expression);
  });

  private readonly constant: Rule = this.RULE("constant", () => {
    this.CONSUME(t.Const);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  private readonly require: Rule = this.RULE("require", () => {
    this.CONSUME(t.Require);
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(t.Comma);
      this.CONSUME(t.Text);
    });
  });

  private readonly child: Rule = this.RULE("child", () => {
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
    this.OPTION(() => this.SUBRULE(this.condition));
  });

  private readonly tie: Rule = this.RULE("tie", () => {
    this.CONSUME(t.Tie);
    this.SUBRULE(this.selector);
    this.CONSUME(t.Assign);
    this.SUBRULE2(this.selector);
  });

  private readonly fn: Rule = this.RULE("fn", () => {
    this.CONSUME(t.Fn);
    this.OPTION(() => this.CONSUME(t.Identifier));
    this.SUBRULE(this.inputs);
    this.CONSUME(t.Arrow);
    this.SUBRULE(this.type);
    this.SUBRULE(this.block);
  });

  private readonly inputs: Rule = this.RULE("inputs", () => {
    this.CONSUME(t.OpenParen);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.arrayInput) });
    this.CONSUME(t.CloseParen);
  });

  private readonly arrayInput: Rule = this.RULE("arrayInput", () => {
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Colon);
    this.SUBRULE(this.type);
  });

  private readonly type: Rule = this.RULE("type", () => {
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.dims));
  });

  private readonly dims: Rule = this.RULE("dims", () => {
    this.CONSUME(t.OpenBracket);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.indexItem) });
    this.CONSUME(t.CloseBracket);
  });

  /** `..`, `i`, `a..b` or `a..`: in an index; in a type's dims the builder takes only `..` and single expressions. */
  private readonly indexItem: Rule = this.RULE("indexItem", () => {
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

  private readonly block: Rule = this.RULE("block", () => {
    this.CONSUME(t.OpenBrace);
    this.MANY(() => this.SUBRULE(this.statement));
    this.CONSUME(t.CloseBrace);
  });

  private readonly statement: Rule = this.RULE("statement", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.declare) },
      { ALT: () => this.SUBRULE(this.loop) },
      { ALT: () => this.SUBRULE(this.give) },
      { ALT: () => this.SUBRULE(this.assign) },
    ]);
  });

  private readonly declare: Rule = this.RULE("declare", () => {
    this.OR([{ ALT: () => this.CONSUME(t.Let) }, { ALT: () => this.CONSUME(t.Var) }]);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  private readonly assign: Rule = this.RULE("assign", () => {
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  private readonly loop: Rule = this.RULE("loop", () => {
    this.CONSUME(t.For);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.In);
    this.SUBRULE(this.range);
    this.SUBRULE(this.block);
  });

  private readonly give: Rule = this.RULE("give", () => {
    this.CONSUME(t.Return);
    this.SUBRULE(this.expression);
  });

  /** What a `for` runs over: `0..n`, or an expression that is an array. */
  private readonly range: Rule = this.RULE("range", () => {
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(t.DotDot);
      this.SUBRULE2(this.expression);
    });
  });

  // Expressions, loosest first

  private readonly expression: Rule = this.RULE("expression", () => {
    this.OR([{ ALT: () => this.SUBRULE(this.choose) }, { ALT: () => this.SUBRULE(this.pipe) }]);
  });

  private readonly choose: Rule = this.RULE("choose", () => {
    this.CONSUME(t.If);
    this.SUBRULE(this.expression);
    this.CONSUME(t.Then);
    this.SUBRULE2(this.expression);
    this.CONSUME(t.Else);
    this.SUBRULE3(this.expression);
  });

  private readonly pipe: Rule = this.RULE("pipe", () => {
    this.SUBRULE(this.comparison);
    this.MANY(() => {
      this.CONSUME(t.PipeMark);
      this.SUBRULE(this.postfix);
    });
  });

  private readonly comparison: Rule = this.RULE("comparison", () => {
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

  private readonly sum: Rule = this.RULE("sum", () => {
    this.SUBRULE(this.product);
    this.MANY(() => {
      this.OR([{ ALT: () => this.CONSUME(t.Plus) }, { ALT: () => this.CONSUME(t.Minus) }]);
      this.SUBRULE2(this.product);
    });
  });

  private readonly product: Rule = this.RULE("product", () => {
    this.SUBRULE(this.unary);
    this.MANY(() => {
      this.OR([{ ALT: () => this.CONSUME(t.Star) }, { ALT: () => this.CONSUME(t.Slash) }, { ALT: () => this.CONSUME(t.Percent) }]);
      this.SUBRULE2(this.unary);
    });
  });

  private readonly unary: Rule = this.RULE("unary", () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Minus);
          this.SUBRULE(this.unary);
        },
      },
      { ALT: () => this.SUBRULE(this.postfix) },
    ]);
  });

  private readonly postfix: Rule = this.RULE("postfix", () => {
    this.SUBRULE(this.primary);
    this.MANY(() => this.SUBRULE(this.suffix));
  });

  private readonly suffix: Rule = this.RULE("suffix", () => {
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

  private readonly args: Rule = this.RULE("args", () => {
    this.CONSUME(t.OpenParen);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.argument) });
    this.CONSUME(t.CloseParen);
  });

  private readonly argument: Rule = this.RULE("argument", () => {
    this.OPTION(() => {
      this.CONSUME(t.Identifier);
      this.CONSUME(t.Assign);
    });
    this.SUBRULE(this.expression);
  });

  private readonly primary: Rule = this.RULE("primary", () => {
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

  private readonly group: Rule = this.RULE("group", () => {
    this.CONSUME(t.OpenParen);
    this.SUBRULE(this.expression);
    this.CONSUME(t.CloseParen);
  });

  private readonly list: Rule = this.RULE("list", () => {
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
          ALT: () =>
            this.MANY(() => {
              this.CONSUME(t.Comma);
              this.SUBRULE2(this.expression);
            }),
        },
      ]);
    });
    this.CONSUME(t.CloseBracket);
  });

  // Policies

  private readonly quantize: Rule = this.RULE("quantize", () => {
    this.CONSUME(t.Quantize);
    this.CONSUME(t.Identifier);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Assign);
          this.SUBRULE(this.policyReference);
        },
      },
      {
        ALT: () => {
          this.OPTION(() => this.SUBRULE(this.parameters));
          this.CONSUME(t.For);
          this.CONSUME2(t.Identifier);
          this.CONSUME(t.OpenBrace);
          this.MANY(() => this.SUBRULE(this.policyRule));
          this.CONSUME(t.CloseBrace);
        },
      },
    ]);
  });

  private readonly policyReference: Rule = this.RULE("policyReference", () => {
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.args));
  });

  private readonly policyRule: Rule = this.RULE("policyRule", () => {
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.selector) });
    this.CONSUME(t.FatArrow);
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.settings));
  });

  private readonly selector: Rule = this.RULE("selector", () => {
    this.SUBRULE(this.segment);
    // No white space inside a selector: it is how one ends without a separator.
    this.MANY({
      GATE: () => this.touches(),
      DEF: () => {
        this.CONSUME(t.Dot);
        this.SUBRULE2(this.segment);
      },
    });
    this.OPTION({
      GATE: () => this.touches(),
      DEF: () => {
        this.CONSUME(t.Colon);
        this.CONSUME(t.Identifier);
      },
    });
    this.OPTION2({ GATE: () => this.touches(), DEF: () => this.CONSUME(t.Question) });
  });

  private readonly segment: Rule = this.RULE("segment", () => {
    this.OR([
      { ALT: () => this.CONSUME(t.Identifier) },
      { ALT: () => this.CONSUME(t.Int) },
      { ALT: () => this.CONSUME(t.StarStar) },
      { ALT: () => this.CONSUME(t.Star) },
      { ALT: () => this.SUBRULE(this.choices) },
    ]);
  });

  private readonly choices: Rule = this.RULE("choices", () => {
    this.CONSUME(t.OpenBrace);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => this.OR([{ ALT: () => this.CONSUME(t.Identifier) }, { ALT: () => this.CONSUME(t.Int) }]),
    });
    this.CONSUME(t.CloseBrace);
  });

  private readonly settings: Rule = this.RULE("settings", () => {
    this.CONSUME(t.OpenBrace);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.setting) });
    this.CONSUME(t.CloseBrace);
  });

  private readonly setting: Rule = this.RULE("setting", () => {
    this.CONSUME(t.Identifier);
    this.OPTION(() => {
      this.CONSUME(t.Assign);
      this.SUBRULE(this.settingValue);
    });
  });

  private readonly settingValue: Rule = this.RULE("settingValue", () => {
    this.OR([
      { GATE: () => this.startsSelector(), ALT: () => this.SUBRULE(this.selector) },
      { GATE: () => this.startsSelectorList(), ALT: () => this.SUBRULE(this.selectorList) },
      { ALT: () => this.SUBRULE(this.expression), IGNORE_AMBIGUITIES: true },
    ]);
  });

  private readonly selectorList: Rule = this.RULE("selectorList", () => {
    this.CONSUME(t.OpenBracket);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.selector) });
    this.CONSUME(t.CloseBracket);
  });

  // Recipes

  private readonly recipe: Rule = this.RULE("recipe", () => {
    this.CONSUME(t.Train);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Of);
    this.CONSUME2(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.args));
    this.OPTION2(() => {
      this.CONSUME(t.With);
      this.SUBRULE(this.policyReference);
    });
    this.CONSUME(t.OpenBrace);
    this.MANY(() => this.SUBRULE(this.recipeStatement));
    this.CONSUME(t.CloseBrace);
  });

  private readonly recipeStatement: Rule = this.RULE("recipeStatement", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.data) },
      { ALT: () => this.SUBRULE(this.loss) },
      { ALT: () => this.SUBRULE(this.optimizer) },
      { ALT: () => this.SUBRULE(this.schedule) },
      { ALT: () => this.SUBRULE(this.clip) },
      { ALT: () => this.SUBRULE(this.remat) },
      { ALT: () => this.SUBRULE(this.evaluate) },
      { ALT: () => this.SUBRULE(this.checkpoint) },
      { ALT: () => this.SUBRULE(this.accumulate) },
    ]);
  });

  private readonly data: Rule = this.RULE("data", () => {
    this.CONSUME(t.Data);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.arrayInput) });
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  private readonly loss: Rule = this.RULE("loss", () => {
    this.CONSUME(t.Loss);
    this.SUBRULE(this.block);
  });

  private readonly optimizer: Rule = this.RULE("optimizer", () => {
    this.CONSUME(t.Optimizer);
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.settings));
  });

  private readonly schedule: Rule = this.RULE("schedule", () => {
    this.CONSUME(t.Schedule);
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.settings));
  });

  private readonly clip: Rule = this.RULE("clip", () => {
    this.CONSUME(t.Clip);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  private readonly remat: Rule = this.RULE("remat", () => {
    this.CONSUME(t.Remat);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.selector) });
  });

  private readonly evaluate: Rule = this.RULE("evaluate", () => {
    this.CONSUME(t.Eval);
    this.CONSUME(t.Every);
    this.SUBRULE(this.expression);
    this.CONSUME(t.OpenBrace);
    this.MANY(() => {
      this.SUBRULE(this.metric);
      this.OPTION(() => this.CONSUME(t.Comma));
    });
    this.CONSUME(t.CloseBrace);
  });

  private readonly metric: Rule = this.RULE("metric", () => {
    this.CONSUME(t.Identifier);
    this.OPTION(() => {
      this.CONSUME(t.Over);
      this.SUBRULE(this.expression);
    });
  });

  private readonly checkpoint: Rule = this.RULE("checkpoint", () => {
    this.CONSUME(t.Checkpoint);
    this.CONSUME(t.Every);
    this.SUBRULE(this.expression);
  });

  private readonly accumulate: Rule = this.RULE("accumulate", () => {
    this.CONSUME(t.Accumulate);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  /** Whether the next token follows the last one without white space. */
  private touches(): boolean {
    return adjacent(this.LA(0), this.LA(1));
  }

  /** A setting's value is a selector where only a selector can be meant: `**`, `layers.*`, `a.b`. */
  private startsSelector(): boolean {
    const first = this.LA(1).tokenType;
    if (first === t.Star || first === t.StarStar || first === t.OpenBrace) return true;
    return this.LA(2).tokenType === t.Dot && adjacent(this.LA(1), this.LA(2));
  }

  /** A list with a path or a `**` in it: expressions in settings have neither. */
  private startsSelectorList(): boolean {
    for (let i = 2; i < longestList; i++) {
      const type = this.LA(i).tokenType;
      if (type === t.Dot || type === t.StarStar) return true;
      if (type === t.CloseBracket || type === EOF) return false;
    }
    return false;
  }
}

function adjacent(left: IToken, right: IToken): boolean {
  return left.startOffset + left.image.length === right.startOffset;
}
