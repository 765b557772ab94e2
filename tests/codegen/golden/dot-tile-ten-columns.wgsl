// dot, tile, 2 rows a lane, 4 x 2 lanes
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32, s6: u32, s7: u32, s8: u32, s9: u32, s10: u32, s11: u32, s12: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let x = group.x * 4u + (local & 3u);
  let r = (group.y * 2u + (local >> 2u)) * 2u;
  let xc = min(x, sizes.s0);
  let row = min(r, sizes.s1);
  let row_1 = min(r + 1u, sizes.s1);
  var c = vec4f();
  var c_1 = vec4f();
  let i = row * sizes.s2;
  let i_3 = row_1 * sizes.s2;
  let i_6 = xc * 4u;
  for (var k = 0u; k < sizes.s3; k += 1u) {
    let i_1 = k * 4u;
    let i_2 = i + i_1;
    let x0 = b0[i_2];
    let x0_1 = b0[i_2 + 1u];
    let x0_2 = b0[i_2 + 2u];
    let x0_3 = b0[i_2 + 3u];
    let x0_4 = vec4f(x0, x0_1, x0_2, x0_3);
    let i_4 = i_3 + i_1;
    let x0_5 = b0[i_4];
    let x0_6 = b0[i_4 + 1u];
    let x0_7 = b0[i_4 + 2u];
    let x0_8 = b0[i_4 + 3u];
    let x0_9 = vec4f(x0_5, x0_6, x0_7, x0_8);
    let i_5 = k * sizes.s4 + xc;
    let x1 = b1[i_5];
    let i_7 = k * sizes.s5 + i_6;
    let x1_1 = b1[(i_7 + sizes.s4) >> 2u][(i_7 + sizes.s4) & 3u];
    let x1_2 = b1[(i_7 + sizes.s6) >> 2u][(i_7 + sizes.s6) & 3u];
    let x1_3 = b1[(i_7 + sizes.s7) >> 2u][(i_7 + sizes.s7) & 3u];
    let x1_4 = b1[(i_7 + sizes.s8) >> 2u][(i_7 + sizes.s8) & 3u];
    let x1_5 = vec4f(x1_1, x1_2, x1_3, x1_4);
    let x1_6 = b1[i_5 + sizes.s9];
    let i_8 = i_1 + 3u;
    let i_9 = min(i_8, sizes.s10) * sizes.s4 + i_6;
    let x1_7 = b1[i_9 >> 2u][i_9 & 3u];
    let x1_8 = b1[(i_9 + 1u) >> 2u][(i_9 + 1u) & 3u];
    let x1_9 = b1[(i_9 + 2u) >> 2u][(i_9 + 2u) & 3u];
    let x1_10 = b1[(i_9 + 3u) >> 2u][(i_9 + 3u) & 3u];
    let x1_11 = vec4f(x1_7, x1_8, x1_9, x1_10);
    let v = i_1 + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.s2);
    let a = select(vec4f(0.0f), x0_4, v);
    let a_1 = select(vec4f(0.0f), x0_9, v);
    let b = select(vec4f(0.0f), x1_11, vec4<bool>(i_8 < sizes.s2));
    c = c + x1 * a.x + x1_5 * a.y + x1_6 * a.z + b * a.w;
    c_1 = c_1 + x1 * a_1.x + x1_5 * a_1.y + x1_6 * a_1.z + b * a_1.w;
  }
  var out = c;
  var out_1 = c_1;
  if (x < sizes.s11) {
    let n = x * 4u;
    let rows = min(sizes.s0, max(sizes.s12, r) - r);
    let i_11 = x * 4u;
    for (var i_10 = 0u; i_10 < rows; i_10 += 2u) {
      let m = r + i_10;
      let sum = out;
      let at = m * sizes.s4 + i_11;
      let at_1 = m * sizes.s4 + i_11 + 1u;
      let at_2 = m * sizes.s4 + i_11 + 2u;
      let at_3 = m * sizes.s4 + i_11 + 3u;
      if (n < sizes.s4) {
        let out_2 = sum.x;
        b2[at] = out_2;
      }
      if (n + 1u < sizes.s4) {
        let out_3 = sum.y;
        b2[at_1] = out_3;
      }
      if (n + 2u < sizes.s4) {
        let out_4 = sum.z;
        b2[at_2] = out_4;
      }
      if (n + 3u < sizes.s4) {
        let out_5 = sum.w;
        b2[at_3] = out_5;
      }
      let at_4 = i_10 + 1u;
      if (at_4 < rows) {
        let m_1 = r + at_4;
        let sum_1 = out_1;
        let at_5 = m_1 * sizes.s4 + i_11;
        let at_6 = m_1 * sizes.s4 + i_11 + 1u;
        let at_7 = m_1 * sizes.s4 + i_11 + 2u;
        let at_8 = m_1 * sizes.s4 + i_11 + 3u;
        if (n < sizes.s4) {
          let out_6 = sum_1.x;
          b2[at_5] = out_6;
        }
        if (n + 1u < sizes.s4) {
          let out_7 = sum_1.y;
          b2[at_6] = out_7;
        }
        if (n + 2u < sizes.s4) {
          let out_8 = sum_1.z;
          b2[at_7] = out_8;
        }
        if (n + 3u < sizes.s4) {
          let out_9 = sum_1.w;
          b2[at_8] = out_9;
        }
      }
    }
  }
}
