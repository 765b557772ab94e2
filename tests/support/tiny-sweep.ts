// A sweep of a model so small that most of a run is the start of its process: the files of a folder.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { f32 } from "../../ir/type.ts";
import { initialValues } from "../../runtime/init.ts";
import { npy } from "./npy-file.ts";

const modelOf = (folder: string): string => `
use std.{Linear}

module Net(width: int) {
  fc1 = Linear(16, width, deviation = 0.2)
  fc2 = Linear(width, 16, deviation = 0.2)
  fn (x: f32[B, 16]) -> f32[B, 16] {
    return x |> fc1 |> relu |> fc2
  }
}

quantize float for any {
  ** => none
}

train line(width: int = 16, rate: float = 0.05) of Net(width = width) with float {
  data x: f32[8, 16], y: f32[8, 16] = arrays("${folder}/x.npy", "${folder}/y.npy", held_out = 0.25)
  loss {
    return mse(model(x), y)
  }
  optimizer sgd
  schedule constant { rate, steps = 100 }
  eval every 50 { loss over 2 }
  checkpoint every 20
}
`;

/** Writes the model, its data, and the sweep `grid.json` over it. */
export function writeTinySweep(folder: string, grid: object): void {
  writeFileSync(join(folder, "line.loom"), modelOf(folder).trimStart());
  const rows = 64;
  for (const name of ["x", "y"]) {
    const values = initialValues(name, f32(rows, 16), { normal: [0, 1] }, 3);
    writeFileSync(join(folder, `${name}.npy`), npy(Float32Array.from(values), [rows, 16]));
  }
  writeFileSync(join(folder, "grid.json"), JSON.stringify({ model: "line.loom", ...grid }, null, 2));
}
