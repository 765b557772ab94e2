// Losses that others published, as rows of results.
import quest from "./published/quest.json" with { type: "json" };
import { rowFrom } from "./results-table.ts";
import type { ResultRow } from "./scaling-law.ts";

export interface PublishedResults {
  /** Where the losses come from, and in which units sizes, tokens and losses are. */
  readonly source: Readonly<Record<string, string>>;
  readonly rows: readonly ResultRow[];
}

/**
 * QuEST's 104 runs on C4: 30 to 800 million parameters, mostly 100 tokens a parameter. The series are `quest` (weights and activations; 16 bits
 * are BF16), `fp4` (E2M1), `sparse` (4:8 pairs of INT4, 2.5 bits a weight), `unrotated` (QuEST without Hadamard), and `weights` (weights alone).
 */
export const questResults: PublishedResults = { source: quest.source, rows: quest.rows.map((row, i) => rowFrom(row, `rows[${i}]`)) };
