// Training steps that planning must take care with, as text: run on the CPU's plan in plan-cases.test.ts, on adapters in tests/gpu.

const adamw = "adamw(beta1 = 0.9, beta2 = 0.95, eps = 1e-8, decay = 0.1)";

/** A training module over parameters `name: type [decay]` with the body of its loss. */
function training(parameters: readonly string[], inputs: string, body: string, optimizer = adamw, outputs = "%loss"): string {
  const states = parameters.map((p) => {
    const [name, type, decay] = p.split(/: | (?=decay)/);
    return `state "${name}": ${type} {role = parameter, init = zeros${decay === undefined ? "" : ", decay = true"}}`;
  });
  const reads = parameters.map((p) => `%${p.split(":")[0]}: ${p.split(/: | (?=decay)/)[1]} = state.read {name = "${p.split(":")[0]}"}`);
  return `loomir 1
form quantized
host "lr" = constant(value = 0.173)
training {optimizer = ${optimizer}, clip = 0.5, rate = "lr"}
${states.join("\n")}

entry @train(${inputs}) -> (${outputs
    .split(", ")
    .map((v) => `${v.slice(1)}: f32${v === "%loss" ? "[]" : "[4]"}`)
    .join(", ")}) {
  ${[...reads, body.trim()].join("\n  ")}
  return ${outputs}
}
`;
}

/** Training modules of form `quantized`, each in one batch a step. */
const steps: Readonly<Record<string, string>> = {
  "two parameters with one gradient": training(
    ["a: f32[4]", "b: f32[4]"],
    "%x: f32[4]",
    `%y: f32[4] = add %a, %b
  %z: f32[4] = mul %y, %x
  %loss: f32[] = sum %z {axes = [0]}`,
  ),
  "a gradient that is one number": training(
    ["a: f32[6]", "b: f32[6]"],
    "%x: f32[6]",
    `%p: f32[] = sum %a {axes = [0]}
  %q: f32[6] = mul %b, %x
  %r: f32[] = sum %q {axes = [0]}
  %loss: f32[] = add %p, %r`,
  ),
  "each parameter is the other's gradient": training(
    ["a: f32[8]", "b: f32[8]"],
    "%x: f32[8]",
    `%p: f32[8] = mul %a, %b
  %loss: f32[] = sum %p {axes = [0]}`,
  ),
  "an input is the gradient": training(
    ["a: f32[8]", "b: f32[8]"],
    "%x: f32[8], %y: f32[8]",
    `%p: f32[8] = mul %a, %x
  %q: f32[8] = mul %b, %y
  %r: f32[8] = add %p, %q
  %loss: f32[] = sum %r {axes = [0]}`,
  ),
  "a gradient that is a view": training(
    ["a: f32[2, 3]", "b: f32[3, 2]"],
    "%x: f32[3, 2]",
    `%t: f32[3, 2] = transpose %a {permutation = [1, 0]}
  %p: f32[3, 2] = mul %t, %x
  %q: f32[3, 2] = mul %b, %b
  %r: f32[3, 2] = add %p, %q
  %loss: f32[] = sum %r {axes = [0, 1]}`,
  ),
  "a parameter without decay between decayed ones, odd sizes": training(
    ["a: f32[3, 5] decay", "b: f32[7]", "c: f32[5, 1] decay", "d: f32[70] decay", "e: f32[1]"],
    "%x: f32[3, 5]",
    `%y: f32[3, 5] = mul %a, %x
  %z: f32[3, 1] = dot %y, %c {contract = [[1], [0]], batch = [[], []]}
  %zz: f32[3, 1] = mul %z, %z
  %p: f32[] = sum %zz {axes = [0, 1]}
  %bb: f32[7] = mul %b, %b
  %q: f32[] = sum %bb {axes = [0]}
  %dd: f32[70] = mul %d, %d
  %r: f32[] = sum %dd {axes = [0]}
  %ee: f32[1] = mul %e, %e
  %s: f32[] = sum %ee {axes = [0]}
  %pq: f32[] = add %p, %q
  %rs: f32[] = add %r, %s
  %loss: f32[] = add %pq, %rs`,
  ),
  "a parameter without a gradient between others": training(
    ["a: f32[4]", "b: f32[4]", "c: f32[4]"],
    "%x: f32[4]",
    `%y: f32[4] = mul %a, %x
  %z: f32[4] = mul %y, %c
  %loss: f32[] = sum %z {axes = [0]}`,
  ),
  "a parameter of rank 0": training(
    ["a: f32[]", "b: f32[4]"],
    "%x: f32[4]",
    `%wide: f32[4] = broadcast %a
  %y: f32[4] = mul %b, %x
  %z: f32[4] = mul %y, %wide
  %loss: f32[] = sum %z {axes = [0]}`,
  ),
  "a host scalar is the gradient": training(
    ["a: f32[]", "b: f32[]"],
    '%x: f32[] {host = "lr"}',
    `%p: f32[] = mul %a, %x
  %q: f32[] = mul %b, %b
  %loss: f32[] = add %p, %q`,
  ),
  "the old value of a parameter is returned": training(
    ["w: f32[4]"],
    "%x: f32[4]",
    `%y: f32[4] = mul %w, %x
  %yy: f32[4] = mul %y, %y
  %loss: f32[] = sum %yy {axes = [0]}`,
    adamw,
    "%loss, %w",
  ),
  "a parameter called host": training(
    ["host: f32[4]"],
    "%x: f32[4]",
    `%y: f32[4] = mul %host, %x
  %yy: f32[4] = mul %y, %y
  %loss: f32[] = sum %yy {axes = [0]}`,
  ),
  momentum: training(
    ["a: f32[5]", "b: f32[70] decay"],
    "%x: f32[5]",
    `%y: f32[5] = mul %a, %x
  %p: f32[] = sum %y {axes = [0]}
  %bb: f32[70] = mul %b, %b
  %q: f32[] = sum %bb {axes = [0]}
  %loss: f32[] = add %p, %q`,
    "sgd(momentum = 0.9, decay = 0.1)",
  ),
  "gradients of a contraction, a reduction, a gather and a layer under a quantizer": training(
    ["table: f32[5, 6]", "w: f32[3, 6] decay", "gain: f32[6]", "q: f32[6, 6] decay"],
    "%ids: i32[4], %x: f32[4, 3]",
    `%rows: f32[4, 6] = gather %table, %ids
  %g: f32[4, 6] = broadcast %gain
  %h: f32[4, 6] = mul %rows, %g
  %rotated: f32[4, 6] = hadamard %h {axis = 1, block = 2}
  %turned: f32[6, 6] = hadamard %q {axis = 1, block = 2}
  %z: f32[4, 6] = dot %rotated, %turned {contract = [[1], [1]], batch = [[], []]}
  %y: f32[4, 3] = dot %z, %w {contract = [[1], [1]], batch = [[], []]}
  %p: f32[4, 3] = mul %y, %x
  %loss: f32[] = sum %p {axes = [0, 1]}`,
  ),
};

/** Training modules of form `quantized`: a step in one batch, and in three. */
export const trainingCases: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(steps).flatMap(([what, text]) => [
    [what, text],
    [`${what}, accumulated`, text.replace("clip = 0.5, ", "clip = 0.5, accumulate = 3, ")],
  ]),
);
