// Sizes in bytes as people write and read them: `512MiB`, `1.50 GiB`.

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Three digits that matter, in the largest unit of which there is at least one: `96 B`, `1.50 KiB`, `128 MiB`. */
export function printBytes(bytes: number): string {
  const at = Math.min(units.length - 1, bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** at;
  const digits = at === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[at]}`;
}

/** Bytes of `512MiB`, `1.5 GiB`, `64_000_000`, `1e9`, with decimal units (`MB`) too; undefined for anything else, and for less than one byte. */
export function parseBytes(text: string): number | undefined {
  const found = /^\s*([\d_]+(?:\.\d+)?(?:e\d+)?)\s*(?:([kmgt])(i)?)?b?\s*$/i.exec(text);
  if (found === null) return undefined;
  const [, digits = "", letter = "", binary] = found;
  const power = letter === "" ? 0 : "kmgt".indexOf(letter.toLowerCase()) + 1;
  const bytes = Math.floor(Number(digits.replaceAll("_", "")) * (binary === undefined ? 1000 : 1024) ** power);
  return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : undefined;
}
