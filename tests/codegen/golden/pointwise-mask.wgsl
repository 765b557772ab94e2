// pointwise, packed results, 1 a lane
requires immediate_address_space;

struct Sizes { s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32 }
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<u32>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let begin = (group.y * sizes.s0 + group.x) * 64u;
  let first = begin + local;
  if (first < sizes.s1) {
    let row = first / sizes.s2;
    let unit = first % sizes.s2;
    var word = u32();
    let start = row * sizes.s2;
    let i = row * sizes.s3;
    for (var chunk = 0u; chunk < sizes.s4; chunk += 1u) {
      let column = unit * 32u + chunk * 4u;
      if (column < sizes.s5) {
        let quads = column / 4u;
        let shift = column & 31u;
        let x0 = b0[i + quads];
        let codes = select(vec4u(0u), vec4u(1u), x0 > vec4f(0.0f));
        let bits = ((codes.x | (codes.y << 1u)) | (codes.z << 2u)) | (codes.w << 3u);
        word |= bits << shift;
      }
    }
    if (unit < sizes.s2) {
      let at = start + unit;
      b1[at] = word;
    }
  }
}
