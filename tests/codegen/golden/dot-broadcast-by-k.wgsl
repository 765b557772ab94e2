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
  if (x < sizes.s6) {
    if (r < sizes.s4) {
      let at = r * sizes.s6 + x;
      b2[at] = c;
    }
    let m = r + 1u;
    if (m < sizes.s4) {
      let at_1 = m * sizes.s6 + x;
      b2[at_1] = c_1;
    }
    let m_1 = r + 2u;
    if (m_1 < sizes.s4) {
      let at_2 = m_1 * sizes.s6 + x;
      b2[at_2] = c_2;
    }
    let m_2 = r + 3u;
    if (m_2 < sizes.s4) {
      let at_3 = m_2 * sizes.s6 + x;
      b2[at_3] = c_3;
    }
  }
}
