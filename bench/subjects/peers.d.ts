// The parts of the peers that the benchmarks call. They are not installed where types are checked, so what is used is declared here.

declare module "@jax-js/jax" {
  /** Operations take their arrays for themselves; `ref` is one more reference, to keep an array for a later operation. */
  export interface Array {
    readonly ref: Array;
    readonly shape: number[];
    add(other: Operand): Array;
    sub(other: Operand): Array;
    mul(other: Operand): Array;
    div(other: Operand): Array;
    reshape(shape: readonly number[]): Array;
    data(): Promise<Float32Array>;
    blockUntilReady(): Promise<Array>;
    dispose(): void;
  }
  export type Operand = Array | number;
  export type Tree = Array | readonly Tree[] | { readonly [name: string]: Tree };
  export type Backend = "webgpu" | "wasm";

  export function init(...backends: Backend[]): Promise<Backend[]>;
  export function defaultDevice(backend: Backend): Backend;
  export function blockUntilReady(tree: Tree): Promise<Tree>;
  export function jit<F extends (...args: never[]) => Tree>(f: F): F;
  export function valueAndGrad<P extends Tree>(f: (params: P, ...rest: Array[]) => Array): (params: P, ...rest: Array[]) => [Array, P];

  export const tree: {
    ref<T extends Tree>(tree: T): T;
    leaves(tree: Tree): Array[];
    map<T extends Tree>(f: (...leaves: Array[]) => Array, tree: T, ...rest: T[]): T;
  };
  export const lax: { stopGradient(x: Array): Array };
  export const nn: {
    relu(x: Array): Array;
    gelu(x: Array): Array;
    oneHot(x: Array, classes: number): Array;
    logSoftmax(x: Array): Array;
    dotProductAttention(q: Array, k: Array, v: Array, options: { readonly isCausal: boolean }): Array;
  };
  export const numpy: {
    array(data: Float32Array | Int32Array | readonly (readonly number[])[] | number, options?: { readonly dtype?: unknown }): Array;
    readonly int32: unknown;
    readonly float32: unknown;
    zeros(shape: readonly number[]): Array;
    ones(shape: readonly number[]): Array;
    matmul(a: Array, b: Array): Array;
    transpose(a: Array): Array;
    mean(a: Array, axis?: number, options?: { readonly keepdims: boolean }): Array;
    sum(a: Array, axis?: number): Array;
    square(a: Array): Array;
    sqrt(a: Array): Array;
    abs(a: Array): Array;
    floor(a: Array): Array;
    power(a: Operand, b: Operand): Array;
    subtract(a: Operand, b: Operand): Array;
    clip(a: Array, low: number, high: number): Array;
    where(condition: Array, a: Operand, b: Operand): Array;
    lessEqual(a: Array, b: Operand): Array;
    split(a: Array, sections: number, axis: number): Array[];
  };
}

declare module "@tensorflow/tfjs" {
  export interface Tensor {
    readonly shape: number[];
    add(other: Tensor | number): Tensor;
    sub(other: Tensor | number): Tensor;
    mul(other: Tensor | number): Tensor;
    div(other: Tensor | number): Tensor;
    pow(exponent: number): Tensor;
    sqrt(): Tensor;
    tanh(): Tensor;
    relu(): Tensor;
    matMul(other: Tensor): Tensor;
    reshape(shape: readonly number[]): Tensor;
    transpose(axes: readonly number[]): Tensor;
    toFloat(): Tensor;
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  export interface Optimizer {
    minimize(loss: () => Tensor, returnCost: true): Tensor;
  }
  export function setBackend(name: string): Promise<boolean>;
  export function ready(): Promise<void>;
  export function backend(): { readonly device: GPUDevice };
  export function tensor(data: Float32Array | Int32Array, shape: readonly number[], type?: "int32"): Tensor;
  export function variable(initial: Tensor): Tensor;
  export function zeros(shape: readonly number[]): Tensor;
  export function ones(shape: readonly number[]): Tensor;
  export function oneHot(labels: Tensor, classes: number): Tensor;
  export function gather(table: Tensor, rows: Tensor): Tensor;
  export function split(x: Tensor, parts: number, axis: number): Tensor[];
  export function softmax(x: Tensor): Tensor;
  export function matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  export function moments(x: Tensor, axis: number, keepDims: boolean): { readonly mean: Tensor; readonly variance: Tensor };
  export function tidy<T>(body: () => T): T;
  export const linalg: { bandPart(a: Tensor, below: number, above: number): Tensor };
  export const losses: { softmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor };
  export const train: { adam(rate: number): Optimizer };
}

declare module "@tensorflow/tfjs-backend-webgpu";

declare module "onnxruntime-node" {
  export class Tensor {
    constructor(type: "float32", data: Float32Array, dims: readonly number[]);
    getData(): Promise<Float32Array>;
  }
  export interface Session {
    run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  }
  export const InferenceSession: {
    create(
      model: Uint8Array,
      options: { readonly executionProviders: readonly string[]; readonly intraOpNumThreads: number; readonly logSeverityLevel: number },
    ): Promise<Session>;
  };
}
