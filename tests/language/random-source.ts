// Generated model files: deep and long expressions, lists, pipes and selectors in every place that takes them.
import fc from "fast-check";

const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("a", "x", "head", "layers", "weight", "loss", "data", "every") },
  { weight: 2, arbitrary: fc.constantFrom("a_name_of_some_length", "another_name_that_takes_its_room", "Block") },
);
const literal = fc.constantFrom("0", "1_000", "2.5", "1e-3", "1.50e+2", "true", "false", '"text"', '"with \\"quotes\\" // and a mark"');
const joined = (item: fc.Arbitrary<string>, least: number, most: number, between = ", ") =>
  fc.array(item, { minLength: least, maxLength: most }).map((items) => items.join(between));

const { expression } = fc.letrec<{ readonly expression: string; readonly postfix: string }>((tie) => {
  const inner = tie("expression");
  const argument = fc.oneof(
    inner,
    fc.tuple(name, inner).map(([n, e]) => `${n} = ${e}`),
  );
  const item = fc.oneof(
    inner,
    fc.tuple(inner, inner).map(([a, b]) => `${a}..${b}`),
    inner.map((e) => `${e}..`),
  );
  const operator = fc.constantFrom("+", "-", "*", "/", "%");
  return {
    postfix: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      name,
      fc.tuple(name, fc.array(argument, { maxLength: 5 })).map(([n, args]) => `${n}(${args.join(", ")}${args.length > 3 ? "," : ""})`),
      fc.tuple(name, fc.array(item, { minLength: 1, maxLength: 3 })).map(([n, items]) => `${n}[${items.join(", ")}]`),
      fc.tuple(name, name).map(([a, b]) => `${a}.${b}`),
    ),
    expression: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      name,
      literal,
      tie("postfix"),
      fc.tuple(inner, operator, inner).map(([a, o, b]) => `(${a}) ${o} (${b})`),
      fc
        .array(fc.tuple(operator, name), { minLength: 2, maxLength: 9 })
        .map((terms) => `x ${terms.map(([o, n]) => `${o} ${n}`).join(" ")}`),
      fc.tuple(name, fc.constantFrom("==", "<=", ">"), literal).map(([a, o, b]) => `${a} ${o} ${b}`),
      name.map((n) => `-${n}`),
      fc.tuple(name, fc.array(tie("postfix"), { minLength: 1, maxLength: 5 })).map(([n, steps]) => [n, ...steps].join(" |> ")),
      fc.tuple(inner, inner, inner).map(([a, b, c]) => `if ${a} then ${b} else ${c}`),
      fc.array(inner, { maxLength: 5 }).map((items) => `[${items.join(", ")}]`),
      fc.tuple(inner, name).map(([e, n]) => `[${e} for ${n} in 0..${n}]`),
    ),
  };
});

const segment = fc.oneof(
  name,
  fc.constantFrom("*", "**"),
  joined(name, 1, 4).map((names) => `{${names}}`),
);
const selector = fc.tuple(joined(segment, 1, 4, "."), fc.constantFrom("", "?", ":k")).map(([path, end]) => path + end);
const type = fc
  .tuple(fc.constantFrom("f32", "i32"), joined(fc.oneof(name, fc.constant("2 * n")), 0, 4))
  .map(([s, dims]) => `${s}[${dims}]`);
const setting = fc.oneof(
  name,
  fc.tuple(name, expression).map(([n, e]) => `${n} = ${e}`),
);
const settings = joined(setting, 0, 6).map((all) => `{ ${all} }`);
const inputs = joined(
  fc.tuple(name, type).map(([n, t]) => `${n}: ${t}`),
  1,
  5,
);
const statement = fc.oneof(
  fc.tuple(name, expression).map(([n, e]) => `let ${n} = ${e}`),
  fc.tuple(name, name, expression).map(([n, over, e]) => `for ${n} in ${over} { h = ${e} }`),
  expression.map((e) => `return ${e}`),
);
const block = fc.array(statement, { maxLength: 3 }).map((all) => `{ ${all.join(" ")} }`);
const member = fc.oneof(
  fc.tuple(name, type, expression, expression).map(([n, t, e, c]) => `param ${n}: ${t} = ${e} when ${c}`),
  fc.tuple(name, expression, expression).map(([n, e, c]) => `${n} = ${e} when ${c}`),
  expression.map((e) => `require ${e}, "a message that says what is required of it"`),
  fc.tuple(name, inputs, type, block).map(([n, i, t, b]) => `fn ${n} (${i}) -> ${t} ${b}`),
);
const parameters = joined(
  fc.tuple(name, expression).map(([n, e]) => `${n}: int = ${e}`),
  0,
  5,
);

const declaration = fc.oneof(
  fc.tuple(name, expression).map(([n, e]) => `const ${n} = ${e}`),
  fc.tuple(parameters, fc.array(member, { maxLength: 3 })).map(([p, all]) => `module Net(${p}) { ${all.join("\n")} }`),
  fc.tuple(joined(selector, 1, 6), settings).map(([s, all]) => `quantize q for any { ${s} => quest ${all} }`),
  fc.tuple(inputs, expression, joined(selector, 1, 6)).map(([i, e, s]) => `train t of Net { data ${i} = ${e} remat ${s} }`),
);

/** Texts of files; nothing in them needs to mean anything. */
export const declarations: fc.Arbitrary<string> = fc.array(declaration, { minLength: 1, maxLength: 3 }).map((all) => `${all.join("\n")}\n`);
