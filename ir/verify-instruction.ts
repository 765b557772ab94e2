// The verifier's checks of one instruction by itself (see verify.ts for the list).

import { isFromResult } from "./attribute.ts";
import { checkOperandCount } from "./builder.ts";
import { Rejection } from "./diagnostic.ts";
import type { DiagnosticCode } from "./errors/table.ts";
import { printLiteral } from "./literal.ts";
import type { Entry, Instruction, Module, StateDeclaration, Value } from "./module.ts";
import { stateNamed } from "./module.ts";
import { didYouMean } from "./nearest.ts";
import { checkChoice } from "./quant/table.ts";
import type { Location } from "./source.ts";
import { printType, type Type, typesEqual } from "./type.ts";

/** A problem and what it is about: a part of a subject that the spans know. */
export interface Problem {
  readonly entry?: Entry;
  readonly subject: object;
  readonly part: string;
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly label: string;
  readonly help: readonly string[];
  readonly at?: Location;
}

export interface InstructionScope {
  readonly module: Module;
  /** Whether a value's type is unknown since its text is faulty. */
  isUntyped(value: Value): boolean;
  isTyped(state: StateDeclaration): boolean;
}

interface ProblemExtras {
  readonly label?: string;
  readonly help?: readonly string[];
}

export function problem(
  subject: object,
  part: string,
  code: DiagnosticCode,
  message: string,
  { label = "", help = [] }: ProblemExtras = {},
): Problem {
  return { subject, part, code, message, label, help };
}

export const stateOf = (module: Module, name: string): StateDeclaration | undefined => stateNamed(module, name);

export function checkDims(type: Type, subject: object, part: string): readonly Problem[] {
  if (!type.dims.some((d) => typeof d === "number" && d < 1)) return [];
  return [problem(subject, part, "bad-type", `a size is at least 1, got ${printType(type)}`)];
}

export function instructionProblems(instruction: Instruction, scope: InstructionScope): readonly Problem[] {
  const found: Problem[] = [...formProblems(instruction, scope.module)];
  const shaped = countProblems(instruction);
  const attributes = attributeProblems(instruction);
  found.push(...shaped, ...attributes);
  if (shaped.length === 0 && attributes.length === 0) found.push(...typeProblems(instruction, scope));
  if (instruction.op.signature.name === "state.read") found.push(...stateProblems(instruction, scope));
  const { at } = instruction;
  if (at === undefined) return found;
  if (!scope.module.sources.includes(at.path))
    found.push(problem(instruction, "", "unknown-source", `the module does not list the source ${at.path}`));
  return found.map((p) => ({ ...p, at }));
}

function formProblems(instruction: Instruction, { form }: Module): readonly Problem[] {
  const { op, marks } = instruction;
  const { name, forms } = op.signature;
  const found: Problem[] = [];
  if (!forms.includes(form)) {
    found.push(
      problem(instruction, "op", "bad-form", `\`${name}\` has no place in form ${form}`, { help: [`it stands in ${forms.join(", ")}`] }),
    );
  }
  if (marks.quantize === undefined) return found;
  if (form !== "surface") {
    found.push(
      problem(instruction, "attr quantize", "bad-form", `a \`quantize\` stamp has no place in form ${form}`, {
        help: ["`insert-quant` consumes it"],
      }),
    );
  }
  const { quantize } = marks;
  found.push(...rejected(() => checkChoice(quantize), instruction, "attr quantize", "bad-stamp"));
  return found;
}

function countProblems(instruction: Instruction): readonly Problem[] {
  const { op, operands, results } = instruction;
  const { signature } = op;
  const found = [...rejected(() => checkOperandCount(signature, operands.length), instruction, "op", "operand-count")];
  const count = signature.results.length;
  if (results.length !== count) {
    const names = count === 1 ? "" : ` (${signature.results.join(", ")})`;
    found.push(
      problem(
        instruction,
        "result 0",
        "result-count",
        `\`${signature.name}\` gives ${count} result${count === 1 ? "" : "s"}${names}, got ${results.length}`,
      ),
    );
  }
  return found;
}

