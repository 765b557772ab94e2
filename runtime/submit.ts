// Encoding an entry: all its dispatches in one compute pass, or one pass each where every dispatch is timed.

/** A dispatch with everything bound. */
export interface ReadyDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  /** Undefined where the kernel declares none. */
  readonly immediates: Uint32Array<ArrayBuffer> | undefined;
  readonly groups: readonly [number, number, number];
}

/** `entry`: begin and end of the whole. `dispatch`: begin and end of each dispatch, at the price of a pass each. */
export type TimestampMode = "entry" | "dispatch";

/** Record the dispatches, in order. With `timestamps`, two a span are written to the query set: 2i and 2i + 1. */
export function encodeDispatches(
  encoder: GPUCommandEncoder,
  dispatches: readonly ReadyDispatch[],
  timestamps?: { readonly mode: TimestampMode; readonly querySet: GPUQuerySet },
): void {
  const span = (i: number): GPUComputePassDescriptor =>
    timestamps === undefined
      ? {}
      : { timestampWrites: { querySet: timestamps.querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 } };
  if (timestamps?.mode === "dispatch") {
    for (const [i, dispatch] of dispatches.entries()) encodePass(encoder, [dispatch], span(i));
  } else encodePass(encoder, dispatches, span(0));
}

function encodePass(encoder: GPUCommandEncoder, dispatches: readonly ReadyDispatch[], descriptor: GPUComputePassDescriptor): void {
  const pass = encoder.beginComputePass(descriptor);
  let pipeline: GPUComputePipeline | undefined;
  let bindGroup: GPUBindGroup | undefined;
  for (const next of dispatches) {
    if (next.pipeline !== pipeline) pass.setPipeline(next.pipeline);
    if (next.bindGroup !== bindGroup) pass.setBindGroup(0, next.bindGroup);
    if (next.immediates !== undefined) pass.setImmediates(0, next.immediates);
    const [x, y, z] = next.groups;
    pass.dispatchWorkgroups(x, y, z);
    ({ pipeline, bindGroup } = next);
  }
  pass.end();
}
