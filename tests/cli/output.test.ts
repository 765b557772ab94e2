// What goes where: results to the standard output, all else to the standard error; colours only where a terminal takes them.
import { afterEach, expect, test, vi } from "vitest";
import { Output } from "../../cli/output.ts";
import { error } from "../../ir/diagnostic.ts";
import { Kept } from "./run-cli.ts";

const source = { path: "models/x.loom", text: "module X() {\n  a = Lin(3)\n}\n" };
const problem = error("unknown-name", "no module is named `Lin`", { source, start: 19, end: 22 }, "here", ["did you mean `Linear`?"]);
const warning = { severity: "warning", code: "no-entry", message: "this is odd" } as const;
const plain = `error[unknown-name]: no module is named \`Lin\`
 --> models/x.loom:2:7
  |
2 |   a = Lin(3)
  |       ^^^ here
  |
help: did you mean \`Linear\`?

`;

afterEach(() => {
  vi.unstubAllEnvs();
});

test("results and words about the work do not mix", () => {
  const [out, err] = [new Kept(), new Kept()];
  const output = new Output(false, out, err);
  output.say("result");
  output.note("working");
  output.result({ never: "shown" });
  expect([out.text, err.text]).toEqual(["result\n", "working\n"]);
});

test("an error is a frame without colours where nobody looks", () => {
  const err = new Kept();
  new Output(false, new Kept(), err).diagnostics([problem]);
  expect(err.text).toBe(plain);
});

test("a terminal gets colours, unless NO_COLOR is set", () => {
  vi.stubEnv("NO_COLOR", undefined);
  for (const name of ["FORCE_COLOR", "NODE_DISABLE_COLORS", "CI", "TF_BUILD", "TEAMCITY_VERSION", "COLORTERM", "TMUX"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("TERM", "xterm-256color");
  const colored = new Kept(true);
  new Output(false, new Kept(), colored).diagnostics([problem]);
  expect(colored.text).toContain("\u001b[31merror[unknown-name]\u001b[39m: no module");
  expect(colored.text).toContain("\u001b[31m^^^ here\u001b[39m");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours are made of.
  expect(colored.text.replaceAll(/\u001b\[\d+m/g, "")).toBe(plain);

  vi.stubEnv("NO_COLOR", "1");
  const dull = new Kept(true);
  new Output(false, new Kept(), dull).diagnostics([problem]);
  expect(dull.text).toBe(plain);
});

test("with --json there is one object: the result with the warnings before it, or what went wrong", () => {
  const fine = new Kept();
  const output = new Output(true, fine, new Kept());
  output.say("for people");
  output.diagnostics([warning]);
  output.result({ steps: 3 });
  expect(JSON.parse(fine.text)).toEqual({ steps: 3, diagnostics: [{ ...warning, labels: [], help: [] }] });

  const wrong = new Kept();
  new Output(true, wrong, new Kept()).diagnostics([problem]);
  expect(JSON.parse(wrong.text).diagnostics[0].labels).toEqual([
    { path: "models/x.loom", line: 2, column: 7, endLine: 2, endColumn: 10, message: "here" },
  ]);
});
