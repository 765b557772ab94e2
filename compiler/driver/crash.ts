// A bug of ours, with what it takes to see it again.
import type { Module } from "../../ir/module.ts";

/**
 * Thrown where a stage of the compiler failed that must not fail. `module` is what the stage was given; running `pipeline` on it
 * (pass names as the command line takes them; empty for what follows the passes) fails in the same way.
 */
export class CompilerCrash extends Error {
  readonly stage: string;
  readonly module: Module;
  readonly pipeline: string;

  constructor(stage: string, module: Module, pipeline: string, cause: unknown) {
    super(`the compiler failed in ${stage}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "CompilerCrash";
    this.stage = stage;
    this.module = module;
    this.pipeline = pipeline;
  }
}
