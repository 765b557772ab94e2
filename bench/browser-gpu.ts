// WebGPU where libraries for browsers look for it: `navigator.gpu` and the constants, from the Dawn and the adapter that Bitloom itself runs on.
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { type AdapterChoice, findWebGpu } from "../runtime/index.ts";

/** Puts WebGPU on the global object. Answers the adapter's name. */
export async function installWebGpu(adapter: AdapterChoice): Promise<string> {
  const found = await findWebGpu({ adapter });
  if ("missing" in found) throw new DiagnosticError([error("no-adapter", `no GPU adapter for \`${adapter}\`: ${found.missing}`)]);
  Object.assign(globalThis, found.globals);
  Object.defineProperty(globalThis.navigator, "gpu", { value: found.instance, configurable: true });
  // TensorFlow.js looks for the browser's name of the global object.
  Object.assign(globalThis, { self: globalThis });
  return found.adapter.name;
}
