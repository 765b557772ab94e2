// reduce, 4 lanes an output, vectors along reduced
enable subgroups;
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(4, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let output = group.y * sizes.s0 + group.x;
  let clamped = min(output, sizes.s1);
  var sum = vec4f();
  let i = clamped * sizes.s2;
  for (var step = lane; step < sizes.s2; step += 4u) {
    let x0 = b0[i + step];
    sum += x0;
  }
  let part = sum;
  let part_1 = part.x + part.y;
  let part_2 = part.z + part.w;
  let part_3 = part_1 + part_2;
  let other = quadSwapX(part_3);
  let part_4 = part_3 + other;
  let other_1 = quadSwapY(part_4);
  let part_5 = part_4 + other_1;
  if (output < sizes.s0 && lane == 0u) {
    b1[clamped] = part_5;
  }
}
