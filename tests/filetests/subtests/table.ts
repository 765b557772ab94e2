// The subtests by name. To add one: write its file beside this one and add its line here.
import { pass } from "./pass.ts";
import { plan } from "./plan.ts";
import { print } from "./print.ts";
import { printPlanText } from "./print-plan.ts";
import type { Subtest } from "./subtest.ts";
import { verify } from "./verify.ts";

export const subtests: readonly Subtest[] = [pass, plan, print, printPlanText, verify];
