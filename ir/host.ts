// Host scalars: values that depend on the step alone, computed by the runtime in f64 and written each step.

/**
 * How the runtime computes a host scalar at step t (0-based).
 * - `constant`: always `value`.
 * - `warmup_cosine`: linear from 0 over `warmup` steps ((t+1)/warmup * peak), then cosine from `peak` to `floor * peak` at the last step.
 * - `one_cycle`: cosine from `start * peak` at step 0 to `peak` at step `warmup - 1`, then cosine to `floor * peak` at the last step (Smith and
 *   Topin 2017, as in PyTorch's OneCycleLR with its two phases of cosine).
 * - `bias_correction`: 1 - beta^(t+1), AdamW's correction.
 */
export type HostRule =
  | { readonly constant: { readonly value: number } }
  | { readonly warmup_cosine: { readonly peak: number; readonly warmup: number; readonly steps: number; readonly floor: number } }
  | {
      readonly one_cycle: {
        readonly peak: number;
        readonly warmup: number;
        readonly steps: number;
        readonly start: number;
        readonly floor: number;
      };
    }
  | { readonly bias_correction: { readonly beta: number } };

/** The value of a host scalar at a 0-based step, in f64. */
export function hostValue(rule: HostRule, step: number): number {
  if ("constant" in rule) return rule.constant.value;
  if ("bias_correction" in rule) return 1 - rule.bias_correction.beta ** (step + 1);
  if ("warmup_cosine" in rule) {
    const { peak, warmup, steps, floor } = rule.warmup_cosine;
    if (step < warmup) return (peak * (step + 1)) / warmup;
    return peak * cosineBetween(1, floor, (step - warmup) / Math.max(1, steps - 1 - warmup));
  }
  if ("one_cycle" in rule) {
    const { peak, warmup, steps, start, floor } = rule.one_cycle;
    const top = Math.max(0, warmup - 1);
    if (step < top) return peak * cosineBetween(start, 1, step / top);
    return peak * cosineBetween(1, floor, (step - top) / Math.max(1, steps - 1 - top));
  }
  return rule satisfies never;
}

/** From one value to another along half a period of the cosine; `progress` beyond 1 stays at the end. */
function cosineBetween(from: number, to: number, progress: number): number {
  return to + (from - to) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
