import { Backoff } from "../../../driver/host/mqtt/backoff.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import { assertEquals } from "../../../driver/std.ts";

const NEVER = new AbortController().signal;

/** How long each of some waits took. */
async function waits(
  backoff: Backoff,
  clock: VirtualClock,
  count: number,
): Promise<number[]> {
  const taken: number[] = [];
  for (let wait = 0; wait < count; wait++) {
    const fromMs = clock.nowMs();
    let untilMs: number | undefined;
    void backoff.wait(NEVER).then(() => untilMs = clock.nowMs());
    while (untilMs === undefined) await clock.advance(10);
    taken.push(untilMs - fromMs);
  }
  return taken;
}

Deno.test("Waits double up to a bound, between half of it and all, by chance", async () => {
  const clock = new VirtualClock();
  const bounds = { firstMs: 100, maxMs: 1_000 };
  const least = new Backoff({ clock, random: () => 0, ...bounds });
  assertEquals(await waits(least, clock, 5), [100, 200, 400, 500, 500]);
  const more = new Backoff({ clock, random: () => 0.5, ...bounds });
  assertEquals(await waits(more, clock, 5), [150, 300, 600, 750, 750]);
});

Deno.test("What worked for a while is forgiven; what ends as soon as it began is not", async () => {
  const clock = new VirtualClock();
  const backoff = new Backoff({
    clock,
    random: () => 0,
    firstMs: 100,
    maxMs: 1_000,
  });
  assertEquals(await waits(backoff, clock, 3), [100, 200, 400]);
  backoff.began();
  assertEquals(await waits(backoff, clock, 1), [500]);
  backoff.began();
  await clock.advance(1_000);
  assertEquals(await waits(backoff, clock, 2), [100, 200]);
});

Deno.test("A wait ends when there is nothing more to wait for", async () => {
  const clock = new VirtualClock();
  const backoff = new Backoff({
    clock,
    random: () => 0,
    firstMs: 100,
    maxMs: 1_000,
  });
  const stop = new AbortController();
  const waiting = backoff.wait(stop.signal);
  stop.abort();
  await waiting;
  await backoff.wait(stop.signal);
  assertEquals([clock.nowMs(), clock.pendingTimers], [0, 0]);
});
