// reduce, 8 lanes an output, vectors along none
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<i32>;
var<workgroup> exchange: array<f32, 16>;
var<workgroup> exchange_1: array<i32, 16>;

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  var half = 0u;
  let output = group.y * sizes.s0 + group.x;
  let clamped = min(output, sizes.s1);
  var best = bitcast<f32>(sizes.s2);
  var position = 2147483647i;
  let i = clamped * sizes.s3;
  for (var step = local; step < sizes.s3; step += 8u) {
    let x0 = b0[i + step];
    let better = (x0 > best) | ((x0 == best) & (bitcast<i32>(step) < position));
    best = select(best, x0, better);
    position = select(position, bitcast<i32>(step), better);
  }
  let part = best;
  let place = position;
  let offset = half;
  exchange[offset + local] = part;
  workgroupBarrier();
  let other = exchange[offset + (local ^ 1u)];
  half = 8u - half;
  let offset_1 = half;
  exchange_1[offset_1 + local] = place;
  workgroupBarrier();
  let other_1 = exchange_1[offset_1 + (local ^ 1u)];
  half = 8u - half;
  let better_1 = (other > part) | ((other == part) & (other_1 < place));
  let part_1 = select(part, other, better_1);
  let place_1 = select(place, other_1, better_1);
  let offset_2 = half;
  exchange[offset_2 + local] = part_1;
  workgroupBarrier();
  let other_2 = exchange[offset_2 + (local ^ 2u)];
  half = 8u - half;
  let offset_3 = half;
  exchange_1[offset_3 + local] = place_1;
  workgroupBarrier();
  let other_3 = exchange_1[offset_3 + (local ^ 2u)];
  half = 8u - half;
  let better_2 = (other_2 > part_1) | ((other_2 == part_1) & (other_3 < place_1));
  let part_2 = select(part_1, other_2, better_2);
  let place_2 = select(place_1, other_3, better_2);
  let offset_4 = half;
  exchange[offset_4 + local] = part_2;
  workgroupBarrier();
  let other_4 = exchange[offset_4 + (local ^ 4u)];
  half = 8u - half;
  let offset_5 = half;
  exchange_1[offset_5 + local] = place_2;
  workgroupBarrier();
  let other_5 = exchange_1[offset_5 + (local ^ 4u)];
  half = 8u - half;
  let better_3 = (other_4 > part_2) | ((other_4 == part_2) & (other_5 < place_2));
  let part_3 = select(part_2, other_4, better_3);
  let place_3 = select(place_2, other_5, better_3);
  let found = select(place_3, 0i, place_3 == 2147483647i);
  if (output < sizes.s0 && local == 0u) {
    b1[clamped] = found;
  }
}
