// Host scalars: values that depend on the step alone, computed by the runtime in f64 and written each step.

/**
 * How the runtime computes a host scalar at step t (0-based).
 * - `constant`: always `value`.
 * - `warmup_cosine`: linear from 0 over `warmup` steps ((t+1)/warmup * peak), then cosine from `peak` to `floor * peak` at the last step.
 * - `bias_correction`: 1 - beta^(t+1), AdamW's correction.
 */
export type HostRule =
  | { readonly constant: { readonly value: number } }
  | { readonly warmup_cosine: { readonly peak: number; readonly warmup: number; readonly steps: number; readonly floor: number } }
  | { readonly bias_correction: { readonly beta: number } };

/** The value of a host scalar at a 0-based step, in f64. */
export function hostValue(rule: HostRule, step: number): number {
  if ("constant" in rule) return rule.constant.value;
  if ("bias_correction" in rule) return 1 - rule.bias_correction.beta ** (step + 1);
  if ("warmup_cosine" in rule) {
    const { peak, warmup, steps, floor } = rule.warmup_cosine;
    if (step < warmup) return (peak * (step + 1)) / warmup;
    const progress = Math.min(1, (step - warmup) / Math.max(1, steps - 1 - warmup));
    return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
  return rule satisfies never;
}
