// The last check of what is emitted: every dispatch of a target keeps WebGPU's rules and the target's limits.
import type { SlabRange, TargetRecord } from "../../ir/artifact.ts";
import type { Target } from "../../ir/plan.ts";

const offsetAlignment = 256;
const sizeAlignment = 16;
const mostImmediates = 16;

/** Throws for a target that breaks a rule; it is ours, so that is a bug. Names the dispatch and the rule. */
export function verifyTarget(target: TargetRecord, limits: Target["limits"]): void {
  const slabs = new Map(target.slabs.map(({ name, bytes }) => [name, bytes]));
  for (const [entry, dispatches] of Object.entries(target.dispatches)) {
    for (const [i, { kernel, bind, immediates, groups, serves }] of dispatches.entries()) {
      const fail = (problem: string): never => {
        throw new Error(`target ${target.name}, @${entry}, dispatch ${i} (${serves.join(", ")}): ${problem}`);
      };
      const record = target.kernels[kernel] ?? fail(`there is no kernel ${kernel}`);
      if (record.bindings !== bind.length) fail(`${bind.length} ranges for ${record.bindings} bindings`);
      if (record.immediates !== immediates.length || immediates.length > mostImmediates)
        fail(`${immediates.length} immediates for ${record.immediates}`);
      if (immediates.some((word) => !Number.isInteger(word) || word < 0 || word > 0xffffffff))
        fail(`immediates ${immediates.join(", ")} are not all u32`);
      if (bind.length > limits.maxStorageBuffersPerShaderStage)
        fail(`${bind.length} bindings, at most ${limits.maxStorageBuffersPerShaderStage}`);
      const most = limits.maxComputeWorkgroupsPerDimension;
      if (groups.some((n) => !Number.isInteger(n) || n < 1 || n > most))
        fail(`${groups.join(" x ")} workgroups, 1 to ${most} in each dimension`);
      for (const range of bind) {
        const problem = checkRange(range, slabs, limits.maxStorageBufferBindingSize);
        if (problem !== undefined) fail(problem);
      }
      const clash = bind.find((a, x) => bind.some((b, y) => y > x && overlap(a, b)));
      if (clash !== undefined) fail(`the range at ${clash[0]} + ${clash[1]} overlaps another`);
    }
  }
}

const overlap = ([slabA, a, lengthA]: SlabRange, [slabB, b, lengthB]: SlabRange): boolean =>
  slabA === slabB && a < b + lengthB && b < a + lengthA;

function checkRange([slab, offset, bytes]: SlabRange, slabs: ReadonlyMap<string, number>, most: number): string | undefined {
  const size = slabs.get(slab);
  if (size === undefined) return `there is no slab ${slab}`;
  if (offset % offsetAlignment !== 0) return `offset ${offset} in ${slab} is no multiple of ${offsetAlignment}`;
  if (bytes <= 0 || bytes % sizeAlignment !== 0) return `${bytes} bytes of ${slab} are no multiple of ${sizeAlignment}`;
  if (bytes > most) return `${bytes} bytes of ${slab}, a binding takes ${most}`;
  return offset + bytes > size ? `${bytes} bytes at ${offset} go beyond ${slab}` : undefined;
}
