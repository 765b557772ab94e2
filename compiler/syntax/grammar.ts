// The grammar of `.loom`: files, modules, policies and recipes. Tokens to a concrete syntax tree.
import { EOF, type IToken } from "chevrotain";
import { BodyParser, type Rule } from "./grammar-bodies.ts";
import * as t from "./tokens.ts";

/** What {@link LoomParser} can parse from the top. */
export type EntryRule = "file" | "policyReferenceAlone" | "overrideValue";

/** How many tokens of a list are looked at to see what it holds. */
const longestList = 1_000;

/** One instance can be used again: set `input`, call a rule, read `errors`. */
export class LoomParser extends BodyParser {
  constructor() {
    super();
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
    this.OPTION(() => this.CONSUME(t.Seconds));
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
    this.CONSUME(t.Identifier);
    this.moreItems(t.CloseBrace, () => this.CONSUME2(t.Identifier));
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
    this.OR([{ ALT: () => this.CONSUME(t.Identifier) }, { ALT: () => this.CONSUME(t.Int) }]);
    this.moreItems(t.CloseBrace, () => this.OR2([{ ALT: () => this.CONSUME2(t.Identifier) }, { ALT: () => this.CONSUME2(t.Int) }]));
    this.CONSUME(t.CloseBrace);
  });

  private readonly settings: Rule = this.RULE("settings", () => {
    this.CONSUME(t.OpenBrace);
    this.OPTION(() => {
      this.SUBRULE(this.setting);
      this.moreItems(t.CloseBrace, () => this.SUBRULE2(this.setting));
    });
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
    this.SUBRULE(this.selector);
    this.moreItems(t.CloseBracket, () => this.SUBRULE2(this.selector));
    this.CONSUME(t.CloseBracket);
  });

  // Recipes

  private readonly recipe: Rule = this.RULE("recipe", () => {
    this.CONSUME(t.Train);
    this.CONSUME(t.Identifier);
    // Not by OR: where `of` is missing, what follows is a recipe's body all the same, and its own mistakes are found.
    const isAlias = this.LA(1).tokenType === t.Assign;
    if (isAlias || this.RECORDING_PHASE) {
      this.CONSUME(t.Assign);
      this.SUBRULE(this.recipeReference);
    }
    if (isAlias && !this.RECORDING_PHASE) return;
    this.OPTION(() => this.SUBRULE(this.parameters));
    this.CONSUME(t.Of);
    this.CONSUME2(t.Identifier);
    this.OPTION2(() => this.SUBRULE(this.args));
    this.OPTION3(() => {
      this.CONSUME(t.With);
      this.SUBRULE(this.policyReference);
    });
    this.CONSUME(t.OpenBrace);
    this.MANY(() => this.SUBRULE(this.recipeStatement));
    this.CONSUME(t.CloseBrace);
  });

  private readonly recipeReference: Rule = this.RULE("recipeReference", () => {
    this.CONSUME(t.Identifier);
    this.OPTION(() => this.SUBRULE(this.args));
  });

  private readonly recipeStatement: Rule = this.RULE("recipeStatement", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.constant) },
      { ALT: () => this.SUBRULE(this.data) },
      { ALT: () => this.SUBRULE(this.loss) },
      { ALT: () => this.SUBRULE(this.optimizer) },
      { ALT: () => this.SUBRULE(this.schedule) },
      { ALT: () => this.SUBRULE(this.clip) },
      { ALT: () => this.SUBRULE(this.remat) },
      { ALT: () => this.SUBRULE(this.evaluate) },
      { ALT: () => this.SUBRULE(this.checkpoint) },
      { ALT: () => this.SUBRULE(this.accumulate) },
      { ALT: () => this.SUBRULE(this.precision) },
      { ALT: () => this.SUBRULE(this.headChunk) },
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
    this.OPTION(() => this.CONSUME(t.Seconds));
  });

  private readonly accumulate: Rule = this.RULE("accumulate", () => {
    this.CONSUME(t.Accumulate);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  private readonly precision: Rule = this.RULE("precision", () => {
    this.CONSUME(t.Precision);
    this.CONSUME(t.Assign);
    this.SUBRULE(this.expression);
  });

  private readonly headChunk: Rule = this.RULE("headChunk", () => {
    this.CONSUME(t.HeadChunk);
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
