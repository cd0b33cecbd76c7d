import { assert, assertEquals } from "../../driver/std.ts";
import { Foresight } from "../../ffi/foresight.ts";
import { Pace } from "../../ffi/pace.ts";

/** A device that reports each millisecond, the last time at `lastMs`. */
function rhythmUntil(lastMs: number): { pace: Pace; foresight: Foresight } {
  const pace = new Pace();
  pace.waitingSince(0);
  for (let atMs = 1; atMs <= lastMs; atMs++) pace.found(atMs);
  return { pace, foresight: new Foresight(pace) };
}

Deno.test("Foresight parks no shorter than asked for without a rhythm", () => {
  const foresight = new Foresight(new Pace());
  assertEquals(foresight.parkMs(5), undefined);
  assertEquals(foresight.isNear(5), false);
});

Deno.test("Foresight is back before the completion that is expected, then waits for it on the thread", () => {
  const { foresight } = rhythmUntil(40);
  const parkMs = foresight.parkMs(40.1);
  assert(parkMs !== undefined && parkMs > 0.5 && parkMs < 0.9, `${parkMs}`);
  assertEquals(foresight.isNear(40.1), false);
  assertEquals(foresight.isNear(40.1 + parkMs), true);
  // Too late to park.
  assertEquals(foresight.parkMs(40.99), undefined);
  assertEquals(foresight.isNear(40.99), true);
});

Deno.test("Foresight comes back earlier the later it came, up to half a millisecond", () => {
  const { foresight } = rhythmUntil(40);
  const before = foresight.parkMs(40.1) ?? 0;
  for (let n = 0; n < 50; n++) foresight.back(0.15, 0);
  const after = foresight.parkMs(40.1) ?? 0;
  assert(before - after > 0.05, `${before}, then ${after}`);
  for (let n = 0; n < 50; n++) foresight.back(9, 0);
  assert(Math.abs((foresight.parkMs(40.1) ?? 0) - 0.4) < 0.001);
});

Deno.test("Foresight comes back earlier where the way back varies than where it is the same", () => {
  const steady = rhythmUntil(40).foresight;
  const varying = rhythmUntil(40).foresight;
  for (let n = 0; n < 50; n++) {
    steady.back(0.06, 0);
    varying.back(n % 2 === 0 ? 0.02 : 0.1, 0);
  }
  const difference = (steady.parkMs(40.1) ?? 0) - (varying.parkMs(40.1) ?? 0);
  assert(difference > 0.05, `${difference}`);
});

Deno.test("Foresight gives up one that does not come, and expects the next", () => {
  const { pace, foresight } = rhythmUntil(40);
  assertEquals(foresight.isNear(41.1), false);
  assert(Math.abs((pace.expectedMs ?? 0) - 42) < 0.01);
  // A device that has fallen silent is not waited for on the thread for ever.
  for (let atMs = 42.1; atMs < 50; atMs++) foresight.isNear(atMs);
  assertEquals(pace.expectedMs, undefined);
  assertEquals(foresight.parkMs(50), undefined);
});
