import { assert, assertEquals } from "../../driver/std.ts";
import { Pace } from "../../ffi/pace.ts";

function foundEach(pace: Pace, times: readonly number[]): void {
  for (const atMs of times) pace.found(atMs);
}

const every = (periodMs: number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => (n + 1) * periodMs);

Deno.test("Pace expects nothing before it has seen a rhythm", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  assertEquals(pace.expectedMs, undefined);
  foundEach(pace, every(1, 3));
  assertEquals(pace.expectedMs, undefined);
});

Deno.test("Pace foresees the next of a steady rhythm", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  foundEach(pace, every(1, 30));
  assert(pace.expectedMs !== undefined);
  assert(Math.abs(pace.expectedMs - 31) < 0.01, `${pace.expectedMs}`);
  assert(pace.deviationMs < 0.02, `${pace.deviationMs}`);
});

Deno.test("Pace gives a rhythm up when the expected one is missed", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  foundEach(pace, every(1, 30));
  pace.missed();
  assertEquals(pace.expectedMs, undefined);
  pace.found(31);
  assertEquals(pace.expectedMs, undefined);
});

Deno.test("Pace sees no rhythm in irregular or slow completions", () => {
  const irregular = new Pace();
  irregular.waitingSince(0);
  foundEach(irregular, [1, 9, 10, 25, 26, 40, 41, 60, 62, 80]);
  assertEquals(irregular.expectedMs, undefined);
  const slow = new Pace();
  slow.waitingSince(0);
  foundEach(slow, every(100, 20));
  assertEquals(slow.expectedMs, undefined);
});

Deno.test("Pace calls quick completions soon, without a rhythm", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  assert(pace.gapMs >= 0.2);
  foundEach(pace, every(0.01, 50));
  assert(pace.gapMs < 0.2, `${pace.gapMs}`);
  assertEquals(pace.expectedMs, undefined);
});
