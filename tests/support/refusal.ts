// What a promise or a function refuses with: the printed diagnostics, or a failure where nothing is refused.
import { DiagnosticError } from "../../ir/diagnostic.ts";

export async function refusal(body: () => unknown): Promise<string> {
  try {
    await body();
  } catch (problem) {
    if (problem instanceof DiagnosticError) return problem.message;
    throw problem;
  }
  throw new Error("nothing was refused");
}
