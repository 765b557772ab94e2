// reduce, 1 lanes an output, vectors along outputs
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let output = (group.y * sizes.s0 + group.x) * 8u + local;
  let clamped = min(output, sizes.s1);
  var sum = vec4f();
  for (var step = 0u; step < sizes.s2; step += 1u) {
    let x0 = b0[step * sizes.s3 + clamped];
    sum += x0;
  }
  let part = sum;
  if (output < sizes.s3) {
    b1[clamped] = part;
  }
}
