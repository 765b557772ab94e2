// dot, broadcast, 1 x 4 rows, subgroups of 4
enable subgroups;
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32, s6: u32, s7: u32, s8: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;

@compute @workgroup_size(4, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let r = group.y * 4u;
  let x = group.x * 4u + lane;
  let xc = min(x, sizes.s0);
  let rq = min(group.y, sizes.s1);
  var c = vec4f();
  var c_1 = vec4f();
  var c_2 = vec4f();
  var c_3 = vec4f();
  let i = lane * sizes.s2;
  for (var k = 0u; k < sizes.s3; k += 1u) {
    let x0 = b0[k * sizes.s4 + i + rq];
    let i_1 = k * sizes.s5 + xc;
    let x1 = b1[i_1];
    let x1_1 = b1[i_1 + sizes.s6];
    let x1_2 = b1[i_1 + sizes.s7];
    let x1_3 = b1[i_1 + sizes.s8];
    let g = quadBroadcast(x0, 0u);
    c += x1 * g.x;
    c_1 += x1 * g.y;
    c_2 += x1 * g.z;
    c_3 += x1 * g.w;
    let g_1 = quadBroadcast(x0, 1u);
    c += x1_1 * g_1.x;
    c_1 += x1_1 * g_1.y;
    c_2 += x1_1 * g_1.z;
    c_3 += x1_1 * g_1.w;
    let g_2 = quadBroadcast(x0, 2u);
    c += x1_2 * g_2.x;
    c_1 += x1_2 * g_2.y;
    c_2 += x1_2 * g_2.z;
    c_3 += x1_2 * g_2.w;
    let g_3 = quadBroadcast(x0, 3u);
    c += x1_3 * g_3.x;
    c_1 += x1_3 * g_3.y;
    c_2 += x1_3 * g_3.z;
    c_3 += x1_3 * g_3.w;
  }
  var out = c;
  var out_1 = c_1;
  var out_2 = c_2;
  var out_3 = c_3;
  if (x < sizes.s6) {
    let rows = min(sizes.s3, max(sizes.s4, r) - r);
    for (var i_2 = 0u; i_2 < rows; i_2 += 4u) {
      let m = r + i_2;
      let sum = out;
      let at = m * sizes.s6 + x;
      b2[at] = sum;
      let at_1 = i_2 + 1u;
      if (at_1 < rows) {
        let m_1 = r + at_1;
        let sum_1 = out_1;
        let at_2 = m_1 * sizes.s6 + x;
        b2[at_2] = sum_1;
      }
      let at_3 = i_2 + 2u;
      if (at_3 < rows) {
        let m_2 = r + at_3;
        let sum_2 = out_2;
        let at_4 = m_2 * sizes.s6 + x;
        b2[at_4] = sum_2;
      }
      let at_5 = i_2 + 3u;
      if (at_5 < rows) {
        let m_3 = r + at_5;
        let sum_3 = out_3;
        let at_6 = m_3 * sizes.s6 + x;
        b2[at_6] = sum_3;
      }
    }
  }
}
