// The works are the same work: models of the stated size, kernels that are one dispatch, peers that are looked for by name.
import { describe, expect, test } from "vitest";
import { compileKernel, compileModel } from "../../bench/compiled.ts";
import { gptBatch, gptSize, gptTokens } from "../../bench/inputs.ts";
import { attention } from "../../bench/kernels/attention-cases.ts";
import { contractions } from "../../bench/kernels/contraction-cases.ts";
import { bytesOf, printKernel } from "../../bench/kernels/kernel-text.ts";
import { memory } from "../../bench/kernels/memory-cases.ts";
import { encodeModel } from "../../bench/onnx.ts";
import { installCommand, whyMissing } from "../../bench/peers.ts";
import { subjects } from "../../bench/subject.ts";
import { works } from "../../bench/works.ts";
import { portable } from "../../compiler/index.ts";

const recipes = { gpt: ["float", "quest_w4a4", "quest_w1a1"], mlp: ["float", "mlp_w4a4"] } as const;

describe.each(Object.entries(recipes))("recipe %s", (recipe, policies) => {
  test.each(policies)("has the parameters that its work states, with %s", (policy) => {
    const { manifest } = compileModel("bench/models/peers.loom", portable, { recipe, policy, entries: (name) => name === "train" });
    const counted = manifest.state.filter(({ role }) => role === "parameter").reduce((sum, { bytes }) => sum + bytes / 4, 0);
    expect(counted).toBe(works.find(({ name }) => name === recipe)?.parameters);
    expect(manifest.state.every(({ tied }) => tied.length === 0)).toBe(true);
  });
});

test("a target is the token behind its id", () => {
  const [tokens, { ids, targets }] = [gptTokens(), gptBatch()];
  const { batch, context } = gptSize;
  expect([ids.length, targets.length]).toEqual([batch * context, batch * context]);
  for (const [row, t] of [
    [0, 0],
    [0, 127],
    [7, 0],
    [7, 127],
  ] as const) {
    expect(ids[row * context + t]).toBe(tokens[row * (context + 1) + t]);
    expect(targets[row * context + t]).toBe(tokens[row * (context + 1) + t + 1]);
  }
});

const cases = [...contractions, memory, ...attention].flatMap((group) =>
  group.cases.map((each) => [`${group.name}: ${each.name}`, each] as const),
);

test.each(cases)("kernel %s is one dispatch, so that its bytes are what it must move", (name, { text }) => {
  const { artifact, planFlops } = compileKernel(name, printKernel(text), portable);
  expect(artifact.manifest.targets[0]?.dispatches["main"]).toHaveLength(1);
  expect(planFlops).toBeGreaterThan(0);
});

test("bytes of a kernel are its operands and results, once each", () => {
  const text = memory.cases.find(({ name }) => name === "add")?.text;
  expect(text === undefined ? 0 : bytesOf(text)).toBe(3 * 4 * 2 ** 20);
});

test("a peer that is not there says what installs it; Bitloom always is", () => {
  const bare = { hasPackage: () => false, hasTorch: () => false };
  expect(whyMissing(subjects.bitloom, bare)).toBeUndefined();
  for (const subject of [subjects.jax, subjects.tfjs, subjects.onnx])
    expect(whyMissing(subject, bare)).toBe(`not installed: ${installCommand}`);
  expect(whyMissing(subjects.torchCpu, bare)).toContain("absent");
  const half = { ...bare, hasPackage: (name: string) => name === "@tensorflow/tfjs" };
  expect(whyMissing(subjects.tfjs, half)).toContain("not installed");
});

test("an ONNX model is protobuf as onnx.proto says", () => {
  const bytes = encodeModel({
    op: "Op",
    domain: "d",
    attributes: { K: 300 },
    input: { name: "x", type: "float32", dims: [2] },
    constants: [{ name: "w", type: "uint8", dims: [1], data: Uint8Array.of(7) }],
    output: { name: "y", type: "float32", dims: [2] },
  });
  const valueInfo = (name: string) => `0a01${hex(name)}120a0a08080112040a020802`;
  const attribute = `0a01${hex("K")}18ac02a00102`;
  const node = `0a01${hex("x")}0a01${hex("w")}1201${hex("y")}2202${hex("Op")}${field("2a", attribute)}3a01${hex("d")}`;
  const tensor = `080110024201${hex("w")}4a0107`;
  const graph = [
    field("0a", node),
    field("12", hex("graph")),
    field("2a", tensor),
    field("5a", valueInfo("x")),
    field("62", valueInfo("y")),
  ].join("");
  const opsets = `${field("42", `0a001011`)}${field("42", `${field("0a", hex("com.microsoft"))}1001`)}`;
  expect(Buffer.from(bytes).toString("hex")).toBe(`0808${field("3a", graph)}${opsets}`);
});

const hex = (text: string): string => Buffer.from(text).toString("hex");
/** A field of bytes: its key, its length (below 128), its content. */
const field = (key: string, content: string): string => `${key}${(content.length / 2).toString(16).padStart(2, "0")}${content}`;
