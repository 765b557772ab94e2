// onnxruntime as a subject: inference alone, so contractions; on its own Dawn (WebGPU) or its native CPU kernels.
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describeAdapter } from "../../runtime/index.ts";
import { matmulSize, normalNumbers, wholeNumbers } from "../inputs.ts";
import { encodeModel } from "../onnx.ts";
import type { Prepare } from "../subject.ts";

const { m, k, n } = matmulSize;

/** The adapter is the one that the environment leaves to it: see `environmentOf` in bench/peers.ts. */
export const prepare: Prepare = async ({ work, variant, adapter }) => {
  const onCpu = variant === "cpu";
  const described = await describeAdapter({ adapter });
  const model = modelOf(work, variant);
  const x = new Tensor("float32", normalNumbers(m * k), [m, k]);
  let session: Awaited<ReturnType<typeof InferenceSession.create>> | undefined;
  return {
    adapter: onCpu ? "CPU" : "missing" in described ? adapter : described.name,
    async run() {
      session ??= await InferenceSession.create(model, {
        executionProviders: [onCpu ? "cpu" : "webgpu"],
        intraOpNumThreads: 2,
        logSeverityLevel: 3,
      });
      const { y } = await session.run({ x });
      await y?.getData();
      return undefined;
    },
  };
};

const input = { name: "x", type: "float32", dims: [m, k] } as const;
const output = { name: "y", type: "float32", dims: [m, n] } as const;

function modelOf(work: string, variant: string): Uint8Array {
  switch (work) {
    case "matmul":
      return encodeModel({
        op: "MatMul",
        input,
        constants: [{ name: "w", type: "float32", dims: [k, n], data: normalNumbers(k * n) }],
        output,
      });
    case "matmul4":
      // Level 4 lets activations become int8; level 0 (unset) keeps them float.
      return fourBits(variant === "float" ? 0 : 4);
    default:
      throw new Error(`onnxruntime has no part in \`${work}\``);
  }
}

/** Weights in blocks of 32 of 4 bits, a scale each: two codes a byte, [n, k / 32, 16]. */
function fourBits(accuracyLevel: 0 | 4): Uint8Array {
  const block = 32;
  const blocks = k / block;
  return encodeModel({
    op: "MatMulNBits",
    domain: "com.microsoft",
    attributes: { K: k, N: n, bits: 4, block_size: block, accuracy_level: accuracyLevel },
    input,
    constants: [
      { name: "w", type: "uint8", dims: [n, blocks, block / 2], data: Uint8Array.from(wholeNumbers((n * k) / 2, 256)) },
      { name: "scales", type: "float32", dims: [n * blocks], data: new Float32Array(n * blocks).fill(0.01) },
    ],
    output,
  });
}
