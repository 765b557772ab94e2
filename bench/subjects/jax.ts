// jax-js as a subject: functions of parameter trees, differentiated and compiled whole, on WebGPU or on its WebAssembly backend.
import {
  type Backend,
  blockUntilReady,
  defaultDevice,
  init,
  type Array as JaxArray,
  jit,
  lax,
  nn,
  numpy as np,
  type Tree,
  tree,
  valueAndGrad,
} from "@jax-js/jax";
import { installWebGpu } from "../browser-gpu.ts";
import { gptBatch, gptSize, matmulSize, mlpBatch, mlpSize, normalNumbers } from "../inputs.ts";
import type { Prepare, Prepared } from "../subject.ts";

export const prepare: Prepare = async ({ work, variant, adapter: choice }) => {
  const backend: Backend = variant === "wasm" ? "wasm" : "webgpu";
  const adapter = backend === "webgpu" ? await installWebGpu(choice) : "CPU";
  await init(backend);
  defaultDevice(backend);
  switch (work) {
    case "matmul":
      return contraction(adapter);
    case "mlp":
      return mlp(adapter, plain);
    case "mlp-qat":
      return mlp(adapter, fourBits);
    case "gpt":
      return gpt(adapter);
    default:
      throw new Error(`jax-js has no part in \`${work}\``);
  }
};

function contraction(adapter: string): Prepared {
  const { m, k, n } = matmulSize;
  const x = normalNumbers(m * k);
  const w = normal([k, n], 1);
  return {
    adapter,
    async run() {
      await np.matmul(np.array(x).reshape([m, k]), w.ref).data();
      return undefined;
    },
  };
}

// ---- training ----

interface Adam {
  readonly rate: number;
  readonly decay: number;
}

/** jax-js publishes no optimizers, so Adam with decoupled decay is written out (Loshchilov and Hutter 2019). */
function adam<P extends Tree>({ rate, decay }: Adam, params: P, grads: P, m: P, v: P, count: JaxArray): [P, P, P] {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  const nextM = tree.map((mi, g) => mi.mul(beta1).add(g.mul(1 - beta1)), m, tree.ref(grads));
  const nextV = tree.map((vi, g) => vi.mul(beta2).add(np.square(g).mul(1 - beta2)), v, grads);
  const correction = (beta: number) => np.subtract(1, np.power(beta, count.ref));
  const [c1, c2] = [correction(beta1), correction(beta2)];
  count.dispose();
  const next = tree.map(
    (p, mi, vi) => {
      const direction = mi.div(c1.ref).div(np.sqrt(vi.div(c2.ref)).add(epsilon));
      return p.mul(1 - rate * decay).sub(direction.mul(rate));
    },
    params,
    tree.ref(nextM),
    tree.ref(nextV),
  );
  c1.dispose();
  c2.dispose();
  return [next, nextM, nextV];
}

function training<P extends Tree>(
  adapter: string,
  initial: P,
  loss: (params: P, x: JaxArray, y: JaxArray) => JaxArray,
  [x, y]: readonly [JaxArray, JaxArray],
  optimizer: Adam,
): Prepared {
  const parameters = tree.leaves(initial).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  let params = initial;
  let [m, v] = [0, 1].map(() => tree.map((p) => np.zeros(p.shape), initial)) as [P, P];
  let count = 0;
  const step = jit((p: P, mi: P, vi: P, t: JaxArray, xs: JaxArray, ys: JaxArray): [P, P, P, JaxArray] => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(p), xs, ys);
    return [...adam(optimizer, p, grads, mi, vi, t), value];
  });
  return {
    adapter,
    parameters: () => parameters,
    async run() {
      const [nextParams, nextM, nextV, value] = step(params, m, v, np.array(++count), x.ref, y.ref);
      [params, m, v] = [nextParams, nextM, nextV];
      const [read] = await value.data();
      await blockUntilReady([params, m, v]);
      return read;
    },
  };
}

const crossEntropy = (logits: JaxArray, oneHot: JaxArray): JaxArray => np.mean(np.sum(nn.logSoftmax(logits).mul(oneHot), -1)).mul(-1);
const oneHot = (labels: Int32Array, classes: number): JaxArray => nn.oneHot(np.array(labels, { dtype: np.int32 }), classes);
const normal = (shape: readonly number[], deviation: number): JaxArray =>
  np.array(normalNumbers(shape.reduce((a, b) => a * b, 1)).map((value) => value * deviation)).reshape(shape);

// ---- the models ----

/** How a layer multiplies, on weights of the shape that suits it. */
interface Multiplication {
  shape(inputs: number, outputs: number): readonly number[];
  multiply(x: JaxArray, weight: JaxArray): JaxArray;
}

const plain: Multiplication = { shape: (inputs, outputs) => [inputs, outputs], multiply: (x, weight) => np.matmul(x, weight) };
/** Both sides are rounded along the axis that is summed over, which has to be the last. */
const fourBits: Multiplication = {
  shape: (inputs, outputs) => [outputs, inputs],
  multiply: (x, weight) => np.matmul(roundFourBits(rotate(x)), np.transpose(roundFourBits(rotate(weight)))),
};

