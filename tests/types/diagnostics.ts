// A diagnostic with a code that the table does not explain must not compile.
import { error } from "../../ir/diagnostic.ts";
import { type DiagnosticCode, diagnosticCodes } from "../../ir/errors/table.ts";

export const known = error("shape-mismatch", "sizes differ");

// @ts-expect-error: not in the table.
export const unknown = error("shape-mismach", "sizes differ");

// @ts-expect-error: a text that is computed; codes are literals.
export const computed: DiagnosticCode = diagnosticCodes.join("-");
