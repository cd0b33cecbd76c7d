import { assertEquals, assertThrows } from "../../driver/std.ts";
import { RingBuffer } from "../../driver/loop/ring_buffer.ts";

Deno.test("RingBuffer gives items in the order they came", () => {
  const ring = new RingBuffer<number>(3);
  for (let round = 0; round < 5; round++) {
    assertEquals([ring.push(1), ring.push(2)], [true, true]);
    assertEquals([ring.shift(), ring.shift(), ring.shift()], [1, 2, undefined]);
  }
});

Deno.test("RingBuffer refuses when full, and holds what it held", () => {
  const ring = new RingBuffer<number>(2);
  assertEquals([1, 2, 3].map((item) => ring.push(item)), [true, true, false]);
  assertEquals(ring.toArray(), [1, 2]);
});

Deno.test("RingBuffer pushes over the oldest when told to", () => {
  const ring = new RingBuffer<number>(2);
  assertEquals([1, 2, 3].map((item) => ring.pushOver(item)), [
    undefined,
    undefined,
    1,
  ]);
  assertEquals(ring.toArray(), [2, 3]);
});

Deno.test("RingBuffer takes an item out of the middle across its seam", () => {
  const ring = new RingBuffer<number>(4);
  for (const item of [0, 0, 1, 2]) ring.push(item);
  ring.shift();
  ring.shift();
  ring.push(3);
  ring.push(4);
  assertEquals(ring.removeAt(1), 2);
  assertEquals(ring.toArray(), [1, 3, 4]);
  assertEquals(ring.removeAt(3), undefined);
  assertEquals([ring.at(0), ring.at(2), ring.at(3), ring.at(-1)], [
    1,
    4,
    undefined,
    undefined,
  ]);
});

Deno.test("RingBuffer refuses a capacity that is none", () => {
  for (const capacity of [0, -1, 1.5, NaN]) {
    assertThrows(() => new RingBuffer(capacity), RangeError);
  }
});
