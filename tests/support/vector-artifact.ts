// A hand-written artifact of two kernels: a sum of vectors, and a counter that is state.
import type { CompiledArtifact, TargetRecord } from "../../ir/artifact.ts";
import { lineArtifact } from "./line-artifact.ts";

export const scaleKernel = `requires immediate_address_space;
struct Sizes { count: u32, factor: f32 }
var<immediate> sizes: Sizes;
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < sizes.count) { out[id.x] = x[id.x] + y[id.x] * sizes.factor; }
}
`;

/** Elements of x. */
export const count = 1000;

/** out = x + 2 y, where y is a constant of the artifact; and `count += 1` in an entry of its own. */
export function vectorArtifact(change: { readonly kernel?: string; readonly target?: Partial<TargetRecord> } = {}): CompiledArtifact {
  const bytes = 4096;
  const target: TargetRecord = {
    name: "portable",
    requires: { features: [], limits: {} },
    slabs: [
      { name: "io", bytes: 3 * bytes },
      { name: "counter", bytes: 256 },
    ],
    kernels: [
      { file: "kernels/scale.wgsl", workgroup: [64, 1, 1], bindings: 3, immediates: 2 },
      { file: "kernels/count.wgsl", workgroup: [1, 1, 1], bindings: 1, immediates: 0 },
    ],
    entries: {
      add: { inputs: { x: ["io", 0, bytes] }, outputs: { out: ["io", 2 * bytes, bytes] } },
      count: { inputs: {}, outputs: { n: ["counter", 0, 16] } },
    },
    dispatches: {
      add: [
        {
          kernel: 0,
          bind: [
            ["io", 0, bytes],
            ["io", bytes, bytes],
            ["io", 2 * bytes, bytes],
          ],
          immediates: [count, 0x40000000],
          groups: [Math.ceil(count / 64), 1, 1],
          serves: ["%out"],
          at: "vector.loom:2:3",
        },
      ],
      count: [{ kernel: 1, bind: [["counter", 0, 16]], immediates: [], groups: [1, 1, 1], serves: ["%n"] }],
    },
    constants: [{ range: ["io", bytes, bytes], file: "constants/y.bin" }],
    ...change.target,
  };
  const y = Float32Array.from({ length: count }, (_, i) => i / 4);
  return {
    manifest: {
      ...lineArtifact().manifest,
      state: [{ name: "n", type: "u32[]", role: "cache", init: "zeros", decay: false, slab: "counter", offset: 0, bytes: 16, tied: [] }],
      host: {},
      entries: {
        add: {
          inputs: [{ name: "x", type: `f32[${count}]`, source: "data" }],
          outputs: [{ name: "out", type: `f32[${count}]` }],
          updates: [],
        },
        count: { inputs: [], outputs: [{ name: "n", type: "u32[]" }], updates: ["n"] },
      },
      targets: [target],
    },
    files: new Map<string, string | Uint8Array>([
      ["kernels/scale.wgsl", change.kernel ?? scaleKernel],
      [
        "kernels/count.wgsl",
        "@group(0) @binding(0) var<storage, read_write> n: array<u32>;\n@compute @workgroup_size(1) fn main() { n[0] += 1u; }\n",
      ],
      ["constants/y.bin", new Uint8Array(y.buffer)],
    ]),
  };
}
