// Streaming attention that is measured: forward, and the two kernels of its gradient, at the peers' length and at eight times that.
import type { KernelGroup } from "./kernel-case.ts";

function attentionGroup(queries: number): KernelGroup {
  const [batch, heads, channels] = [1024 / queries, 4, 32];
  const [type, perQuery] = [`f32[${batch}, ${queries}, ${heads}, ${channels}]`, `f32[${batch}, ${queries}, ${heads}]`];
  const backward = { q: type, k: type, v: type, ct: type, lse: perQuery, delta: perQuery };
  const operands = "%q, %k, %v, %ct, %lse, %delta {causal = true}";
  return {
    name: `attention ${batch}x${queries}x${heads}x${channels}`,
    cases: [
      {
        name: "forward",
        kind: "attention",
        isBase: true,
        text: {
          reads: { q: type, k: type, v: type },
          writes: { out: [type, "out"], lse: [perQuery, "lse"] },
          body: [`%out: ${type}, %lse: ${perQuery} = attention %q, %k, %v {causal = true}`],
        },
      },
      {
        name: "backward, queries",
        kind: "attention",
        text: { reads: backward, writes: { dq: [type, "dq"] }, body: [`%dq: ${type} = attention_grad_query ${operands}`] },
      },
      {
        name: "backward, keys and values",
        kind: "attention",
        text: {
          reads: backward,
          writes: { dk: [type, "dk"], dv: [type, "dv"] },
          body: [`%dk: ${type}, %dv: ${type} = attention_grad_key ${operands}`],
        },
      },
    ],
  };
}

export const attention: readonly KernelGroup[] = [attentionGroup(128), attentionGroup(1024)];
