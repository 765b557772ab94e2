// Modules as files: IR text, with long constants in a safetensors file beside it.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DiagnosticError, hasErrors } from "../ir/diagnostic.ts";
import type { Module } from "../ir/module.ts";
import type { Source } from "../ir/source.ts";
import { parseModule } from "../ir/text/parse.ts";
import { printModule } from "../ir/text/print.ts";
import { elementCount, shapeOf } from "../ir/type.ts";
import { encodeWeights, readWeights, type SavedTensor, type Weights } from "../runtime/index.ts";

/** Collects the long constants of modules that are written to one folder, each once. */
export class ModuleFolder {
  readonly #folder: string;
  readonly #dataFile: string;
  readonly #tensors = new Map<string, SavedTensor>();

  /** `dataFile` is the name of the file for constants; it is written by {@link close} where there are any. */
  constructor(folder: string, dataFile = "constants.safetensors") {
    this.#folder = folder;
    this.#dataFile = dataFile;
  }

  /** Write one module, with `before` (whole lines of comments) above it. Returns its path. */
  async write(name: string, module: Module, options: { readonly before?: string; readonly locations?: boolean } = {}): Promise<string> {
    const text = printModule(module, {
      locations: options.locations === true,
      constants: (values, type) => {
        const saved: SavedTensor = {
          dtype: "F64",
          shape: [elementCount(shapeOf(type))],
          bytes: new Uint8Array(Float64Array.from(values).buffer),
        };
        const sha256 = createHash("sha256").update(saved.bytes).digest("hex");
        this.#tensors.set(sha256, saved);
        return { sha256, data: this.#dataFile };
      },
    });
    const path = join(this.#folder, name);
    await mkdir(this.#folder, { recursive: true });
    await writeFile(path, (options.before ?? "") + text);
    return path;
  }

  /** Write the file of constants. */
  async close(): Promise<void> {
    if (this.#tensors.size === 0) return;
    await writeFile(join(this.#folder, this.#dataFile), encodeWeights({ tensors: this.#tensors, metadata: { format: "bitloom" } }));
  }
}

/** Parse and verify IR text; files of constants are looked for beside it. Throws a DiagnosticError. */
export async function readModule(source: Source): Promise<Module> {
  const folder = dirname(source.path);
  const names = new Set([...source.text.matchAll(/\bdata = "([^"]+\.safetensors)"/g)].map((match) => match[1] ?? ""));
  const files = new Map<string, Weights>();
  for (const name of names) if (existsSync(join(folder, name))) files.set(name, await readWeights(join(folder, name)));
  const { value, diagnostics } = parseModule(source, {
    constants: (sha256, data) => {
      const bytes = files.get(data)?.tensors.get(sha256)?.bytes;
      return bytes === undefined ? undefined : [...new Float64Array(bytes.slice().buffer)];
    },
  });
  if (value === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
  return value;
}
