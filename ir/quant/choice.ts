// A policy's choice for one site: a scheme's name and the settings that were given, as IR text carries them.
import type { AttributeKind } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { call, floatLiteral, intLiteral, type Literal, printLiteral, word } from "../literal.ts";

/** A number (bits, a group, a factor) or a word (`auto`, `none`, `row`). */
export type SettingValue = number | string;
export type Settings = Readonly<Record<string, SettingValue>>;

/** `quest(w = 4, a = 4, hadamard = auto)`. Settings that were not given are not here. */
export interface QuantizeChoice {
  readonly scheme: string;
  readonly settings: Settings;
}

const settingLiteral = (value: SettingValue): Literal =>
  typeof value === "string" ? word(value) : Number.isInteger(value) ? intLiteral(value) : floatLiteral(value);

function readSetting(literal: Literal): SettingValue {
  if (literal.kind === "int" || literal.kind === "float" || literal.kind === "word") return literal.value;
  return reject(`a setting is a number or a word, got \`${printLiteral(literal)}\``);
}

export function printChoice(choice: QuantizeChoice): string {
  return printLiteral(quantizeChoice.write(choice));
}

export const quantizeChoice: AttributeKind<QuantizeChoice> = {
  describe: "a scheme with settings, such as `quest(w = 4, a = 4)`",
  write: ({ scheme, settings }) => call(scheme, Object.fromEntries(Object.entries(settings).map(([k, v]) => [k, settingLiteral(v)]))),
  read(literal) {
    if (literal.kind !== "call" || literal.positional.length > 0)
      return reject(`must be ${this.describe}, got \`${printLiteral(literal)}\``);
    return { scheme: literal.name, settings: Object.fromEntries(literal.named.map(([name, value]) => [name, readSetting(value)])) };
  },
};
