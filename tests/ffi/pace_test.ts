import { assert, assertEquals } from "../../driver/std.ts";
import { Pace } from "../../ffi/pace.ts";

function foundEach(pace: Pace, times: readonly number[]): void {
  for (const atMs of times) pace.found(atMs);
}

function assertClose(actual: number | undefined, expected: number): void {
  assert(actual !== undefined, "Nothing is expected");
  assert(Math.abs(actual - expected) < 0.01, `${actual}, not ${expected}`);
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
  assertClose(pace.expectedMs, 31);
  assert(pace.deviationMs < 0.02, `${pace.deviationMs}`);
});

Deno.test("Pace keeps a rhythm in which one is missing, and expects the next", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  foundEach(pace, every(1, 30));
  pace.missed();
  assertClose(pace.expectedMs, 32);
  pace.found(32);
  assertClose(pace.expectedMs, 33);
});

Deno.test("Pace gives a rhythm up when the expected ones are missed again and again", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  foundEach(pace, every(1, 30));
  for (let n = 0; n < 3; n++) pace.missed();
  assertEquals(pace.expectedMs, undefined);
  // What comes now is not enough to trust it again.
  pace.found(34);
  assertEquals(pace.expectedMs, undefined);
});

Deno.test("Pace does not let one that was found late move its rhythm with it", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  foundEach(pace, every(1, 30));
  pace.found(31.2);
  assert(pace.expectedMs !== undefined);
  assert(pace.expectedMs < 32.1, `${pace.expectedMs}`);
});

Deno.test("Pace follows one that came early at once", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  foundEach(pace, every(1, 30));
  pace.found(30.8);
  assert(pace.expectedMs !== undefined);
  assert(Math.abs(pace.expectedMs - 31.8) < 0.05, `${pace.expectedMs}`);
});

Deno.test("Pace learns another rhythm", () => {
  const pace = new Pace();
  pace.waitingSince(0);
  foundEach(pace, every(1, 30));
  foundEach(pace, every(2, 20).map((ms) => 30 + ms));
  assertClose(pace.expectedMs, 72);
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
