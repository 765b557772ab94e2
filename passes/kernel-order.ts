// Order of kernels: producers first, readers of a state's old value before the kernel that replaces it, otherwise as written.
import type { Value } from "../ir/module.ts";
import type { EntryFacts, Group } from "./grouping.ts";

/** Groups in an order of execution. Throws where groups need each other in a circle: `fuse` must not make such groups. */
export function orderGroups(groups: readonly Group[], facts: EntryFacts): readonly Group[] {
  const home = new Map<Value, Group>();
  for (const group of groups) {
    for (const member of group.members.keys()) for (const result of member.results) home.set(result, group);
  }
  const before = new Map<Group, Set<Group>>(groups.map((g) => [g, new Set()]));
  for (const group of groups) {
    for (const member of group.members.keys()) {
      for (const operand of member.operands) {
        const producer = facts.producer(operand);
        const source = home.get(operand);
        if (source !== undefined && producer !== undefined && !group.members.has(producer)) before.get(group)?.add(source);
      }
    }
  }
  for (const { state, value } of facts.entry.updates) {
    const writer = home.get(value);
    if (writer === undefined) continue;
    for (const group of groups) {
      if (group === writer) continue;
      const reads = [...group.members.keys()].some((m) =>
        m.operands.some((o) => {
          const producer = facts.producer(o);
          return producer?.op.signature.name === "state.read" && producer.attrs["name"] === state;
        }),
      );
      if (reads && !reaches(writer, group, before)) before.get(writer)?.add(group);
    }
  }
  // As late as its last member stands in the text: a group that also feeds nothing is not pulled forward.
  const rank = (g: Group) => Math.max(...[...g.members].filter(([, p]) => p !== "prologue").map(([m]) => facts.index.get(m) ?? 0));
  const waiting = [...groups].sort((a, b) => rank(a) - rank(b));
  const done = new Set<Group>();
  const ordered: Group[] = [];
  while (waiting.length > 0) {
    const at = waiting.findIndex((g) => [...(before.get(g) ?? [])].every((b) => done.has(b)));
    const next = waiting[at];
    if (next === undefined) throw new Error("kernels need each other in a circle");
    waiting.splice(at, 1);
    done.add(next);
    ordered.push(next);
  }
  return ordered;
}

/** Whether `to` must run before `from` already. Here: whether `from` is (transitively) needed by `to`. */
function reaches(from: Group, to: Group, before: ReadonlyMap<Group, ReadonlySet<Group>>): boolean {
  const stack = [...(before.get(to) ?? [])];
  const seen = new Set<Group>();
  for (let g = stack.pop(); g !== undefined; g = stack.pop()) {
    if (g === from) return true;
    if (seen.has(g)) continue;
    seen.add(g);
    stack.push(...(before.get(g) ?? []));
  }
  return false;
}
