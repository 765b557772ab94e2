// pointwise, width 4, 1 a lane
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let begin = (group.y * sizes.s0 + group.x) * 64u;
  let first = begin + local;
  if (first < sizes.s1) {
    let x0 = b0[first];
    let i = first % sizes.s2;
    let x1 = b1[i];
    let out = max(x0 + x1, vec4f(0.0f));
    b2[first] = out;
  }
}
