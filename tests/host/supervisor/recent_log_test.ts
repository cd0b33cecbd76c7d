import { EventRing } from "../../../driver/host/supervisor/event_ring.ts";
import {
  LINES_KEPT,
  type LineToKeep,
} from "../../../driver/host/supervisor/recent_log.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import { assertEquals, assertLess } from "../../../driver/std.ts";

function line(number: number, more: Partial<LineToKeep> = {}): LineToKeep {
  return {
    level: "info",
    event: "meter.read",
    message: `line ${number}`,
    fields: {},
    from: "driver",
    ...more,
  };
}

function ring(): EventRing {
  return new EventRing(new VirtualClock());
}

Deno.test("A recent log keeps the last lines and counts exactly those that made way", () => {
  const { logs } = ring();
  for (let number = 1; number <= LINES_KEPT + 30; number++) {
    logs.note("a", line(number));
  }
  const { lines, dropped } = logs.of("a").tail();
  assertEquals(dropped, 30);
  assertEquals(lines.length, LINES_KEPT);
  assertEquals(lines[0]?.message, "line 31");
  assertEquals(lines.at(-1)?.message, `line ${LINES_KEPT + 30}`);
});

Deno.test("A recent log is asked by level and by number of lines", () => {
  const { logs } = ring();
  logs.note("a", line(1, { level: "error" }));
  logs.note("a", line(2, { level: "info" }));
  logs.note("a", line(3, { level: "warn" }));
  logs.note("a", line(4, { level: "debug" }));
  const messages = (choice: Parameters<typeof log.tail>[0]) =>
    log.tail(choice).lines.map(({ message }) => message);
  const log = logs.of("a");
  assertEquals(messages({ level: "warn" }), ["line 1", "line 3"]);
  assertEquals(messages({ lines: 2 }), ["line 3", "line 4"]);
  assertEquals(messages({ level: "warn", lines: 1 }), ["line 3"]);
});

Deno.test("A driver that talks much pushes out its own lines only, and no event", () => {
  const events = ring();
  events.publish("driver.state", { to: "ready" }, "quiet");
  events.logs.note("quiet", line(0));
  for (let number = 0; number < 10_000; number++) {
    events.logs.note("loud", line(number));
  }
  assertEquals(events.since(0).gap, undefined);
  assertEquals(events.since(0).events.length, 1);
  assertEquals(events.logs.of("quiet").tail().lines.length, 1);
  assertEquals(events.logs.since(0, "quiet").gap, undefined);
  const all = events.logs.since(1);
  assertEquals(all.gap, { from: 2, to: 10_002 - LINES_KEPT });
  assertEquals(all.lines.length, 1 + LINES_KEPT);
});

Deno.test("Lines and events are numbered in one row, and lines of several drivers come in order", () => {
  const events = ring();
  events.logs.note("a", line(1));
  events.publish("driver.state", {}, "a");
  events.logs.note("b", line(3));
  events.logs.note("a", line(4));
  assertEquals(
    events.logs.since(0).lines.map(({ sequence }) => sequence),
    [1, 3, 4],
  );
  assertEquals(events.since(0).events.map(({ sequence }) => sequence), [2]);
  assertEquals(events.lastSequence, 4);
});

Deno.test("The lines of a driver that is no more are told as lost", () => {
  const { logs } = ring();
  logs.note("a", line(1));
  logs.note("a", line(2));
  logs.forget("a");
  logs.note("b", line(3));
  assertEquals(logs.since(0).gap, { from: 1, to: 2 });
  assertEquals(logs.since(2).gap, undefined);
  assertEquals(logs.of("a").tail(), { lines: [], dropped: 0 });
});

Deno.test("A line as long as a frame, or no JSON, costs a bounded piece of memory", () => {
  const { logs } = ring();
  const cycle: Record<string, never> = {};
  Object.assign(cycle, { cycle });
  logs.note(
    "a",
    line(1, { message: "x".repeat(8_000), fields: { y: "y".repeat(100_000) } }),
  );
  logs.note("a", line(2, { fields: cycle }));
  for (const kept of logs.of("a").tail().lines) {
    assertLess(JSON.stringify(kept).length, 4_096);
    assertEquals(kept.fields, { truncated: true });
  }
});
