// Names of the outputs of `@probe`: the pass that makes them and the runtime that reads them agree here.

/** What is told of one operand of a contraction: the share of its elements that the gradient passes, and the relative squared error of rounding. */
export interface ProbeOutput {
  /** Path of the contraction: `layers.0.attn.wq`. */
  readonly site: string;
  /** Weight or activation. */
  readonly side: "w" | "a";
  readonly what: "trusted" | "error";
}

/** `w_trusted_layers_d0_dattn_dwq`: names of outputs have no dots, so `_d` is one, and `__` an underscore. */
export const probeOutputName = ({ site, side, what }: ProbeOutput): string =>
  `${side}_${what}_${site.replaceAll("_", "__").replaceAll(".", "_d")}`;

/** Undefined for any other name. */
export function probeOutputOf(name: string): ProbeOutput | undefined {
  const [, side, what, written] = /^([wa])_(trusted|error)_(.*)$/.exec(name) ?? [];
  if ((side !== "w" && side !== "a") || (what !== "trusted" && what !== "error") || written === undefined) return undefined;
  return { side, what, site: written.replace(/__|_d/g, (pair) => (pair === "__" ? "_" : ".")) };
}
