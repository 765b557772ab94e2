// TensorFlow.js as a subject, on its WebGPU backend: eager operations, gradients by its tape, Adam (it has no AdamW).
import * as tf from "@tensorflow/tfjs";
import { installWebGpu } from "../browser-gpu.ts";
import { gptBatch, gptSize, matmulSize, mlpBatch, mlpSize, normalNumbers } from "../inputs.ts";
import type { Prepare, Prepared } from "../subject.ts";

export const prepare: Prepare = async ({ work, adapter: choice }) => {
  const adapter = await installWebGpu(choice);
  await answerOldQuestion();
  // It registers itself only where there is WebGPU already.
  await import("@tensorflow/tfjs-backend-webgpu");
  if (!(await tf.setBackend("webgpu"))) throw new Error("TensorFlow.js does not take the adapter");
  await tf.ready();
  switch (work) {
    case "matmul":
      return contraction(adapter);
    case "mlp":
      return mlp(adapter);
    case "gpt":
      return gpt(adapter);
    default:
      throw new Error(`tfjs has no part in \`${work}\``);
  }
};

/** Version 4.22 calls `requestAdapterInfo`, which WebGPU has replaced by the attribute `info`. */
async function answerOldQuestion(): Promise<void> {
  const adapter = await globalThis.navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("the adapter is gone");
  Object.assign(Object.getPrototypeOf(adapter), {
    requestAdapterInfo(this: GPUAdapter) {
      return Promise.resolve(this.info);
    },
  });
}

function contraction(adapter: string): Prepared {
  const { m, k, n } = matmulSize;
  const x = normalNumbers(m * k);
  const w = tf.tensor(normalNumbers(k * n), [k, n]);
  return {
    adapter,
    async run() {
      const [a, y] = tf.tidy(() => {
        const upload = tf.tensor(x, [m, k]);
        return [upload, tf.matMul(upload, w)] as const;
      });
      await y.data();
      a.dispose();
      y.dispose();
      return undefined;
    },
  };
}

function training(adapter: string, variables: readonly tf.Tensor[], loss: () => tf.Tensor, rate: number): Prepared {
  const optimizer = tf.train.adam(rate);
  return {
    adapter,
    parameters: () => variables.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    async run() {
      const cost = optimizer.minimize(loss, true);
      const [value] = await cost.data();
      cost.dispose();
      await tf.backend().device.queue.onSubmittedWorkDone();
      return value;
    },
  };
}

interface Affine {
  readonly scale: tf.Tensor;
  readonly shift: tf.Tensor;
}

/** Makes variables and remembers them. */
function variables() {
  const all: tf.Tensor[] = [];
  const keep = (initial: tf.Tensor): tf.Tensor => {
    const made = tf.variable(initial);
    all.push(made);
    return made;
  };
  const normal = (shape: readonly number[], deviation: number) =>
    keep(
      tf.tensor(
        normalNumbers(shape.reduce((a, b) => a * b, 1)).map((value) => value * deviation),
        shape,
      ),
    );
  return {
    all,
    normal,
    linear: (inputs: number, outputs: number, deviation: number): Affine => ({
      scale: normal([inputs, outputs], deviation),
      shift: keep(tf.zeros([outputs])),
    }),
    norm: (dim: number): Affine => ({ scale: keep(tf.ones([dim])), shift: keep(tf.zeros([dim])) }),
  };
}

const oneHot = (labels: Int32Array, classes: number): tf.Tensor =>
  tf.oneHot(tf.tensor(labels, [labels.length], "int32"), classes).toFloat();

function mlp(adapter: string): Prepared {
  const { batch, widths } = mlpSize;
  const { images, labels } = mlpBatch();
  const [x, y] = [tf.tensor(images, [batch, widths[0]]), oneHot(labels, 10)];
  const made = variables();
  const layers = widths.slice(1).map((outputs, i) => made.linear(widths[i] ?? 1, outputs, Math.sqrt(2 / (widths[i] ?? 1))));
  const loss = () => {
    const logits = layers.reduce((h, { scale, shift }, i) => {
      const out = h.matMul(scale).add(shift);
      return i < layers.length - 1 ? out.relu() : out;
    }, x);
    return tf.losses.softmaxCrossEntropy(y, logits);
  };
  return training(adapter, made.all, loss, 1e-3);
}

function gpt(adapter: string): Prepared {
  const { batch, context, dim, depth, heads, vocab } = gptSize;
  const made = variables();
  const [embed, places, head] = [made.normal([vocab, dim], 0.02), made.normal([context, dim], 0.02), made.normal([dim, vocab], 0.02)];
  const lastNorm = made.norm(dim);
  const blocks = Array.from({ length: depth }, () => ({
    attnNorm: made.norm(dim),
    qkv: made.linear(dim, 3 * dim, 0.02),
    out: made.linear(dim, dim, 0.02),
    mlpNorm: made.norm(dim),
    up: made.linear(dim, 4 * dim, 0.02),
    down: made.linear(4 * dim, dim, 0.02),
  }));
  const normalize = (x: tf.Tensor, { scale, shift }: Affine) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return x.sub(mean).div(variance.add(1e-5).sqrt()).mul(scale).add(shift);
  };
  // Its matMul does not broadcast a matrix over a batch in the gradient: positions are flattened instead.
  const apply = (x: tf.Tensor, { scale, shift }: Affine) =>
    tf
      .matMul(x.reshape([batch * context, scale.shape[0] ?? 1]), scale)
      .add(shift)
      .reshape([batch, context, scale.shape[1] ?? 1]);
  // The form with tanh: TensorFlow.js has no gelu.
  const gelu = (x: tf.Tensor) =>
    x.mul(0.5).mul(
      x
        .add(x.pow(3).mul(0.044715))
        .mul(Math.sqrt(2 / Math.PI))
        .tanh()
        .add(1),
    );
  const unseen = tf.tidy(() =>
    tf.linalg
      .bandPart(tf.ones([context, context]), -1, 0)
      .sub(1)
      .mul(1e9),
  );
  const { ids, targets } = gptBatch();
  const [tokens, labels] = [tf.tensor(ids, [ids.length], "int32"), oneHot(targets, vocab)];
  const loss = () => {
    let h = tf.gather(embed, tokens).reshape([batch, context, dim]).add(places);
    for (const block of blocks) {
      const parts = tf.split(apply(normalize(h, block.attnNorm), block.qkv), 3, -1);
      const [q, k, v] = parts.map((part) => part.reshape([batch, context, heads, dim / heads]).transpose([0, 2, 1, 3])) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const weights = tf.softmax(
        tf
          .matMul(q, k, false, true)
          .div(Math.sqrt(dim / heads))
          .add(unseen),
      );
      h = h.add(apply(tf.matMul(weights, v).transpose([0, 2, 1, 3]).reshape([batch, context, dim]), block.out));
      h = h.add(apply(gelu(apply(normalize(h, block.mlpNorm), block.up)), block.down));
    }
    return tf.losses.softmaxCrossEntropy(labels, tf.matMul(normalize(h, lastNorm).reshape([batch * context, dim]), head));
  };
  return training(adapter, made.all, loss, 3e-4);
}
