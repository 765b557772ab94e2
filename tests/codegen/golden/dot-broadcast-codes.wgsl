// dot, broadcast, 1 x 4 rows, subgroups of 4
enable subgroups;
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32, s6: u32, s7: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<u32>;
@group(0) @binding(1) var<storage, read_write> b1: array<u32>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;
@group(0) @binding(4) var<storage, read_write> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> b5: array<vec4<f32>>;

@compute @workgroup_size(4, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let r = group.y * 4u;
  let x = group.x * 4u + lane;
  let xc = min(x, sizes.s0);
  let row = min(r + lane, sizes.s1);
  var c = vec4f();
  var c_1 = vec4f();
  var c_2 = vec4f();
  var c_3 = vec4f();
  let i = row * 4u;
  let x3 = b3[row];
  let x4 = b4[xc];
  let i_1 = xc * sizes.s2;
  for (var k = 0u; k < sizes.s3; k += 1u) {
    let x0 = b0[i + (k >> 1u)];
    let i_2 = k >> 1u;
    let i_3 = i_1 + i_2;
    let x1 = b1[i_3];
    let x1_1 = b1[i_3 + 4u];
    let x1_2 = b1[i_3 + sizes.s4];
    let x1_3 = b1[i_3 + sizes.s5];
    let i_4 = (k & 1u) * 16u;
    let i_5 = x0 >> i_4;
    let a = (bitcast<vec4f>(((((vec4u(i_5) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) ^ vec4u(8u)) << vec4u(8u)) | vec4u(1191182336u)) - 32776.0f + 0.5f) * x3;
    let i_6 = x1 >> i_4;
    let t = (bitcast<vec4f>(((((vec4u(i_6) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) ^ vec4u(8u)) << vec4u(8u)) | vec4u(1191182336u)) - 32776.0f + 0.5f) * x4.x;
    let i_7 = x1_1 >> i_4;
    let t_1 = (bitcast<vec4f>(((((vec4u(i_7) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) ^ vec4u(8u)) << vec4u(8u)) | vec4u(1191182336u)) - 32776.0f + 0.5f) * x4.y;
    let i_8 = x1_2 >> i_4;
    let t_2 = (bitcast<vec4f>(((((vec4u(i_8) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) ^ vec4u(8u)) << vec4u(8u)) | vec4u(1191182336u)) - 32776.0f + 0.5f) * x4.z;
    let i_9 = x1_3 >> i_4;
    let t_3 = (bitcast<vec4f>(((((vec4u(i_9) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) ^ vec4u(8u)) << vec4u(8u)) | vec4u(1191182336u)) - 32776.0f + 0.5f) * x4.w;
    let b = vec4f(t.x, t_1.x, t_2.x, t_3.x);
    let b_1 = vec4f(t.y, t_1.y, t_2.y, t_3.y);
    let b_2 = vec4f(t.z, t_1.z, t_2.z, t_3.z);
    let b_3 = vec4f(t.w, t_1.w, t_2.w, t_3.w);
    let g = quadBroadcast(a, 0u);
    c = c + b * g.x + b_1 * g.y + b_2 * g.z + b_3 * g.w;
    let g_1 = quadBroadcast(a, 1u);
    c_1 = c_1 + b * g_1.x + b_1 * g_1.y + b_2 * g_1.z + b_3 * g_1.w;
    let g_2 = quadBroadcast(a, 2u);
    c_2 = c_2 + b * g_2.x + b_1 * g_2.y + b_2 * g_2.z + b_3 * g_2.w;
    let g_3 = quadBroadcast(a, 3u);
    c_3 = c_3 + b * g_3.x + b_1 * g_3.y + b_2 * g_3.z + b_3 * g_3.w;
  }
  var out = c;
  var out_1 = c_1;
  var out_2 = c_2;
  var out_3 = c_3;
  if (x < sizes.s6) {
    let rows = min(sizes.s3, max(sizes.s7, r) - r);
    let x5 = b5[x];
    for (var i_10 = 0u; i_10 < rows; i_10 += 4u) {
      let m = r + i_10;
      let sum = out;
      let at = m * sizes.s6 + x;
      let out_4 = sum + x5;
      b2[at] = out_4;
      let at_1 = i_10 + 1u;
      if (at_1 < rows) {
        let m_1 = r + at_1;
        let sum_1 = out_1;
        let at_2 = m_1 * sizes.s6 + x;
        let out_5 = sum_1 + x5;
        b2[at_2] = out_5;
      }
      let at_3 = i_10 + 2u;
      if (at_3 < rows) {
        let m_2 = r + at_3;
        let sum_2 = out_2;
        let at_4 = m_2 * sizes.s6 + x;
        let out_6 = sum_2 + x5;
        b2[at_4] = out_6;
      }
      let at_5 = i_10 + 3u;
      if (at_5 < rows) {
        let m_3 = r + at_5;
        let sum_3 = out_3;
        let at_6 = m_3 * sizes.s6 + x;
        let out_7 = sum_3 + x5;
        b2[at_6] = out_7;
      }
    }
  }
}
