// rows, workgroup, 16 lanes a row, 1 at a time, 1 vectors a lane, blocks of 8
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32, s6: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<u32>;
@group(0) @binding(2) var<storage, read_write> b2: array<u32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;
var<workgroup> exchange: array<vec4f, 32>;
var<workgroup> exchange_1: array<f32, 32>;
var<workgroup> exchange_2: array<u32, 32>;

@compute @workgroup_size(16, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  var half = 0u;
  let first = group.y * sizes.s0 + group.x;
  let end = min(first + sizes.s1, sizes.s0);
  for (var row = first; row < end; row += 1u) {
    var gathered = vec4f();
    var held = vec4f();
    var held_1 = vec4f();
    let i = row * sizes.s2;
    for (var span = 0u; span < sizes.s3; span += 1u) {
      held = held_1;
      let start = span * 16u + local;
      let inside = min(start, sizes.s4);
      let x0 = b0[i + inside];
      var v = select(vec4f(0.0f), x0, start < sizes.s2);
      let p = vec4f(v.x + v.y, v.x - v.y, v.z + v.w, v.z - v.w);
      v = vec4f(p.x + p.z, p.y + p.w, p.x - p.z, p.y - p.w);
      let sign = select(-1.0f, 1.0f, (local & 1u) == 0u);
      let offset = half;
      exchange[offset + local] = v;
      workgroupBarrier();
      let other = exchange[offset + (local ^ 1u)];
      half = 16u - half;
      v = v * sign + other;
      v = v * 0.35355338f;
      gathered += v * v;
      held_1 = v;
    }
    let start_1 = 0u * 16u + local;
    let inside_1 = min(start_1, sizes.s4);
    let start_2 = 1u * 16u + local;
    let inside_2 = min(start_2, sizes.s4);
    let part = gathered.x + gathered.y + (gathered.z + gathered.w);
    let offset_1 = half;
    exchange_1[offset_1 + local] = part;
    workgroupBarrier();
    let other_1 = exchange_1[offset_1 + (local ^ 1u)];
    half = 16u - half;
    let part_1 = part + other_1;
    let offset_2 = half;
    exchange_1[offset_2 + local] = part_1;
    workgroupBarrier();
    let other_2 = exchange_1[offset_2 + (local ^ 2u)];
    half = 16u - half;
    let part_2 = part_1 + other_2;
    let offset_3 = half;
    exchange_1[offset_3 + local] = part_2;
    workgroupBarrier();
    let other_3 = exchange_1[offset_3 + (local ^ 4u)];
    half = 16u - half;
    let part_3 = part_2 + other_3;
    let offset_4 = half;
    exchange_1[offset_4 + local] = part_3;
    workgroupBarrier();
    let other_4 = exchange_1[offset_4 + (local ^ 8u)];
    half = 16u - half;
    let part_4 = part_3 + other_4;
    let mean = part_4 / f32(sizes.s5);
    let value = sqrt(mean) * 1.6759334f + 1e-8f;
    if (local == 0u) {
      b3[row] = value;
    }
    let start_3 = row * sizes.s6;
    let start_4 = row * sizes.s6;
    let h = held;
    let v_1 = floor(h / value);
    let codes = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_1, vec4f(-2.0f)), vec4f(1.0f)) + 12582912.0f))) & vec4u(3u), vec4u(start_1 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s5));
    let bits = ((codes.x | (codes.y << 2u)) | (codes.z << 4u)) | (codes.w << 6u);
    let word = bits << ((local & 3u) * 8u);
    let offset_5 = half;
    exchange_2[offset_5 + local] = word;
    workgroupBarrier();
    let other_5 = exchange_2[offset_5 + (local ^ 1u)];
    half = 16u - half;
    let word_1 = word | other_5;
    let offset_6 = half;
    exchange_2[offset_6 + local] = word_1;
    workgroupBarrier();
    let other_6 = exchange_2[offset_6 + (local ^ 2u)];
    half = 16u - half;
    let word_2 = word_1 | other_6;
    let codes_1 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_1 >= vec4f(-2.0f)) & (v_1 <= vec4f(1.0f))), vec4u(start_1 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s5));
    let bits_1 = ((codes_1.x | (codes_1.y << 1u)) | (codes_1.z << 2u)) | (codes_1.w << 3u);
    let word_3 = bits_1 << ((local & 7u) * 4u);
    let offset_7 = half;
    exchange_2[offset_7 + local] = word_3;
    workgroupBarrier();
    let other_7 = exchange_2[offset_7 + (local ^ 1u)];
    half = 16u - half;
    let word_4 = word_3 | other_7;
    let offset_8 = half;
    exchange_2[offset_8 + local] = word_4;
    workgroupBarrier();
    let other_8 = exchange_2[offset_8 + (local ^ 2u)];
    half = 16u - half;
    let word_5 = word_4 | other_8;
    let offset_9 = half;
    exchange_2[offset_9 + local] = word_5;
    workgroupBarrier();
    let other_9 = exchange_2[offset_9 + (local ^ 4u)];
    half = 16u - half;
    let word_6 = word_5 | other_9;
    let h_1 = held_1;
    let v_2 = floor(h_1 / value);
    let codes_2 = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_2, vec4f(-2.0f)), vec4f(1.0f)) + 12582912.0f))) & vec4u(3u), vec4u(start_2 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s5));
    let bits_2 = ((codes_2.x | (codes_2.y << 2u)) | (codes_2.z << 4u)) | (codes_2.w << 6u);
    let word_7 = bits_2 << ((local & 3u) * 8u);
    let offset_10 = half;
    exchange_2[offset_10 + local] = word_7;
    workgroupBarrier();
    let other_10 = exchange_2[offset_10 + (local ^ 1u)];
    half = 16u - half;
    let word_8 = word_7 | other_10;
    let offset_11 = half;
    exchange_2[offset_11 + local] = word_8;
    workgroupBarrier();
    let other_11 = exchange_2[offset_11 + (local ^ 2u)];
    half = 16u - half;
    let word_9 = word_8 | other_11;
    let codes_3 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_2 >= vec4f(-2.0f)) & (v_2 <= vec4f(1.0f))), vec4u(start_2 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s5));
    let bits_3 = ((codes_3.x | (codes_3.y << 1u)) | (codes_3.z << 2u)) | (codes_3.w << 3u);
    let word_10 = bits_3 << ((local & 7u) * 4u);
    let offset_12 = half;
    exchange_2[offset_12 + local] = word_10;
    workgroupBarrier();
    let other_12 = exchange_2[offset_12 + (local ^ 1u)];
    half = 16u - half;
    let word_11 = word_10 | other_12;
    let offset_13 = half;
    exchange_2[offset_13 + local] = word_11;
    workgroupBarrier();
    let other_13 = exchange_2[offset_13 + (local ^ 2u)];
    half = 16u - half;
    let word_12 = word_11 | other_13;
    let offset_14 = half;
    exchange_2[offset_14 + local] = word_12;
    workgroupBarrier();
    let other_14 = exchange_2[offset_14 + (local ^ 4u)];
    half = 16u - half;
    let word_13 = word_12 | other_14;
    let at = 0u * 4u + ((local >> 2u) + (local & 3u) * 4u);
    if ((local & 3u) < 2u && at < sizes.s6) {
      let at_1 = start_3 + at;
      let out = select(word_2, word_9, (local & 3u) == 1u);
      b1[at_1] = out;
    }
    let at_2 = 0u * 2u + ((local >> 3u) + (local & 7u) * 2u);
    if ((local & 7u) < 2u) {
      let at_3 = start_4 + at_2;
      let out_1 = select(word_6, word_13, (local & 7u) == 1u);
      b2[at_3] = out_1;
    }
  }
}
