// Taking turns: ratios within each round decide, so that what slows all sides down for a while decides nothing.
import { expect, test } from "vitest";
import { alternate, median } from "../../tuner/rounds.ts";

test("the median of an odd and of an even number of values", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test("a machine that is four times slower in every other round changes no ratio", async () => {
  const order: string[] = [];
  const side = (name: string, ms: number) => {
    let round = 0;
    return async () => {
      order.push(name);
      return ms * (round++ % 2 === 0 ? 1 : 4);
    };
  };
  const [first, second] = await alternate([side("a", 10), side("b", 9)], 4);
  expect(first).toEqual({ ms: 25, ratio: 1, won: 0 });
  expect(second).toEqual({ ms: 22.5, ratio: 0.9, won: 1 });
  expect(order.join("")).toBe("abbaabba");
});

test("what is faster in half of the rounds has won half of them", async () => {
  let round = 0;
  const [, second] = await alternate([async () => 10, async () => (round++ % 2 === 0 ? 8 : 12)], 6);
  expect(second).toMatchObject({ ratio: 1, won: 0.5 });
});
