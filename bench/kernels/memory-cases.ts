// Kernels whose cost is the bytes that they move: pointwise, rotation and rounding, reductions, the optimizer.
import type { KernelCase, KernelGroup } from "./kernel-case.ts";
import type { KernelText } from "./kernel-text.ts";

/** 4 MiB of f32: more than the processor's nearest caches hold, as activations of a training step are. */
const elements = 2 ** 20;
const rowLengths = [128, 256, 512] as const;
const block = 128;

function rotation(columns: number): KernelText {
  const type = `f32[${elements / columns}, ${columns}]`;
  return { reads: { x: type }, writes: { y: [type, "y"] }, body: [`%y: ${type} = hadamard %x {axis = 1, block = ${block}}`] };
}

/** What a quantized layer does with an activation: rotate, scale, round, pack, and the mask of trusted gradients. */
function rotationAndCodes(columns: number, bits: number): KernelText {
  const rows = elements / columns;
  const [type, scale, codes, mask] = [
    `f32[${rows}, ${columns}]`,
    `f32[${rows}, 1]`,
    `q${bits}[${rows}, ${columns}; grid = half]`,
    `b1[${rows}, ${columns}]`,
  ];
  const choice = `{scheme = quest, bits = ${bits}}`;
  return {
    reads: { x: type },
    writes: { scale: [scale, "s"], codes: [codes, "c"], mask: [mask, "m"] },
    body: [
      `%h: ${type} = hadamard %x {axis = 1, block = ${block}}`,
      `%s: ${scale} = quant.scale %h ${choice}`,
      `%c: ${codes} = quant.encode %h, %s ${choice}`,
      `%m: ${mask} = quant.mask %h, %s ${choice}`,
    ],
  };
}

const flat = `f32[${elements}]`;

type Mover = Omit<KernelCase, "kind">;

const pointwise: readonly Mover[] = [
  { name: "multiply by itself", text: { reads: { x: flat }, writes: { y: [flat, "y"] }, body: [`%y: ${flat} = mul %x, %x`] } },
  { name: "add", text: { reads: { a: flat, b: flat }, writes: { y: [flat, "y"] }, body: [`%y: ${flat} = add %a, %b`] } },
  { name: "gelu", text: { reads: { x: flat }, writes: { y: [flat, "y"] }, body: [`%y: ${flat} = gelu %x`] } },
];

const matrix = "f32[1024, 1024]";

const reductions: readonly Mover[] = [1, 0].map((axis) => ({
  name: `sum of ${axis === 1 ? "rows" : "columns"}, 1024x1024`,
  text: { reads: { x: matrix }, writes: { y: ["f32[1024]", "y"] }, body: [`%y: f32[1024] = sum %x {axes = [${axis}]}`] },
}));

/** One step of AdamW over a slab of parameters, with its scalars in state as a kernel has them in a buffer. */
const optimizer: Mover = {
  name: "adamw",
  text: {
    reads: { w: flat, m: flat, v: flat, g: flat, lr: "f32[]" },
    writes: { w: [flat, "w1"], m: [flat, "m1"], v: [flat, "v1"] },
    body: [
      "%one: f32[] = constant {values = [1.0]}",
      "%ok: u32[] = constant {values = [1.0]}",
      `%w1: ${flat}, %m1: ${flat}, %v1: ${flat} = adamw %w, %m, %v, %g, %one, %lr, %one, %one, %ok {beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0.1}`,
    ],
  },
};

const movers: readonly Mover[] = [
  ...pointwise,
  ...rowLengths.map((n): Mover => ({ name: `hadamard, rows of ${n}`, text: rotation(n) })),
  ...rowLengths.flatMap((n) =>
    [4, 1].map((bits): Mover => ({ name: `hadamard, scale, ${bits}-bit codes, mask, rows of ${n}`, text: rotationAndCodes(n, bits) })),
  ),
  ...reductions,
  optimizer,
];

export const memory: KernelGroup = {
  name: "memory",
  yardstick: elements,
  cases: movers.map((mover) => ({ ...mover, kind: "memory" })),
};
