import { assertEquals, assertThrows } from "../../driver/std.ts";
import { Alarms } from "../../driver/loop/alarms.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { Chance } from "../../driver/loop/chance.ts";
import { DueHeap } from "../../driver/loop/heap.ts";

Deno.test("DueHeap gives items by due time, then by the order they were set", () => {
  const chance = new Chance(7);
  const heap = new DueHeap<{ dueMs: number; sequence: number }>();
  const items = Array.from({ length: 500 }, (_, sequence) => ({
    dueMs: chance.integer(0, 40),
    sequence,
  }));
  for (const item of items) heap.push(item);
  heap.retain((item) => item.sequence % 3 !== 0);
  const expected = items.filter((item) => item.sequence % 3 !== 0)
    .sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence);
  const popped = Array.from({ length: heap.size }, () => heap.pop());
  assertEquals(popped, expected);
  assertEquals(heap.pop(), undefined);
});

Deno.test("VirtualClock fires timers in order and lets each settle before the next", async () => {
  const clock = new VirtualClock();
  const order: string[] = [];
  clock.setTimer(5, () => order.push("second"));
  clock.setTimer(5, () => order.push("third"));
  clock.setTimer(1, () => {
    order.push("first");
    Promise.resolve().then(() => order.push("settled"));
    clock.setTimer(4, () => order.push("fourth"));
  });
  const taken = clock.setTimer(2, () => order.push("never"));
  taken.cancel();
  assertEquals([clock.pendingTimers, clock.nextDueMs], [3, 1]);
  await clock.advance(10);
  assertEquals(order, ["first", "settled", "second", "third", "fourth"]);
  assertEquals([clock.nowMs(), clock.pendingTimers], [10, 0]);
});

Deno.test("VirtualClock jumps without firing; what fell due fires late", async () => {
  const clock = new VirtualClock();
  let firedMs = -1;
  clock.setTimer(5, () => firedMs = clock.nowMs());
  clock.jump(100);
  assertEquals([firedMs, clock.nowMs()], [-1, 100]);
  await clock.advance(1);
  assertEquals([firedMs, clock.nowMs()], [100, 101]);
});

Deno.test("Alarms fire only when the loop looks, by one timer of the clock", async () => {
  const clock = new VirtualClock();
  let wakes = 0;
  const alarms = new Alarms(clock, () => wakes++);
  const fired: number[] = [];
  alarms.set(20, (dueMs) => fired.push(dueMs));
  alarms.set(10, (dueMs) => fired.push(dueMs));
  const cancelled = alarms.set(15, () => fired.push(-1));
  cancelled.cancel();
  assertEquals([clock.pendingTimers, alarms.size], [1, 2]);
  await clock.advance(12);
  assertEquals([wakes, fired], [1, []]);
  alarms.fireDue(clock.nowMs());
  assertEquals(fired, [10]);
  clock.jump(100);
  alarms.fireDue(clock.nowMs());
  assertEquals([fired, alarms.size], [[10, 20], 0]);
  alarms.clear();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Alarms arm again when the clock's timer is early", () => {
  const clock = new VirtualClock();
  let fire: (() => void) | undefined;
  const early = {
    nowMs: () => clock.nowMs(),
    wallMs: () => 0,
    setTimer: (_delayMs: number, then: () => void) => {
      fire = then;
      return { cancel: () => void (fire = undefined) };
    },
  };
  const alarms = new Alarms(early, () => alarms.fireDue(clock.nowMs()));
  let fired = 0;
  alarms.set(10, () => fired++);
  clock.jump(9.5);
  fire?.();
  assertEquals(fired, 0);
  clock.jump(0.5);
  fire?.();
  assertEquals(fired, 1);
});

Deno.test("Alarms forget long ones that were taken back", async () => {
  const clock = new VirtualClock();
  const alarms = new Alarms(clock, () => {});
  for (let round = 0; round < 10_000; round++) {
    alarms.set(1e6, () => {}).cancel();
  }
  assertEquals(alarms.size, 0);
  alarms.clear();
  await clock.advance(0);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Chance repeats itself for a seed and not for another", () => {
  const draw = (seed: number): number[] => {
    const chance = new Chance(seed);
    return Array.from({ length: 100 }, () => chance.next());
  };
  assertEquals(draw(1), draw(1));
  assertEquals(draw(1).some((value, at) => value === draw(2)[at]), false);
  assertEquals(draw(3).every((value) => value >= 0 && value < 1), true);
});

Deno.test("Chance spreads evenly enough to reach every choice", () => {
  const chance = new Chance(1);
  const counts = new Array<number>(8).fill(0);
  for (let round = 0; round < 8_000; round++) {
    const choice = chance.integer(0, 7);
    counts[choice] = (counts[choice] ?? 0) + 1;
  }
  assertEquals(counts.every((count) => count > 850 && count < 1_150), true);
  assertEquals(chance.bytes(5).length, 5);
  assertEquals(["a", "b"].includes(chance.pick(["a", "b"])), true);
});

Deno.test("Chance refuses a seed that is no 32-bit integer", () => {
  for (const seed of [-1, 1.5, NaN, 2 ** 32]) {
    assertThrows(() => new Chance(seed), RangeError);
  }
});
