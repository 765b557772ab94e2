// dot, broadcast, 1 x 4 rows, subgroups of 4
enable subgroups;
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32, s6: u32, s7: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;

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
  for (var k = 0u; k < sizes.s2; k += 1u) {
    let x0 = b0[i + k];
    let i_1 = k * sizes.s3 + xc;
    let x1 = b1[i_1];
    let x1_1 = b1[i_1 + sizes.s4];
    let x1_2 = b1[i_1 + sizes.s5];
    let x1_3 = b1[i_1 + sizes.s6];
    let g = quadBroadcast(x0, 0u);
    c = c + x1 * g.x + x1_1 * g.y + x1_2 * g.z + x1_3 * g.w;
    let g_1 = quadBroadcast(x0, 1u);
    c_1 = c_1 + x1 * g_1.x + x1_1 * g_1.y + x1_2 * g_1.z + x1_3 * g_1.w;
    let g_2 = quadBroadcast(x0, 2u);
    c_2 = c_2 + x1 * g_2.x + x1_1 * g_2.y + x1_2 * g_2.z + x1_3 * g_2.w;
    let g_3 = quadBroadcast(x0, 3u);
    c_3 = c_3 + x1 * g_3.x + x1_1 * g_3.y + x1_2 * g_3.z + x1_3 * g_3.w;
  }
  if (x < sizes.s4) {
    if (r < sizes.s7) {
      let at = r * sizes.s4 + x;
      b2[at] = c;
    }
    let m = r + 1u;
    if (m < sizes.s7) {
      let at_1 = m * sizes.s4 + x;
      b2[at_1] = c_1;
    }
    let m_1 = r + 2u;
    if (m_1 < sizes.s7) {
      let at_2 = m_1 * sizes.s4 + x;
      b2[at_2] = c_2;
    }
    let m_2 = r + 3u;
    if (m_2 < sizes.s7) {
      let at_3 = m_2 * sizes.s4 + x;
      b2[at_3] = c_3;
    }
  }
}
