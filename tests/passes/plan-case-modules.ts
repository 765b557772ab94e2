// Entries that planning must take care with, as text: run on the CPU's plan in plan-cases.test.ts, on adapters in tests/gpu.

const primitive = (states: string, entry: string): string =>
  `loomir 1\nform primitive\nhost "rate" = constant(value = 0.5)\nhost "other" = constant(value = 2.0)\n${states}\n${entry}`;

const states = `state "a": f32[4] {role = cache, init = zeros}
state "b": f32[4] {role = cache, init = zeros}`;
const reads = `%a: f32[4] = state.read {name = "a"}
  %b: f32[4] = state.read {name = "b"}`;

const fewOperands: Readonly<Record<string, string>> = {
  "inputs and states returned as they are": primitive(
    states,
    `entry @main(%x: f32[4], %r: f32[] {host = "rate"}, %o: f32[] {host = "other"}) -> (x: f32[4], o: f32[], a: f32[4], again: f32[4]) {
  ${reads}
  return %x, %o, %a, %a
}`,
  ),
  "one host scalar, two inputs": primitive(
    "",
    `entry @main(%r: f32[] {host = "rate"}, %again: f32[] {host = "rate"}, %o: f32[] {host = "other"}) -> (p: f32[], s: f32[]) {
  %p: f32[] = mul %r, %again
  %s: f32[] = sub %o, %r
  return %p, %s
}`,
  ),
  "swapped states, one of them returned": primitive(
    states,
    `entry @main() -> (a: f32[4]) {
  ${reads}
  return %a
  update "a" = %b, "b" = %a
}`,
  ),
  "a new value for two states, and an output": primitive(
    states,
    `entry @main(%x: f32[4]) -> (sum: f32[4]) {
  ${reads}
  %s: f32[4] = add %a, %b
  return %s
  update "a" = %s, "b" = %s
}`,
  ),
  "an old value read behind its replacement": primitive(
    states,
    `entry @main(%x: f32[4]) -> (gap: f32[4], total: f32[]) {
  ${reads}
  %next: f32[4] = add %a, %x
  %total: f32[] = sum %next {axes = [0]}
  %wide: f32[4] = broadcast %total
  %gap: f32[4] = sub %wide, %a
  return %gap, %total
  update "a" = %next, "b" = %a
}`,
  ),
  "a state that takes its own transpose": primitive(
    `state "m": f32[3, 3] {role = cache, init = zeros}`,
    `entry @main() -> () {
  %m: f32[3, 3] = state.read {name = "m"}
  %t: f32[3, 3] = transpose %m {permutation = [1, 0]}
  %n: f32[3, 3] = add %t, %m
  return
  update "m" = %n
}`,
  ),
  "a packed state replaced by itself": primitive(
    `state "p": bool[3, 5] {role = cache, init = zeros}\nstate "n": i8[3, 5] {role = cache, init = zeros}`,
    `entry @main() -> () {
  %p: bool[3, 5] = state.read {name = "p"}
  %q: bool[3, 5] = logical_not %p
  %n: i8[3, 5] = state.read {name = "n"}
  %o: i8[3, 5] = add %n, %n
  return
  update "p" = %q, "n" = %o
}`,
  ),
  "narrow integers that are never stored": primitive(
    "",
    `entry @main(%n: i8[3, 5], %u: u8[3, 5]) -> (f: f32[3, 5], total: i32[3]) {
  %c: i8[3, 5] = constant {values = [100.0]}
  %a: i8[3, 5] = add %n, %c
  %b: i8[3, 5] = add %a, %a
  %f: f32[3, 5] = cast %b {to = f32}
  %v: u8[3, 5] = constant {values = [250.0]}
  %w: u8[3, 5] = add %u, %v
  %i: i32[3, 5] = cast %w {to = i32}
  %total: i32[3] = sum %i {axes = [1]}
  return %f, %total
}`,
  ),
  "a new value read before its neighbour is replaced": primitive(
    `state "a": f32[4] {role = parameter, init = zeros}\nstate "b": f32[4] {role = parameter, init = zeros}`,
    `entry @main(%x: f32[4], %lr: f32[] {host = "rate"}) -> (total: f32[], ga: f32[4], gb: f32[4], ok: u32[]) {
  %a: f32[4] = state.read {name = "a"}
  %b: f32[4] = state.read {name = "b"}
  %one: f32[] = max %x {axes = [0]}
  %fine: bool[] = is_finite %one
  %ok: u32[] = cast %fine {to = u32}
  %ga: f32[4] = mul %a, %x
  %a1: f32[4] = sgd %a, %ga, %one, %lr, %ok {decay = 0.5}
  %total: f32[] = sum %a1 {axes = [0]}
  %wide: f32[4] = broadcast %total
  %gb: f32[4] = mul %b, %wide
  %b1: f32[4] = sgd %b, %gb, %one, %lr, %ok {decay = 0.5}
  return %total, %ga, %gb, %ok
  update "a" = %a1, "b" = %b1
}`,
  ),
  "a function of a scale alone": primitive(
    "",
    `entry @main(%x: f32[4, 8]) -> (half: f32[4, 1], codes: q4[4, 8; grid = half]) {
  %s: f32[4, 1] = quant.scale %x {scheme = quest, bits = 4}
  %c: q4[4, 8; grid = half] = quant.encode %x, %s {scheme = quest, bits = 4}
  %d: f32[4, 1] = mul %s, %s
  return %d, %c
}`,
  ),
  "the norm of host scalars, constants and one value twice": primitive(
    "",
    `entry @main(%x: f32[3], %r: f32[] {host = "rate"}, %o: f32[] {host = "other"}) -> (n: f32[]) {
  %c: f32[5] = constant {values = [2.0]}
  %n: f32[] = global_norm %o, %x, %c, %x, %r
  return %n
}`,
  ),
  "a cache written in place": primitive(
    `state "c": f32[6, 2, 4] {role = cache, init = zeros}`,
    `entry @main(%x: f32[2, 2, 4], %first: i32[]) -> (s: f32[2, 4]) {
  %c: f32[6, 2, 4] = state.read {name = "c"}
  %y: f32[2, 2, 4] = mul %x, %x
  %c1: f32[6, 2, 4] = cache_write %c, %y, %first {axis = 0}
  %s: f32[2, 4] = sum %c1 {axes = [0]}
  return %s
  update "c" = %c1
}`,
  ),
  "a cache whose old content is read behind the write": primitive(
    `state "c": f32[3, 5] {role = cache, init = zeros}`,
    `entry @main(%x: f32[3, 2], %first: i32[]) -> (d: f32[3, 5]) {
  %c: f32[3, 5] = state.read {name = "c"}
  %c1: f32[3, 5] = cache_write %c, %x, %first {axis = 1}
  %d: f32[3, 5] = sub %c1, %c
  return %d
  update "c" = %c1
}`,
  ),
  "a cache that is its own news": primitive(
    `state "c": f32[4, 3] {role = cache, init = zeros}`,
    `entry @main(%first: i32[]) -> () {
  %c: f32[4, 3] = state.read {name = "c"}
  %n: f32[4, 3] = neg %c
  %c1: f32[4, 3] = cache_write %c, %n, %first {axis = 0}
  return
  update "c" = %c1
}`,
  ),
  "two writes into one cache, and caches that change places": primitive(
    `state "c": f32[4] {role = cache, init = zeros}\nstate "d": f32[4] {role = cache, init = zeros}`,
    `entry @main(%x: f32[2], %y: f32[1], %first: i32[], %next: i32[]) -> (e: f32[4]) {
  %c: f32[4] = state.read {name = "c"}
  %d: f32[4] = state.read {name = "d"}
  %c1: f32[4] = cache_write %c, %x, %first {axis = 0}
  %c2: f32[4] = cache_write %c1, %y, %next {axis = 0}
  %e: f32[4] = cache_write %d, %x, %next {axis = 0}
  return %e
  update "c" = %e, "d" = %c2
}`,
  ),
  "writes into a constant, an input and a view": primitive(
    "",
    `entry @main(%x: f32[2, 3], %t: f32[3, 4], %first: i32[]) -> (a: f32[4, 3], b: f32[2, 3], c: f32[4, 3], d: f32[4, 3]) {
  %zero: f32[4, 3] = constant {values = [0.5]}
  %a: f32[4, 3] = cache_write %zero, %x, %first {axis = 0}
  %b: f32[2, 3] = cache_write %x, %x, %first {axis = 0}
  %v: f32[4, 3] = transpose %t {permutation = [1, 0]}
  %c: f32[4, 3] = cache_write %v, %x, %first {axis = 0}
  %d: f32[4, 3] = neg %a
  return %a, %b, %c, %d
}`,
  ),
  "arithmetic in front of attention over a cache, and behind it": primitive(
    "",
    `entry @main(%q: f32[1, 2, 2, 4], %k: f32[1, 3, 1, 4], %v: f32[1, 3, 1, 4]) -> (y: f32[1, 2, 2, 4]) {
  %half: f32[1, 3, 1, 4] = constant {values = [0.5]}
  %first: i32[] = constant {values = [1.0]}
  %sq: f32[1, 2, 2, 4] = silu %q
  %hk: f32[1, 3, 1, 4] = mul %k, %half
  %o: f32[1, 2, 2, 4] = cached_attention %sq, %hk, %v, %first
  %y: f32[1, 2, 2, 4] = silu %o
  return %y
}`,
  ),
  "instructions that nothing needs": primitive(
    "",
    `entry @main(%x: f32[3], %y: f32[3]) -> (s: f32[3]) {
  %d: f32[3] = mul %x, %y
  %dead: f32[3] = sub %d, %x
  %most: f32[] = max %d {axes = [0]}
  %s: f32[3] = add %x, %y
  return %s
}`,
  ),
  "an optimizer of whose results one is used": primitive(
    `state "v": f32[4] {role = cache, init = zeros}`,
    `entry @main(%w: f32[4], %m: f32[4], %g: f32[4], %lr: f32[] {host = "rate"}, %c: f32[] {host = "other"}) -> () {
  %v: f32[4] = state.read {name = "v"}
  %clip: f32[] = max %g {axes = [0]}
  %fine: bool[] = is_finite %clip
  %ok: u32[] = cast %fine {to = u32}
  %w1: f32[4], %m1: f32[4], %v1: f32[4] = adamw %w, %m, %v, %g, %clip, %lr, %c, %c, %ok {beta1 = 0.9, beta2 = 0.95, eps = 1e-8, decay = 0.1}
  return
  update "v" = %v1
}`,
  ),
  "an optimizer whose old weights are read later": primitive(
    `state "w": f32[4] {role = parameter, init = zeros}\nstate "w#m": f32[4] {role = optimizer, init = zeros}\nstate "w#v": f32[4] {role = optimizer, init = zeros}`,
    `entry @main(%g: f32[4], %lr: f32[] {host = "rate"}, %c: f32[] {host = "other"}) -> (change: f32[4]) {
  %w: f32[4] = state.read {name = "w"}
  %m: f32[4] = state.read {name = "w#m"}
  %v: f32[4] = state.read {name = "w#v"}
  %one: f32[] = constant {values = [1.0]}
  %fine: bool[] = is_finite %one
  %ok: u32[] = cast %fine {to = u32}
  %clip: f32[] = max %g {axes = [0]}
  %w1: f32[4], %m1: f32[4], %v1: f32[4] = adamw %w, %m, %v, %g, %clip, %lr, %c, %c, %ok {beta1 = 0.9, beta2 = 0.95, eps = 1e-8, decay = 0.1}
  %change: f32[4] = sub %w1, %w
  return %change
  update "w" = %w1, "w#m" = %m1, "w#v" = %v1
}`,
  ),
};

