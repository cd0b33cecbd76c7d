/** The wall clock is set while a supervisor runs: it dates what happens, and decides nothing. */

import { KEEP_ALIVE_MS } from "../../../driver/host/http/event_stream.ts";
import {
  recallHistory,
  rememberHistory,
} from "../../../driver/host/supervisor/state_file.ts";
import type { VirtualClock } from "../../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { EventReader, HttpBench } from "../http/http_bench.ts";
import { configure } from "./supervisor_bench.ts";

const DAY_MS = 86_400_000;

/** Sets the wall clock by so much; time itself goes on. */
function set(clock: VirtualClock, byMs: number): void {
  const before = clock.wallMs.bind(clock);
  clock.wallMs = () => before() + byMs;
}

for (const byMs of [-3_650 * DAY_MS, 3_650 * DAY_MS]) {
  const way = byMs < 0 ? "back" : "forward";
  Deno.test(`A wall clock that is set ${way} by ten years changes no state, age, key or stream`, async () => {
    const bench = new HttpBench();
    await bench.supervisor.start(configure({ a: "A" }));
    await bench.pass(500);
    const reader = new EventReader(await bench.get("/events"));
    await reader.next();
    const key = { "idempotency-key": "1" };
    const path = "/drivers/a/commands/query";
    const send = () => bench.post(path, { params: { message: "x" } }, key);
    assertEquals((await send()).status, 200);
    const seen = bench.events.lastSequence;

    set(bench.clock, byMs);
    await bench.pass(2_000);
    const { ready, uptime_ms, drivers: [driver] } =
      await (await bench.get("/status")).json();
    assertEquals([ready, driver.state, uptime_ms], [true, "ready", 2_500]);
    assertEquals(driver.heartbeat_age_ms, 250);
    assertEquals((await bench.get("/livez")).status, 200);
    assertEquals((await send()).status, 200);
    const commands = bench.processes[0]?.process.received.filter(({ type }) =>
      type === "command"
    );
    assertEquals(commands?.length, 1, "The key still stands for its answer");

    bench.events.publish("driver.event", { number: 1 }, "a");
    const text = await reader.next() ?? "";
    assertStringIncludes(text, `id: ${bench.events.lastSequence}\n`);
    assertStringIncludes(text, byMs < 0 ? '"at":"2016-' : '"at":"2035-');
    assert(bench.events.lastSequence > seen, "Numbers go on");
    await bench.pass(KEEP_ALIVE_MS);
    assertEquals(await reader.next(), ": alive\n\n");
    await reader.cancel();

    // The second failure is retried after half of 200 ms, the first at once.
    for (const [waitMs, starts] of [[0, 2], [100, 3]] as const) {
      bench.processes.at(-1)?.process.end(134, "SIGABRT");
      await bench.clock.advance(waitMs);
      await bench.clock.advance(0);
      assertEquals(bench.supervisor.status()[0]?.starts, starts);
    }
    await bench.stop();
  });
}

Deno.test("Failures remembered over a clock that was set back are no burden for ever, and none are invented", () => {
  const history = { failures: 4, failedAtMs: [1_000, 2_000, 3_000] };
  const now = { nowMs: 4_000, wallMs: 10 * DAY_MS };
  const remembered = rememberHistory(history, now);
  const later = (byMs: number) =>
    recallHistory(remembered, { nowMs: 50, wallMs: now.wallMs + byMs });
  assertEquals(later(1_000).failedAtMs, [-3_950, -2_950, -1_950]);
  assertEquals(later(-DAY_MS), { failures: 4, failedAtMs: [] });
  const [first = 0] = later(DAY_MS).failedAtMs;
  assert(first < -DAY_MS + 10_000, "They are a day old");
});
