// rows, subgroup, 4 lanes a row, 1 at a time, 4 vectors a lane, blocks of 16
enable subgroups;
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32, s6: u32, s7: u32, s8: u32, s9: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<u32>;
@group(0) @binding(2) var<storage, read_write> b2: array<u32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;

@compute @workgroup_size(4, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.y * sizes.s0 + group.x) * sizes.s1;
  let end = min(first + sizes.s1, sizes.s2);
  for (var row = first; row < end; row += 1u) {
    var gathered = vec4f();
    let i = row * sizes.s3;
    for (var span = 0u; span < sizes.s4; span += 1u) {
      let start = (span * 4u + lane) * 4u;
      let inside = min(start, sizes.s5);
      let quads = start + 1u;
      let inside_1 = min(quads, sizes.s5);
      let quads_1 = start + 2u;
      let inside_2 = min(quads_1, sizes.s5);
      let quads_2 = start + 3u;
      let inside_3 = min(quads_2, sizes.s5);
      let x0 = b0[i + inside];
      let x0_1 = b0[i + inside_1];
      let x0_2 = b0[i + inside_2];
      let x0_3 = b0[i + inside_3];
      var v = select(vec4f(0.0f), x0, start < sizes.s3);
      var v_1 = select(vec4f(0.0f), x0_1, quads < sizes.s3);
      var v_2 = select(vec4f(0.0f), x0_2, quads_1 < sizes.s3);
      var v_3 = select(vec4f(0.0f), x0_3, quads_2 < sizes.s3);
      let p = vec4f(v.x + v.y, v.x - v.y, v.z + v.w, v.z - v.w);
      v = vec4f(p.x + p.z, p.y + p.w, p.x - p.z, p.y - p.w);
      let p_1 = vec4f(v_1.x + v_1.y, v_1.x - v_1.y, v_1.z + v_1.w, v_1.z - v_1.w);
      v_1 = vec4f(p_1.x + p_1.z, p_1.y + p_1.w, p_1.x - p_1.z, p_1.y - p_1.w);
      let p_2 = vec4f(v_2.x + v_2.y, v_2.x - v_2.y, v_2.z + v_2.w, v_2.z - v_2.w);
      v_2 = vec4f(p_2.x + p_2.z, p_2.y + p_2.w, p_2.x - p_2.z, p_2.y - p_2.w);
      let p_3 = vec4f(v_3.x + v_3.y, v_3.x - v_3.y, v_3.z + v_3.w, v_3.z - v_3.w);
      v_3 = vec4f(p_3.x + p_3.z, p_3.y + p_3.w, p_3.x - p_3.z, p_3.y - p_3.w);
      let a = v;
      let b = v_1;
      v = a + b;
      v_1 = a - b;
      let a_1 = v_2;
      let b_1 = v_3;
      v_2 = a_1 + b_1;
      v_3 = a_1 - b_1;
      let a_2 = v;
      let b_2 = v_2;
      v = a_2 + b_2;
      v_2 = a_2 - b_2;
      let a_3 = v_1;
      let b_3 = v_3;
      v_1 = a_3 + b_3;
      v_3 = a_3 - b_3;
      v = v * 0.25f;
      v_1 = v_1 * 0.25f;
      v_2 = v_2 * 0.25f;
      v_3 = v_3 * 0.25f;
      gathered += v * v;
      gathered += v_1 * v_1;
      gathered += v_2 * v_2;
      gathered += v_3 * v_3;
    }
    let part = gathered.x + gathered.y + (gathered.z + gathered.w);
    let part_1 = part + quadSwapX(part);
    let part_2 = part_1 + quadSwapY(part_1);
    let mean = part_2 / f32(sizes.s6);
    let value = sqrt(mean) * 0.33518666f + 1e-8f;
    if (lane == 0u) {
      b3[row] = value;
    }
    let start_1 = row * sizes.s7;
    let start_2 = row * sizes.s8;
    for (var span_1 = 0u; span_1 < sizes.s9; span_1 += 1u) {
      let start_3 = (span_1 * 4u + lane) * 4u;
      let inside_4 = min(start_3, sizes.s5);
      let quads_3 = start_3 + 1u;
      let inside_5 = min(quads_3, sizes.s5);
      let quads_4 = start_3 + 2u;
      let inside_6 = min(quads_4, sizes.s5);
      let quads_5 = start_3 + 3u;
      let inside_7 = min(quads_5, sizes.s5);
      let x0_4 = b0[i + inside_4];
      let x0_5 = b0[i + inside_5];
      let x0_6 = b0[i + inside_6];
      let x0_7 = b0[i + inside_7];
      var v_4 = select(vec4f(0.0f), x0_4, start_3 < sizes.s3);
      var v_5 = select(vec4f(0.0f), x0_5, quads_3 < sizes.s3);
      var v_6 = select(vec4f(0.0f), x0_6, quads_4 < sizes.s3);
      var v_7 = select(vec4f(0.0f), x0_7, quads_5 < sizes.s3);
      let p_4 = vec4f(v_4.x + v_4.y, v_4.x - v_4.y, v_4.z + v_4.w, v_4.z - v_4.w);
      v_4 = vec4f(p_4.x + p_4.z, p_4.y + p_4.w, p_4.x - p_4.z, p_4.y - p_4.w);
      let p_5 = vec4f(v_5.x + v_5.y, v_5.x - v_5.y, v_5.z + v_5.w, v_5.z - v_5.w);
      v_5 = vec4f(p_5.x + p_5.z, p_5.y + p_5.w, p_5.x - p_5.z, p_5.y - p_5.w);
      let p_6 = vec4f(v_6.x + v_6.y, v_6.x - v_6.y, v_6.z + v_6.w, v_6.z - v_6.w);
      v_6 = vec4f(p_6.x + p_6.z, p_6.y + p_6.w, p_6.x - p_6.z, p_6.y - p_6.w);
      let p_7 = vec4f(v_7.x + v_7.y, v_7.x - v_7.y, v_7.z + v_7.w, v_7.z - v_7.w);
      v_7 = vec4f(p_7.x + p_7.z, p_7.y + p_7.w, p_7.x - p_7.z, p_7.y - p_7.w);
      let a_4 = v_4;
      let b_4 = v_5;
      v_4 = a_4 + b_4;
      v_5 = a_4 - b_4;
      let a_5 = v_6;
      let b_5 = v_7;
      v_6 = a_5 + b_5;
      v_7 = a_5 - b_5;
      let a_6 = v_4;
      let b_6 = v_6;
      v_4 = a_6 + b_6;
      v_6 = a_6 - b_6;
      let a_7 = v_5;
      let b_7 = v_7;
      v_5 = a_7 + b_7;
      v_7 = a_7 - b_7;
      v_4 = v_4 * 0.25f;
      v_5 = v_5 * 0.25f;
      v_6 = v_6 * 0.25f;
      v_7 = v_7 * 0.25f;
      let h = v_4;
      let h_1 = v_5;
      let h_2 = v_6;
      let h_3 = v_7;
      let v_8 = floor(h / value);
      let codes = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_8, vec4f(-8.0f)), vec4f(7.0f)) + 12582912.0f))) & vec4u(15u), vec4u(start_3 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits = ((codes.x | (codes.y << 4u)) | (codes.z << 8u)) | (codes.w << 12u);
      let v_9 = floor(h_1 / value);
      let codes_1 = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_9, vec4f(-8.0f)), vec4f(7.0f)) + 12582912.0f))) & vec4u(15u), vec4u(quads_3 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_1 = ((codes_1.x | (codes_1.y << 4u)) | (codes_1.z << 8u)) | (codes_1.w << 12u);
      let v_10 = floor(h_2 / value);
      let codes_2 = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_10, vec4f(-8.0f)), vec4f(7.0f)) + 12582912.0f))) & vec4u(15u), vec4u(quads_4 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_2 = ((codes_2.x | (codes_2.y << 4u)) | (codes_2.z << 8u)) | (codes_2.w << 12u);
      let v_11 = floor(h_3 / value);
      let codes_3 = select(vec4u(0u), bitcast<vec4u>(vec4i(bitcast<vec4u>(min(max(v_11, vec4f(-8.0f)), vec4f(7.0f)) + 12582912.0f))) & vec4u(15u), vec4u(quads_5 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_3 = ((codes_3.x | (codes_3.y << 4u)) | (codes_3.z << 8u)) | (codes_3.w << 12u);
      let at = (span_1 * 4u + lane) * 2u;
      if (at < sizes.s7) {
        let at_1 = start_1 + at;
        let out = bits | (bits_1 << 16u);
        b1[at_1] = out;
      }
      if (at + 1u < sizes.s7) {
        let at_2 = start_1 + (at + 1u);
        let out_1 = bits_2 | (bits_3 << 16u);
        b1[at_2] = out_1;
      }
      let codes_4 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_8 >= vec4f(-8.0f)) & (v_8 <= vec4f(7.0f))), vec4u(start_3 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_4 = ((codes_4.x | (codes_4.y << 1u)) | (codes_4.z << 2u)) | (codes_4.w << 3u);
      let codes_5 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_9 >= vec4f(-8.0f)) & (v_9 <= vec4f(7.0f))), vec4u(quads_3 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_5 = ((codes_5.x | (codes_5.y << 1u)) | (codes_5.z << 2u)) | (codes_5.w << 3u);
      let codes_6 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_10 >= vec4f(-8.0f)) & (v_10 <= vec4f(7.0f))), vec4u(quads_4 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_6 = ((codes_6.x | (codes_6.y << 1u)) | (codes_6.z << 2u)) | (codes_6.w << 3u);
      let codes_7 = select(vec4u(0u), select(vec4u(0u), vec4u(1u), (v_11 >= vec4f(-8.0f)) & (v_11 <= vec4f(7.0f))), vec4u(quads_5 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s6));
      let bits_7 = ((codes_7.x | (codes_7.y << 1u)) | (codes_7.z << 2u)) | (codes_7.w << 3u);
      let word = (((bits_4 | (bits_5 << 4u)) | (bits_6 << 8u)) | (bits_7 << 12u)) << ((lane & 1u) * 16u);
      let word_1 = word | quadSwapX(word);
      let at_3 = span_1 * 2u + ((lane >> 1u) + (lane & 1u) * 2u);
      if ((lane & 1u) < 1u) {
        let at_4 = start_2 + at_3;
        b2[at_4] = word_1;
      }
    }
  }
}