const many = Array.from({ length: 12 }, (_, i) => i);
const chain = (first: string, type: string): string =>
  many.map((i) => `%s${i}: ${type} = add ${i === 0 ? first : `%s${i - 1}`}, %x${i}`).join("\n  ");
const manyOperands: Readonly<Record<string, string>> = {
  "a chain over more tensors than a kernel binds": primitive(
    "",
    `entry @main(${many.map((i) => `%x${i}: f32[3, 5]`).join(", ")}) -> (s: f32[3, 5], t: f32[3]) {
  ${chain("%x3", "f32[3, 5]")}
  %t: f32[3] = sum %s11 {axes = [1]}
  %n: f32[3, 5] = neg %s11
  return %n, %t
}`,
  ),
  "an epilogue over more tensors than a kernel binds": primitive(
    "",
    `entry @main(%a: f32[3, 4], %b: f32[5, 4], ${many.map((i) => `%x${i}: f32[3, 5]`).join(", ")}) -> (s: f32[3, 5]) {
  %d: f32[3, 5] = dot %a, %b {contract = [[1], [1]], batch = [[], []]}
  ${chain("%d", "f32[3, 5]")}
  return %s11
}`,
  ),
  "a prologue over more tensors than a kernel binds": primitive(
    "",
    `entry @main(${many.map((i) => `%x${i}: f32[3, 5]`).join(", ")}) -> (m: f32[5], codes: q4[3, 5; grid = half]) {
  ${chain("%x3", "f32[3, 5]")}
  %m: f32[5] = max %s11 {axes = [0]}
  %s: f32[3, 1] = quant.scale %s11 {scheme = quest, bits = 4}
  %c: q4[3, 5; grid = half] = quant.encode %s11, %s {scheme = quest, bits = 4}
  return %m, %c
}`,
  ),
};

/** Modules of form `primitive`. */
export const primitiveCases: Readonly<Record<string, string>> = { ...fewOperands, ...manyOperands };
