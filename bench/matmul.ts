// Measures the compiled contraction: y = a b in f32, through the whole compiler and the runtime, with no kernel written by hand.
import { compileModule } from "../compiler/index.ts";
import { DiagnosticError, hasErrors } from "../ir/diagnostic.ts";
import type { Module } from "../ir/module.ts";
import type { Target } from "../ir/plan.ts";
import { parseModule } from "../ir/text/parse.ts";
import { type Device, Session } from "../runtime/index.ts";

export interface MatmulShape {
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

/** Which axes are summed over: `nn` a[M, K] b[K, N], `nt` a[M, K] b[N, K], `tn` a[K, M] b[K, N]: forward, and both gradients. */
export const matmulLayouts = ["nn", "nt", "tn"] as const;
export type MatmulLayout = (typeof matmulLayouts)[number];

/** Wall-clock GFLOP/s over the rounds. */
export interface Rates {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface MatmulResult {
  readonly layout: MatmulLayout;
  readonly target: string;
  readonly gflops: Rates;
  /** CPU time of the whole process during this variant's rounds; on a software adapter it is the cost itself. */
  readonly cpuSeconds: number;
  /** GFLOP for each of those seconds: on a software adapter what the kernel is worth, whatever else the machine does meanwhile. */
  readonly gflopPerCpuSecond: number;
}

const rounds = 9;
/** A round runs at least this long, so that submission and waiting do not count. */
const leastRoundMs = 250;

/** Measure variants in one process, one round of each in turn, so that what else the machine does hits all alike. */
export async function benchMatmul(
  device: Device,
  targets: readonly Target[],
  shape: MatmulShape,
  layouts: readonly MatmulLayout[],
): Promise<readonly MatmulResult[]> {
  const variants: Variant[] = [];
  try {
    for (const target of targets) for (const layout of layouts) variants.push(await Variant.prepare(device, target, shape, layout));
    for (let round = 0; round < rounds; round++) for (const variant of variants) await variant.round();
    return variants.map((variant) => variant.result());
  } finally {
    for (const variant of variants) variant.dispose();
  }
}

class Variant {
  readonly #layout: MatmulLayout;
  readonly #target: Target;
  readonly #session: Session;
  readonly #flops: number;
  readonly #rates: number[] = [];
  #cpuSeconds = 0;
  #repeats = 1;

  private constructor(session: Session, target: Target, shape: MatmulShape, layout: MatmulLayout) {
    this.#session = session;
    this.#target = target;
    this.#layout = layout;
    this.#flops = 2 * shape.m * shape.k * shape.n;
  }

  /** Compile, warm up, and find out how many runs fill a round. */
  static async prepare(device: Device, target: Target, shape: MatmulShape, layout: MatmulLayout): Promise<Variant> {
    const { value, diagnostics } = compileModule(matmulModule(shape, layout), {
      targets: [target],
      portable: false,
      model: `matmul ${layout}`,
    });
    if (value === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
    const variant = new Variant(await Session.open(value, device), target, shape, layout);
    let elapsedMs = await variant.#time();
    while (elapsedMs < leastRoundMs) {
      variant.#repeats = Math.max(variant.#repeats + 1, Math.ceil((variant.#repeats * leastRoundMs * 1.1) / Math.max(elapsedMs, 0.1)));
      elapsedMs = await variant.#time();
    }
    return variant;
  }

  async round(): Promise<void> {
    const before = process.cpuUsage();
    const elapsedMs = await this.#time();
    const { user, system } = process.cpuUsage(before);
    this.#cpuSeconds += (user + system) / 1e6;
    this.#rates.push((this.#repeats * this.#flops) / elapsedMs / 1e6);
  }

  result(): MatmulResult {
    const sorted = this.#rates.toSorted((a, b) => a - b);
    const at = (index: number) => Number((sorted[index] ?? Number.NaN).toFixed(2));
    const gflops = { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
    const gflop = (rounds * this.#repeats * this.#flops) / 1e9;
    return {
      layout: this.#layout,
      target: this.#target.name,
      gflops,
      cpuSeconds: Number(this.#cpuSeconds.toFixed(2)),
      gflopPerCpuSecond: Number((gflop / this.#cpuSeconds).toFixed(2)),
    };
  }

  dispose(): void {
    this.#session.dispose();
  }

  /** Milliseconds of one round. Runs execute in order, so the last one's end is the end of all. */
  async #time(): Promise<number> {
    const start = performance.now();
    for (let i = 0; i < this.#repeats; i++) this.#session.submit("matmul");
    await this.#session.device.idle();
    return performance.now() - start;
  }
}

/** The operands are state, so that nothing is uploaded or read while the clock runs. */
function matmulModule({ m, k, n }: MatmulShape, layout: MatmulLayout): Module {
  const a = layout === "tn" ? `f32[${k}, ${m}]` : `f32[${m}, ${k}]`;
  const b = layout === "nt" ? `f32[${n}, ${k}]` : `f32[${k}, ${n}]`;
  const contract = `[[${layout === "tn" ? 0 : 1}], [${layout === "nt" ? 1 : 0}]]`;
  const text = `loomir 1
form primitive
state "a": ${a} {role = parameter, init = normal(0.0, 1.0), decay = false}
state "b": ${b} {role = parameter, init = normal(0.0, 1.0), decay = false}
state "y": f32[${m}, ${n}] {role = cache, init = zeros, decay = false}

entry @matmul() -> () {
  %a: ${a} = state.read {name = "a"}
  %b: ${b} = state.read {name = "b"}
  %y: f32[${m}, ${n}] = dot %a, %b {contract = ${contract}, batch = [[], []]}
  return
  update "y" = %y
}
`;
  const { value, diagnostics } = parseModule({ path: "matmul.loomir", text });
  if (value === undefined) throw new DiagnosticError(diagnostics);
  return value;
}
