import { StartClock } from "../../driver/host/start_clock.ts";
import { assert, assertEquals } from "../../driver/std.ts";

const pause = (clock: StartClock, delayMs: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimer(delayMs, resolve));

Deno.test("A start's timers fire in order, not too early, and can be taken back", async () => {
  const clock = new StartClock();
  const fired: string[] = [];
  const startMs = clock.nowMs();
  clock.setTimer(1, () => fired.push("cancelled")).cancel();
  clock.setTimer(1, () => fired.push("first"));
  await pause(clock, 20);
  assert(clock.nowMs() - startMs >= 19);
  assertEquals(fired, ["first"]);
});

Deno.test("A timer set before the process was ready fires after it is", async () => {
  const clock = new StartClock();
  const early = pause(clock, 20);
  clock.started();
  await new Promise<void>((resolve) => clock.turn(resolve));
  const late = Promise.withResolvers<void>();
  const timer = clock.setTimer(0, late.resolve);
  await late.promise;
  timer.cancel();
  await early;
});

Deno.test("A turn comes after what is settled, before and after the start", async () => {
  const clock = new StartClock();
  for (const phase of ["starting", "started"]) {
    const seen: string[] = [];
    const turned = new Promise<void>((resolve) =>
      clock.turn(() => {
        seen.push(`turn, ${phase}`);
        resolve();
      })
    );
    await Promise.resolve().then(() => seen.push("microtask"));
    await turned;
    assertEquals(seen, ["microtask", `turn, ${phase}`]);
    clock.started();
    await new Promise<void>((resolve) => clock.turn(resolve));
  }
});

Deno.test("A start's clock keeps no process alive", async () => {
  const url = new URL("../../driver/host/start_clock.ts", import.meta.url).href;
  const source = `import { StartClock } from ${JSON.stringify(url)};
    const clock = new StartClock();
    clock.setTimer(3_600_000, () => {}).cancel();
    clock.turn(() => clock.started());`;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", source],
    signal: AbortSignal.timeout(60_000),
  }).output();
  assert(success);
});
