// A process that does one run of a sweep: trains it from where its folder stands, evaluates it, and tells the process that asked for it.
import { compile, compileChecked, unwrap } from "../compiler/index.ts";
import { DiagnosticError, printDiagnostic } from "../ir/diagnostic.ts";
import { Device, defaultMemoryBudget, evaluate, hasProbes, isRefusal, openTrainingData, Session, train } from "../runtime/index.ts";
import { readSource } from "./files.ts";
import { lockFolder } from "./folder-lock.ts";
import { OpenRun } from "./open-run.ts";
import { schedulesGiven } from "./schedules.ts";
import type { SweepMessage, SweepOutcome, SweepTask } from "./sweep-pool.ts";
import { targetOf } from "./target.ts";
import type { TrainCommand } from "./trained-model.ts";

/** A process of a sweep that was killed may still be at its last step in this folder. */
const patienceMs = 60_000;
/** Nobody reads faster. */
const toldEveryMs = 500;

const tell = (message: SweepMessage) => {
  if (process.connected) process.send?.(message);
};

const stop = new AbortController();
process.on("message", (message) => {
  if (message === "stop") stop.abort();
});
// Whoever asked for the run is gone: what is done so far is kept for the next one.
process.on("disconnect", () => stop.abort());
// A terminal sends Ctrl-C to all processes of a sweep. A second one has its usual effect.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => stop.abort());

async function trainRun({ run, folder, adapter, memory, schedules }: SweepTask): Promise<SweepOutcome> {
  using lock = await lockFolder(folder, patienceMs);
  if (lock === undefined) return { kind: "failed", text: `another process works in \`${folder}\`` };
  const source = await readSource(run.file);
  using device = await Device.open({ adapter });
  const options = {
    recipe: run.recipe,
    policy: run.policy,
    set: run.set,
    targets: [await targetOf(device)],
    portable: false,
    ...schedulesGiven(schedules === undefined ? {} : { schedules }),
  };
  const budget = memory ?? defaultMemoryBudget(device);
  const { probeEvery } = run;
  const entries = ["train", "eval", "probe"];
  const artifact = unwrap(
    compile(source, { ...options, memory: budget, probe: probeEvery !== undefined, entries: (name) => entries.includes(name) }),
  );
  const opened: Session[] = [];
  using open = new OpenRun(
    device,
    () => Device.open({ adapter }),
    async (on) => {
      const session = await Session.open(artifact, on, { memoryBudget: budget, seed: run.seed });
      opened.push(session);
      return session;
    },
  );
  const [dataset, session] = await Promise.all([openTrainingData(artifact), open.open()]);
  const command: TrainCommand = { file: run.file, recipe: run.recipe, policy: run.policy, set: run.set };
  let toldAt = 0;
  const result = await train(session, {
    folder,
    dataset,
    seed: run.seed,
    resume: true,
    keep: 2,
    signal: stop.signal,
    ...(probeEvery !== undefined && hasProbes(artifact) ? { probeEvery } : {}),
    config: { command },
    reopen: () => open.reopen(),
    checked: () => unwrap(compileChecked(source, options)),
    progress: {
      started: ({ fromStep, steps }) => tell({ kind: "started", fromStep, steps }),
      stepped({ step, loss }) {
        if (performance.now() - toldAt < toldEveryMs) return;
        toldAt = performance.now();
        tell({ kind: "stepped", step, loss: Number.isFinite(loss) ? loss : null });
      },
      warned: (problem) => tell({ kind: "warned", text: printDiagnostic(problem) }),
    },
  });
  if (result.ended === "interrupted") return { kind: "stopped", step: result.step };
  const { run: record } = artifact.manifest;
  if (record === undefined) throw new Error("a run without a recipe");
  const part = typeof run.heldOut === "number" ? { batches: run.heldOut } : {};
  // On the device that the run ended on.
  const last = opened.at(-1) ?? session;
  const evaluation = run.heldOut === undefined ? undefined : await evaluate(last, dataset, record.data, [{ metric: "loss", ...part }]);
  const loss = evaluation?.loss ?? result.evaluation?.val_loss;
  if (loss !== undefined && Number.isFinite(loss) && loss > 0) return { kind: "finished", loss };
  return { kind: "failed", text: `its held-out loss is ${loss}, which is no row of results` };
}

function describeFailure(problem: unknown): SweepOutcome {
  if (problem instanceof DiagnosticError) return { kind: "failed", text: problem.diagnostics.map((d) => printDiagnostic(d)).join("\n") };
  if (isRefusal(problem)) return { kind: "failed", text: problem.message };
  return { kind: "failed", text: (problem instanceof Error ? problem.stack : undefined) ?? String(problem) };
}

const task = JSON.parse(process.argv[2] ?? "null") as SweepTask;
const outcome = await trainRun(task).catch(describeFailure);
if (process.connected) await new Promise((sent) => process.send?.(outcome, sent));
if (process.connected) process.disconnect();
