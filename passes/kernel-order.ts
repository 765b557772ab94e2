// Order of kernels: producers first, readers of a state's old value before the kernel that replaces it, otherwise as written. Passes
// write what is needed late near its use (a gradient beside its product, a recomputation before the backward pass that wants it), so
// lifetimes are as short as the text makes them.
import type { Value } from "../ir/module.ts";
import type { EntryFacts, Group } from "./grouping.ts";

/** Groups in an order of execution. Throws where groups need each other in a circle: `fuse` must not make such groups. */
export function orderGroups(groups: readonly Group[], facts: EntryFacts): readonly Group[] {
  const graph = new GroupGraph(groups, facts);
  orderUpdates(groups, facts, graph);
  // As late as its last member stands in the text: a group that also feeds nothing is not pulled forward.
  const rank = new Map(groups.map((g) => [g, lastPlace(g, facts)] as const));
  const ready = new Queue<Group>((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0) || a.number - b.number);
  const missing = new Map(groups.map((g) => [g, graph.before(g).size] as const));
  for (const group of groups) if (missing.get(group) === 0) ready.push(group);
  const ordered: Group[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    ordered.push(next);
    for (const follower of graph.after(next)) {
      const left = (missing.get(follower) ?? 0) - 1;
      missing.set(follower, left);
      if (left === 0) ready.push(follower);
    }
  }
  if (ordered.length < groups.length) throw new Error("kernels need each other in a circle");
  return ordered;
}

function lastPlace(group: Group, { index }: EntryFacts): number {
  let last = 0;
  for (const [member, position] of group.members) if (position !== "prologue") last = Math.max(last, index.get(member) ?? 0);
  return last;
}

/** Which group must run before which. */
class GroupGraph {
  readonly #before: ReadonlyMap<Group, Set<Group>>;
  readonly #after: ReadonlyMap<Group, Set<Group>>;
  /** The group whose result others load; of a member that several groups compute none. */
  readonly #home = new Map<Value, Group>();

  constructor(groups: readonly Group[], facts: EntryFacts) {
    this.#before = new Map(groups.map((g) => [g, new Set()]));
    this.#after = new Map(groups.map((g) => [g, new Set()]));
    for (const group of groups) {
      for (const member of group.members.keys()) for (const result of member.results) this.#home.set(result, group);
    }
    for (const group of groups) {
      for (const member of group.members.keys()) {
        for (const operand of member.operands) {
          const producer = facts.producer(operand);
          const source = this.#home.get(operand);
          if (source !== undefined && producer !== undefined && !group.members.has(producer)) this.order(source, group);
        }
      }
    }
  }

  before(group: Group): ReadonlySet<Group> {
    return this.#before.get(group) ?? new Set();
  }

  after(group: Group): ReadonlySet<Group> {
    return this.#after.get(group) ?? new Set();
  }

  writerOf(value: Value): Group | undefined {
    return this.#home.get(value);
  }

  order(first: Group, second: Group): void {
    this.#before.get(second)?.add(first);
    this.#after.get(first)?.add(second);
  }

  /** All groups that run behind a group for whatever reason. */
  following(group: Group): ReadonlySet<Group> {
    const found = new Set<Group>();
    const stack = [...this.after(group)];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (found.has(next)) continue;
      found.add(next);
      stack.push(...this.after(next));
    }
    return found;
  }
}

/** A state is replaced behind the readers of its old value, but for those that need the new one: they read a copy. */
function orderUpdates(groups: readonly Group[], facts: EntryFacts, graph: GroupGraph): void {
  const readers = readersOfStates(groups, facts);
  for (const { state, value } of facts.entry.updates) {
    const writer = graph.writerOf(value);
    if (writer === undefined) continue;
    const following = graph.following(writer);
    for (const reader of readers.get(state) ?? []) if (reader !== writer && !following.has(reader)) graph.order(reader, writer);
  }
}

function readersOfStates(groups: readonly Group[], facts: EntryFacts): ReadonlyMap<string, ReadonlySet<Group>> {
  const readers = new Map<string, Set<Group>>();
  for (const group of groups) {
    for (const member of group.members.keys()) {
      for (const operand of member.operands) {
        const producer = facts.producer(operand);
        if (producer?.op.signature.name !== "state.read") continue;
        const state = String(producer.attrs["name"]);
        const known = readers.get(state);
        if (known === undefined) readers.set(state, new Set([group]));
        else known.add(group);
      }
    }
  }
  return readers;
}

/** A priority queue: a binary heap. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  push(item: T): void {
    let at = this.#items.push(item) - 1;
    while (at > 0 && this.#isLess(at, (at - 1) >> 1)) {
      this.#swap(at, (at - 1) >> 1);
      at = (at - 1) >> 1;
    }
  }

  /** Take the least item. */
  pop(): T | undefined {
    const [least] = this.#items;
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return least;
    this.#items[0] = last;
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = this.#isLess(right, left) ? right : left;
      if (!this.#isLess(child, at)) return least;
      this.#swap(at, child);
      at = child;
    }
  }

  #isLess(a: number, b: number): boolean {
    const [x, y] = [this.#items[a], this.#items[b]];
    return x !== undefined && (y === undefined || this.#compare(x, y) < 0);
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#items[a], this.#items[b]];
    if (x === undefined || y === undefined) throw new Error("a place outside the queue");
    this.#items[a] = y;
    this.#items[b] = x;
  }
}
