// rows, subgroup, 4 lanes a row, 4 rows a workgroup, blocks of 16
enable subgroups;
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32, s6: u32, s7: u32, s8: u32, s9: u32, s10: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<u32>;
@group(0) @binding(2) var<storage, read_write> b2: array<u32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;

@compute @workgroup_size(4, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.y * sizes.s0 + group.x) * 4u;
  let end = min(first + 4u, sizes.s1);
  for (var row = first; row < end; row += 1u) {
    var gathered = vec4f();
    let i = row * sizes.s2;
    for (var span = 0u; span < sizes.s3; span += 1u) {
      let start = span * sizes.s4 + lane;
      let inside = min(start, sizes.s5);
      let quads = start + 4u;
      let inside_1 = min(quads, sizes.s5);
      let x0 = b0[i + inside];
      let x0_1 = b0[i + inside_1];
      let column = start * 4u;
      var v = select(vec4f(0.0f), x0, start < sizes.s2);
      let column_1 = quads * 4u;
      var v_1 = select(vec4f(0.0f), x0_1, quads < sizes.s2);
      let p = vec4f(v.x + v.y, v.x - v.y, v.z + v.w, v.z - v.w);
      v = vec4f(p.x + p.z, p.y + p.w, p.x - p.z, p.y - p.w);
      let p_1 = vec4f(v_1.x + v_1.y, v_1.x - v_1.y, v_1.z + v_1.w, v_1.z - v_1.w);
      v_1 = vec4f(p_1.x + p_1.z, p_1.y + p_1.w, p_1.x - p_1.z, p_1.y - p_1.w);
      let sign = select(-1.0f, 1.0f, (lane & 1u) == 0u);
      v = v * sign + quadSwapX(v);
      v_1 = v_1 * sign + quadSwapX(v_1);
      let sign_1 = select(-1.0f, 1.0f, (lane & 2u) == 0u);
      v = v * sign_1 + quadSwapY(v);
      v_1 = v_1 * sign_1 + quadSwapY(v_1);
      v = v * 0.25f;
      v_1 = v_1 * 0.25f;
      gathered += v * v;
      gathered += v_1 * v_1;
    }
    let part = gathered.x + gathered.y + (gathered.z + gathered.w);
    let part_1 = part + quadSwapX(part);
    let part_2 = part_1 + quadSwapY(part_1);
    let mean = part_2 / f32(sizes.s6);
    let value = sqrt(mean) * 0.33518666f + 1e-8f;
    if (lane == 0u) {
      b3[row] = value;
    }
    for (var span_1 = 0u; span_1 < sizes.s7; span_1 += 1u) {
      let start_1 = span_1 * sizes.s4 + lane;
      let inside_2 = min(start_1, sizes.s5);
      let quads_1 = start_1 + 4u;
      let inside_3 = min(quads_1, sizes.s5);
      let x0_2 = b0[i + inside_2];
      let x0_3 = b0[i + inside_3];
      let column_2 = start_1 * 4u;
      var v_2 = select(vec4f(0.0f), x0_2, start_1 < sizes.s2);
      let column_3 = quads_1 * 4u;
      var v_3 = select(vec4f(0.0f), x0_3, quads_1 < sizes.s2);
      let p_2 = vec4f(v_2.x + v_2.y, v_2.x - v_2.y, v_2.z + v_2.w, v_2.z - v_2.w);
      v_2 = vec4f(p_2.x + p_2.z, p_2.y + p_2.w, p_2.x - p_2.z, p_2.y - p_2.w);
      let p_3 = vec4f(v_3.x + v_3.y, v_3.x - v_3.y, v_3.z + v_3.w, v_3.z - v_3.w);
      v_3 = vec4f(p_3.x + p_3.z, p_3.y + p_3.w, p_3.x - p_3.z, p_3.y - p_3.w);
      let sign_2 = select(-1.0f, 1.0f, (lane & 1u) == 0u);
      v_2 = v_2 * sign_2 + quadSwapX(v_2);
      v_3 = v_3 * sign_2 + quadSwapX(v_3);
      let sign_3 = select(-1.0f, 1.0f, (lane & 2u) == 0u);
      v_2 = v_2 * sign_3 + quadSwapY(v_2);
      v_3 = v_3 * sign_3 + quadSwapY(v_3);
      v_2 = v_2 * 0.25f;
      v_3 = v_3 * 0.25f;
      let h = v_2;
      let h_1 = v_3;
      let place = lane & 1u;
      let shift = place * 16u;
      let v_4 = floor(h / value);
      let codes = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_4, vec4f(-8.0f)), vec4f(7.0f)) + 12582912.0f)) - 1262485504i) & vec4u(15u), vec4u(column_2) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits = ((codes.x | (codes.y << 4u)) | (codes.z << 8u)) | (codes.w << 12u);
      let v_5 = floor(h_1 / value);
      let codes_1 = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_5, vec4f(-8.0f)), vec4f(7.0f)) + 12582912.0f)) - 1262485504i) & vec4u(15u), vec4u(column_3) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_1 = ((codes_1.x | (codes_1.y << 4u)) | (codes_1.z << 8u)) | (codes_1.w << 12u);
      let start_2 = row * sizes.s8;
      let word = span_1 * sizes.s9 + (lane >> 1u);
      let whole = bits << shift;
      let whole_1 = whole | quadSwapX(whole);
      let whole_2 = bits_1 << shift;
      let whole_3 = whole_2 | quadSwapX(whole_2);
      let at = word + place * 2u;
      if (at < sizes.s8) {
        let at_1 = start_2 + at;
        let out = select(whole_1, whole_3, place == 1u);
        b1[at_1] = out;
      }
      let place_1 = lane & 3u;
      let shift_1 = place_1 * 4u;
      let codes_2 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_4 >= vec4f(-8.0f)) & (v_4 <= vec4f(7.0f))), vec4u(column_2) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_2 = ((codes_2.x | (codes_2.y << 1u)) | (codes_2.z << 2u)) | (codes_2.w << 3u);
      let codes_3 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_5 >= vec4f(-8.0f)) & (v_5 <= vec4f(7.0f))), vec4u(column_3) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_3 = ((codes_3.x | (codes_3.y << 1u)) | (codes_3.z << 2u)) | (codes_3.w << 3u);
      let start_3 = row * sizes.s7;
      let word_1 = span_1 * sizes.s10;
      let whole_4 = (bits_2 << shift_1) | (bits_3 << (shift_1 + 16u));
      let whole_5 = whole_4 | quadSwapX(whole_4);
      let whole_6 = whole_5 | quadSwapY(whole_5);
      let at_2 = word_1 + place_1;
      if (place_1 < 1u && at_2 < sizes.s7) {
        let at_3 = start_3 + at_2;
        b2[at_3] = whole_6;
      }
    }
  }
}