function mlp(adapter: string, { shape, multiply }: Multiplication): Prepared {
  const { batch, widths } = mlpSize;
  const layers = widths.slice(1).map((outputs, i) => {
    const inputs = widths[i] ?? 1;
    return { weight: normal(shape(inputs, outputs), Math.sqrt(2 / inputs)), shift: np.zeros([outputs]) };
  });
  const { images, labels } = mlpBatch();
  const loss = (params: typeof layers, x: JaxArray, y: JaxArray) => {
    const logits = params.reduce((h, { weight, shift }, i) => {
      const out = multiply(h, weight).add(shift);
      return i < params.length - 1 ? nn.relu(out) : out;
    }, x);
    return crossEntropy(logits, y);
  };
  return training(adapter, layers, loss, [np.array(images).reshape([batch, widths[0]]), oneHot(labels, 10)], { rate: 1e-3, decay: 0 });
}

/** An orthonormal Walsh-Hadamard matrix of 16, by Sylvester's doubling. */
let sylvester: readonly (readonly number[])[] = [[1 / 4]];
while (sylvester.length < 16)
  sylvester = [...sylvester.map((row) => [...row, ...row]), ...sylvester.map((row) => [...row, ...row.map((v) => -v)])];

/** Rows in blocks of 16 times the matrix: jax-js has no transform of its own. */
function rotate(x: JaxArray): JaxArray {
  const { shape } = x;
  return np.matmul(x.reshape([shape[0] ?? 1, (shape[1] ?? 16) / 16, 16]), np.array(sylvester)).reshape(shape);
}

/** Largest level and spacing that fits a normal row to 16 levels (QuEST, arXiv 2502.05003): the step is 2.513930578568423 rms / 7.5. */
const levels = 7.5;
const stepOfRms = 2.513930578568423 / levels;

/** QuEST's rounding of rows to 4 bits. jax-js has no custom gradients, so the trust mask is written with `stopGradient`. */
function roundFourBits(x: JaxArray): JaxArray {
  const step = lax.stopGradient(
    np
      .sqrt(np.mean(np.square(x.ref), -1, { keepdims: true }))
      .mul(stepOfRms)
      .add(1e-8),
  );
  const rounded = lax.stopGradient(np.clip(np.floor(x.ref.div(step.ref)).add(0.5), -levels, levels).mul(step.ref));
  const trusted = lax.stopGradient(np.where(np.lessEqual(np.abs(x.ref.sub(rounded.ref)), step.mul(0.5)), 1, 0));
  const passed = x.mul(trusted);
  return passed.ref.add(lax.stopGradient(rounded.sub(passed)));
}

function gpt(adapter: string): Prepared {
  const { batch, context, dim, depth, heads, vocab } = gptSize;
  const linear = (inputs: number, outputs: number) => ({ weight: normal([inputs, outputs], 0.02), shift: np.zeros([outputs]) });
  const norm = () => ({ gain: np.ones([dim]), shift: np.zeros([dim]) });
  const params = {
    embed: normal([vocab, dim], 0.02),
    places: normal([context, dim], 0.02),
    blocks: Array.from({ length: depth }, () => ({
      attnNorm: norm(),
      qkv: linear(dim, 3 * dim),
      out: linear(dim, dim),
      mlpNorm: norm(),
      up: linear(dim, 4 * dim),
      down: linear(4 * dim, dim),
    })),
    norm: norm(),
    head: normal([dim, vocab], 0.02),
  };
  const normalize = (x: JaxArray, { gain, shift }: ReturnType<typeof norm>) => {
    const centered = x.ref.sub(np.mean(x, -1, { keepdims: true }));
    const variance = np.mean(np.square(centered.ref), -1, { keepdims: true });
    return centered
      .div(np.sqrt(variance.add(1e-5)))
      .mul(gain)
      .add(shift);
  };
  const apply = (x: JaxArray, { weight, shift }: ReturnType<typeof linear>) => np.matmul(x, weight).add(shift);
  const loss = (p: typeof params, ids: JaxArray, y: JaxArray) => {
    // The embedding as a product with rows of zeros and ones: the gradient is one too, which is faster there than gathering.
    let h = np.matmul(ids, p.embed).add(p.places);
    for (const block of p.blocks) {
      const all = apply(normalize(h.ref, block.attnNorm), block.qkv);
      const [q, k, v] = np.split(all, 3, -1).map((part) => part.reshape([batch, context, heads, dim / heads])) as [
        JaxArray,
        JaxArray,
        JaxArray,
      ];
      const mixed = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([batch, context, dim]);
      h = h.add(apply(mixed, block.out));
      h = h.ref.add(apply(nn.gelu(apply(normalize(h, block.mlpNorm), block.up)), block.down));
    }
    return crossEntropy(np.matmul(normalize(h, p.norm), p.head), y);
  };
  const { ids, targets } = gptBatch();
  const rows = (tokens: Int32Array) => oneHot(tokens, vocab).reshape([batch, context, vocab]);
  return training(adapter, params, loss, [rows(ids), rows(targets)], { rate: 3e-4, decay: 0.1 });
}
