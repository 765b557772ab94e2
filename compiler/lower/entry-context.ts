// What lowering one entry shares: the builder, the state that was read, and problems, each said once.
import type { AttributeSpec, Attributes, GivenAttributes } from "../../ir/attribute.ts";
import type { Builder } from "../../ir/builder.ts";
import { type Diagnostic, error, type Label, Rejection } from "../../ir/diagnostic.ts";
import type { DiagnosticCode } from "../../ir/errors/table.ts";
import type { Marks } from "../../ir/marks.ts";
import type { Value } from "../../ir/module.ts";
import type { Op, OperandNames, PerOperand, Signature } from "../../ir/op.ts";
import { splat, stateRead } from "../../ir/ops/source.ts";
import { newBuilder, opNamed } from "../../ir/ops/table.ts";
import { schemeNamed } from "../../ir/quant/table.ts";
import { locationOf, type Span } from "../../ir/source.ts";
import type { Type } from "../../ir/type.ts";
import { diagnosticKey } from "../sema/repeats.ts";
import type { Instance, Resolved, Weight } from "../sema/resolved.ts";
import { WrongArgument } from "./arguments.ts";
import type { KeyValueCache } from "./key-value-cache.ts";
import { failed, type Meaning, tensorMeaning } from "./meaning.ts";

/** Statements of all entries with their loops and calls taken apart: a hundred times what a large model has. */
const mostSteps = 200_000;

/** Problems of all entries: several entries lower the same text, and what is wrong with it is said once. */
export class Problems {
  readonly diagnostics: Diagnostic[] = [];
  #stepsLeft = mostSteps;
  readonly #seen = new Set<string>();

  add(problem: Diagnostic): void {
    const key = diagnosticKey(problem);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.diagnostics.push(problem);
  }

  /** Count a statement that is lowered. False where there were too many: loops and calls may multiply without measure. */
  step(at: Span): boolean {
    if (this.#stepsLeft-- > 0) return true;
    if (this.#stepsLeft === -1) this.add(error("too-many-steps", `this unrolls into more than ${mostSteps} statements`, at));
    return false;
  }
}

/** A `cross_entropy` that was lowered: what evaluation counts. */
export interface Classification {
  readonly logits: Value;
  readonly labels: Value;
}

export class EntryContext {
  readonly builder: Builder = newBuilder();
  readonly resolved: Resolved;
  readonly problems: Problems;
  readonly classifications: Classification[] = [];
  /** Types of what the model is called with. */
  readonly modelInputs: Type[] = [];
  /** Path of the instance whose function is being lowered; empty in the model's own and in a recipe's loss. */
  instance = "";
  /** Set where the entry sees a part of a sequence and keeps keys and values of what came before. */
  readonly cache: KeyValueCache | undefined;
  readonly #reads = new Map<string, Value>();
  readonly #rematerialize: ReadonlySet<string>;
  /** Calls so far of each instance that is recomputed. */
  readonly #calls = new Map<string, number>();
  #region: Marks = {};

  /** `rematerialize`: paths of the instances whose forward pass is computed again for the backward pass. */
  constructor(resolved: Resolved, problems: Problems, cache?: KeyValueCache, rematerialize: readonly string[] = []) {
    this.resolved = resolved;
    this.problems = problems;
    this.cache = cache;
    // To compute the whole model again would save nothing.
    this.#rematerialize = new Set(rematerialize.filter((path) => path !== ""));
  }

  report(
    code: DiagnosticCode,
    message: string,
    at: Span,
    label = "",
    help: readonly string[] = [],
    secondary: readonly Label[] = [],
  ): Meaning {
    this.problems.add({ ...error(code, message, at, label, help), ...(secondary.length === 0 ? {} : { secondary }) });
    return failed;
  }

  /** Run a rule at a place of the text; what it rejects becomes a diagnostic there. */
  attempt(at: Span, run: () => Meaning): Meaning {
    const outer = this.builder.at;
    this.builder.at = locationOf(at, this.instance);
    try {
      return run();
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem;
      return this.report(problem instanceof WrongArgument ? "wrong-argument" : "shape-mismatch", problem.message, at, "", problem.help);
    } finally {
      this.builder.at = outer;
    }
  }

  /** Lower the body of an instance's function: what it emits belongs to the instance. */
  within<T>(instance: string, body: () => T): T {
    const [outer, region] = [this.instance, this.#region];
    this.instance = instance;
    if (region.remat === undefined && this.#rematerialize.has(instance)) this.#region = { remat: this.#newRegion(instance) };
    try {
      return body();
    } finally {
      this.instance = outer;
      this.#region = region;
    }
  }

  /** Each call of an instance is computed again by itself. */
  #newRegion(instance: string): string {
    const calls = (this.#calls.get(instance) ?? 0) + 1;
    this.#calls.set(instance, calls);
    return calls === 1 ? instance : `${instance} call ${calls}`;
  }

  /** Emit an op with one result. A hint names it; without one it is named after the op. */
  emit<O extends OperandNames, A extends AttributeSpec>(
    sig: Signature<O, readonly ["out"], A>,
    operands: PerOperand<O, Value>,
    attrs: GivenAttributes<A>,
    hint?: string,
    marks: Marks = {},
  ): Value {
    return this.emitOp(opNamed(sig.name), operands as readonly Value[], attrs as Attributes, hint, marks);
  }

  /** The untyped form of {@link emit}. */
  emitOp(op: Op, operands: readonly Value[], attrs: Attributes, hint?: string, marks: Marks = {}): Value {
    const [result] = this.builder.emitOp(op, operands, attrs, {
      marks: { ...marks, ...this.#region },
      ...(hint === undefined ? {} : { hint }),
    });
    if (result === undefined) throw new Error(`${op.signature.name} has no result`);
    return result;
  }

  /** A number everywhere in a tensor of that type. */
  splat(type: Type, value: number): Value {
    return splat(this.builder, type, value);
  }

  /** The parameter as the entry finds it, read once. */
  read(owner: Instance, weight: Weight, at: Span): Meaning {
    const name = this.resolved.ties.get(weight.path) ?? weight.path;
    let value = this.#reads.get(name);
    if (value === undefined) {
      const options = { hint: name.replaceAll(".", "_"), marks: {}, at: locationOf(at, owner.path) };
      value = this.builder.emit(stateRead, [], { name, type: weight.type }, options);
      this.#reads.set(name, value);
    }
    return { ...tensorMeaning(value), parameter: { owner, weight } };
  }

  /** Marks of a contraction with a parameter: its site, and what the policy chose for it. */
  marksOf(owner: Instance, columns: unknown): Marks {
    const site = this.resolved.policy?.sites.get(owner.path);
    const choice = site?.choice;
    if (site === undefined || choice === undefined) return { site: owner.path };
    if (typeof columns === "number") {
      try {
        schemeNamed(choice.scheme).sides(choice.settings, columns);
      } catch (problem) {
        if (!(problem instanceof Rejection)) throw problem;
        this.report("quantize-misfit", `\`${owner.path}\`: ${problem.message}`, site.rule, "this rule decides", problem.help, [
          { span: owner.declaredAt, message: `declared here, contracts over ${columns}` },
        ]);
        return { site: owner.path };
      }
    }
    return { site: owner.path, quantize: choice };
  }
}
