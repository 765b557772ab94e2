// A process that trains the hand-written artifact and goes on where its run folder stands: quick to start, for tests that end it.
// Arguments: run folder, steps.
import { Device } from "../../runtime/device.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import { lineArtifact, lineDataset } from "./line-artifact.ts";

const [folder = "", steps = ""] = process.argv.slice(2);
const { run } = lineArtifact().manifest;
if (run?.evaluate === undefined) throw new Error("the artifact has a recipe");
// Checkpoints so often that much of the time one is being written.
const often = { ...run, evaluate: { ...run.evaluate, everySteps: 25 }, checkpoint: { everySteps: 3 } };

// SwiftShader comes with npm, so it is everywhere.
using device = await Device.open({ adapter: "swiftshader" });
using session = await Session.open(lineArtifact({ run: often }), device);
const progress = { started: () => process.stdout.write("started\n") };
await train(session, { folder, steps: Number(steps), resume: true, dataset: lineDataset(), progress });
