// The compiler's public face: compile a model file or a module, look between the passes, and know a crash when it comes.
export type { CheckedArtifact, CompiledArtifact } from "../ir/artifact.ts";
export { type Diagnostic, DiagnosticError, hasErrors, printDiagnostic, type Report, unwrap } from "../ir/diagnostic.ts";
export type { Target } from "../ir/plan.ts";
export type { Source } from "../ir/source.ts";
export { parsePipeline, pipelineComment, pipelineOfComment } from "../passes/parse-pipeline.ts";
export { type PipelineStep, printPipeline } from "../passes/pass.ts";
export { pipeline } from "../passes/pipeline.ts";
export { describeStep, type StepRecord, untilNames } from "../passes/runner.ts";
export { type CompileOptions, compile, compileModule, type ModuleOptions } from "./driver/compile.ts";
export { compileChecked } from "./driver/compile-checked.ts";
export { CompilerCrash } from "./driver/crash.ts";
export { explainPolicy, type PolicyExplanation, type SiteExplanation } from "./driver/explain-policy.ts";
export { type FrontEndOptions, lowerSource } from "./driver/frontend.ts";
export { remainingSteps, runPasses } from "./driver/passes.ts";
export type { TargetOptions } from "./driver/plan.ts";
export { type BufferSummary, type PlanSummary, summarizePlan } from "./driver/plan-summary.ts";
export { type AdapterFacts, portable, targetFor } from "./driver/targets.ts";
export { format } from "./syntax/format.ts";
