// Texts and bytes changed at random, the same ones every time: what a careless editor, a bad disk or a broken tool makes of a file.

/** A small generator of random numbers (mulberry32): the same seed gives the same changes on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to below `n`. */
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

/** Numbers at which sizes, counts and indices go wrong. */
const numbers = [
  "0",
  "1",
  "-1",
  "2",
  "7",
  "9",
  "96",
  "65_537",
  "4294967296",
  "9007199254740991",
  "9007199254740993",
  "1e308",
  "1e-320",
  "0.0",
];
const letters = [..."(){}[]<>=,.:;?!*/%+-|\"'#@\\ \n\t\r_aZ09é\u{1f600}\u0000\ufeff"];

/** A text as words and what stands between them: names, numbers, texts in quotes, single marks, white space and comments. */
export const splitWords = (text: string): readonly string[] => text.match(/\/\/[^\n]*|"[^"\n]*"|[\w.]*\w|\s+|[^\w\s]/gu) ?? [];

/** One to three changes of a text, by words or by characters. `pool` holds words of other texts. */
export function mutateText(text: string, pool: readonly string[], random: Random): string {
  let changed = text;
  for (let times = 1 + random.below(3); times > 0; times--)
    changed = random.below(3) === 0 ? byCharacter(changed, random) : byWord(changed, pool, random);
  return changed;
}

function byWord(text: string, pool: readonly string[], random: Random): string {
  const words = [...splitWords(text)];
  if (words.length === 0) return random.pick(pool);
  const at = random.below(words.length);
  const other = random.below(words.length);
  switch (random.below(8)) {
    case 0:
      words.splice(at, 1 + random.below(4));
      break;
    case 1:
      words.splice(at, 0, words[other] ?? "");
      break;
    case 2:
      words[at] = random.pick(pool);
      break;
    case 3:
      words.splice(at, 0, random.pick(pool));
      break;
    case 4:
      [words[at], words[other]] = [words[other] ?? "", words[at] ?? ""];
      break;
    case 5: {
      // A run of words goes elsewhere.
      const run = words.splice(at, 1 + random.below(20));
      words.splice(random.below(words.length + 1), 0, ...run);
      break;
    }
    case 6: {
      const places = words.flatMap((word, i) => (/^\d/.test(word) ? [i] : []));
      if (places.length > 0) words[random.pick(places)] = random.pick(numbers);
      break;
    }
    default: {
      // A name becomes another name of the same text.
      const places = words.flatMap((word, i) => (/^[A-Za-z_]/.test(word) ? [i] : []));
      if (places.length > 0) words[random.pick(places)] = words[random.pick(places)] ?? "";
    }
  }
  return words.join("");
}

function byCharacter(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  switch (random.below(4)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1 + random.below(3));
    case 1:
      return text.slice(0, at) + random.pick(letters) + text.slice(at);
    case 2:
      return text.slice(0, at) + random.pick(letters) + text.slice(at + 1);
    default:
      return text.slice(0, at);
  }
}

/** One to three changes of a file's bytes: other bytes, a hole, a doubled run, an early end. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let changed = Uint8Array.from(bytes);
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(changed.length + 1);
    const run = 1 + random.below(16);
    switch (random.below(4)) {
      case 0:
        if (at < changed.length) changed[at] = random.below(256);
        break;
      case 1:
        changed = Uint8Array.from([...changed.subarray(0, at), ...changed.subarray(at + run)]);
        break;
      case 2:
        changed = Uint8Array.from([...changed.subarray(0, at), ...changed.subarray(Math.max(0, at - run), at), ...changed.subarray(at)]);
        break;
      default:
        changed = changed.slice(0, at);
    }
  }
  return changed;
}