function attributeProblems(instruction: Instruction): readonly Problem[] {
  const { op, attrs, results } = instruction;
  const { signature } = op;
  const found: Problem[] = [];
  const names = Object.keys(signature.attrs);
  for (const name of Object.keys(attrs)) {
    if (!names.includes(name))
      found.push(
        problem(instruction, `attr ${name}`, "unknown-attribute", `\`${signature.name}\` has no attribute \`${name}\``, {
          help: didYouMean(name, names),
        }),
      );
  }
  for (const [name, kind] of Object.entries(signature.attrs)) {
    const value = attrs[name];
    if (value === undefined) {
      found.push(
        problem(instruction, "op", "missing-attribute", `\`${signature.name}\` needs the attribute \`${name}\` (${kind.describe})`),
      );
    } else if (isFromResult(kind)) {
      const type = results[0]?.type;
      if (type !== undefined && !typesEqual(value as Type, type)) {
        found.push(
          problem(
            instruction,
            "type 0",
            "type-mismatch",
            `attribute \`${name}\` is ${printType(value as Type)}, the result is ${printType(type)}`,
          ),
        );
      }
    } else if (!isOfKind(kind.write, kind.read, value)) {
      found.push(problem(instruction, `attr ${name}`, "bad-attribute", `\`${name}\` must be ${kind.describe}`));
    }
  }
  return found;
}

/** Whether a value survives being written and read. A constant's many elements are taken on trust. */
function isOfKind(
  write: (value: unknown) => Parameters<typeof printLiteral>[0],
  read: (literal: ReturnType<typeof write>) => unknown,
  value: unknown,
): boolean {
  if (Array.isArray(value) && value.length > 64) return value.every((v) => typeof v === "number");
  try {
    const literal = write(value);
    const same = printLiteral(write(read(literal))) === printLiteral(literal);
    return same && (literal.kind !== "int" || Number.isSafeInteger(literal.value));
  } catch {
    return false;
  }
}

function typeProblems(instruction: Instruction, { isUntyped }: InstructionScope): readonly Problem[] {
  const { op, operands, results, attrs } = instruction;
  if (operands.some(isUntyped)) return [];
  const { name } = op.signature;
  let inferred: readonly Type[];
  try {
    inferred = op.infer(
      operands.map((v) => v.type),
      attrs,
    );
  } catch (thrown) {
    if (!(thrown instanceof Rejection)) throw thrown;
    const label = operands.map((v) => `%${v.hint}: ${printType(v.type)}`).join(", ");
    return [problem(instruction, "op", "ill-typed", thrown.message, { label, help: thrown.help })];
  }
  return results.flatMap((result, i) => {
    const type = inferred[i];
    if (type === undefined || isUntyped(result) || typesEqual(type, result.type)) return [];
    return [
      problem(
        instruction,
        `type ${i}`,
        "type-mismatch",
        `\`%${result.hint}\` is declared ${printType(result.type)}, but \`${name}\` gives ${printType(type)}`,
      ),
    ];
  });
}

function stateProblems(instruction: Instruction, { module, isUntyped, isTyped }: InstructionScope): readonly Problem[] {
  const name = instruction.attrs["name"];
  if (typeof name !== "string") return [];
  const state = stateOf(module, name);
  if (state === undefined) {
    const tie = module.ties.find((t) => t.path === name);
    const help =
      tie === undefined
        ? didYouMean(
            name,
            module.states.map((s) => s.name),
            JSON.stringify,
          )
        : [`"${name}" is tied to "${tie.state}": read that`];
    return [problem(instruction, "attr name", "unknown-state", `no state "${name}"`, { help })];
  }
  return instruction.results.flatMap((result, i) =>
    !isTyped(state) || isUntyped(result) || typesEqual(result.type, state.type)
      ? []
      : [
          problem(
            instruction,
            `type ${i}`,
            "type-mismatch",
            `\`%${result.hint}\` is declared ${printType(result.type)}, but state "${name}" is ${printType(state.type)}`,
          ),
        ],
  );
}

function rejected(check: () => void, subject: object, part: string, code: DiagnosticCode): readonly Problem[] {
  try {
    check();
    return [];
  } catch (thrown) {
    if (!(thrown instanceof Rejection)) throw thrown;
    return [problem(subject, part, code, thrown.message, { help: thrown.help })];
  }
}
