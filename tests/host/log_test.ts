import type { Json } from "../../driver/driver.ts";
import {
  Log,
  type LoggedLine,
  type LogOptions,
  type LogSink,
  TornLineError,
} from "../../driver/host/log.ts";
import { MAX_LOG_LINE_BYTES } from "../../driver/limits.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { assert, assertEquals, assertLessOrEqual } from "../../driver/std.ts";

/** A disk that can be made to fail. */
class TestSink implements LogSink {
  readonly bytes: number[] = [];
  failure: Error | undefined;
  synced = 0;

  write(line: Uint8Array): void {
    if (this.failure instanceof TornLineError) {
      this.bytes.push(...line.subarray(0, this.failure.writtenBytes));
    }
    if (this.failure !== undefined) throw this.failure;
    this.bytes.push(...line);
  }

  sync(): void | Promise<void> {
    this.synced++;
  }

  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.bytes));
  }

  get lines(): Record<string, Json>[] {
    return this.text.split("\n").filter((line) => line !== "").map((line) =>
      JSON.parse(line)
    );
  }
}

const FULL = new Error("No space left on device (os error 28)");

function setUp(
  options: Partial<LogOptions> = {},
): { log: Log; sink: TestSink; clock: VirtualClock } {
  const sink = new TestSink();
  const clock = new VirtualClock();
  const base = { driver: "usbtmc", instance: "a", pid: 7, boot: "b" };
  return { log: new Log({ sink, clock, base, ...options }), sink, clock };
}

Deno.test("Log writes one JSON object a line, with the agreed fields in order", () => {
  const { log, sink } = setUp();
  log.addBase({ dev: { vid: "0957", pid: "1755", path: "1-1" } });
  log.write("info", "driver.ready", "Ready", { depth: 0, pid: 99 });
  assertEquals(
    sink.text,
    '{"ts":"2026-01-01T00:00:00.000Z","level":"info","event":"driver.ready",' +
      '"msg":"Ready","driver":"usbtmc","instance":"a","pid":7,"boot":"b",' +
      '"dev":{"vid":"0957","pid":"1755","path":"1-1"},"seq":1,"depth":0}\n',
  );
});

Deno.test("Log writes only lines of its level and above", () => {
  const { log, sink } = setUp();
  log.write("debug", "a", "left out");
  log.write("error", "b", "kept");
  assertEquals(sink.lines.map((line) => line["event"]), ["b"]);
});

Deno.test("Log writes the 1st, 10th and 100th repeat within ten minutes, with its count", async () => {
  const { log, sink, clock } = setUp();
  for (let time = 0; time < 250; time++) {
    log.write("warn", "transfer.failed", "Stalled", { err: { code: "stall" } });
  }
  log.write("warn", "transfer.failed", "Late", { err: { code: "timedOut" } });
  assertEquals(
    sink.lines.map((line) => line["repeated"] ?? 1),
    [1, 10, 100, 1],
  );
  assertEquals(log.counters.suppressed, 247);
  await clock.advance(10 * 60_000);
  log.write("warn", "transfer.failed", "Stalled", { err: { code: "stall" } });
  assertEquals(sink.lines.length, 5);
});

Deno.test("Log keeps lines while the disk is full and writes them when space returns", async () => {
  const { log, sink, clock } = setUp();
  sink.failure = FULL;
  log.write("info", "a", "first");
  log.write("info", "b", "second");
  await clock.advance(60_000);
  assertEquals(sink.lines, []);
  sink.failure = undefined;
  await clock.advance(10_000);
  assertEquals(
    sink.lines.map((line) => [line["seq"], line["event"]]),
    [[1, "a"], [2, "b"], [3, "log.recovered"]],
  );
  assertEquals(log.counters.queued, 0);
});

Deno.test("Log backs off from a failing sink", async () => {
  const { log, sink, clock } = setUp();
  sink.failure = FULL;
  log.write("info", "a", "first");
  await clock.advance(60_000);
  assertLessOrEqual(log.counters.sinkFailures, 15);
  log.close();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Log drops debug before info before errors when its queue is full, and counts exactly", async () => {
  const { log, sink, clock } = setUp({ capacity: 4, level: "debug" });
  sink.failure = FULL;
  log.write("debug", "d1", "d1");
  log.write("info", "i1", "i1");
  log.write("error", "e1", "e1");
  log.write("error", "e2", "e2");
  log.write("error", "e3", "e3");
  log.write("error", "e4", "e4");
  log.write("debug", "d2", "d2");
  assertEquals(log.counters.dropped, { debug: 2, info: 1, warn: 0, error: 0 });
  sink.failure = undefined;
  await clock.advance(1_000);
  assertEquals(
    sink.lines.map((line) => line["event"]),
    ["e1", "log.dropped", "e2", "e3", "e4", "log.recovered"],
  );
  const told = sink.lines[1];
  assertEquals(
    [told?.["debug"], told?.["info"], told?.["error"], told?.["seq"]],
    [2, 1, 0, 5],
  );
});

Deno.test("Log counts what it gives up on at the end", () => {
  const { log, sink } = setUp();
  sink.failure = new Error("Read-only file system (os error 30)");
  log.write("info", "a", "first");
  log.close();
  assertEquals(log.counters.dropped.info, 1);
});

Deno.test("Log begins a line of its own after one that a dead process left torn", () => {
  const { log, sink } = setUp({ startsTorn: true });
  log.write("info", "a", "first");
  const lines = sink.text.split("\n");
  assertEquals(lines[0], "");
  assertEquals(JSON.parse(lines[1] ?? "")["event"], "a");
});

Deno.test("Log completes a line of which the disk took a part, bit by bit, before anything else", async () => {
  const { log, sink, clock } = setUp();
  sink.failure = new TornLineError(10, 0);
  log.write("info", "a", "first");
  log.write("info", "b", "second");
  assertEquals([log.counters.queued, log.unwritten], [1, 2]);
  await clock.advance(1_000);
  assert(sink.text.length > 20 && !sink.text.includes("\n"), "again a part");
  sink.failure = new Error("No space left on device (os error 28)");
  log.write("info", "c", "third");
  await clock.advance(1_000);
  sink.failure = undefined;
  await clock.advance(10_000);
  assertEquals(sink.lines.map((line) => line["event"]), [
    "a",
    "b",
    "c",
    "log.recovered",
  ]);
  assertEquals(sink.lines.map((line) => line["seq"]), [1, 2, 3, 4]);
  assertEquals(log.unwritten, 0);
});

Deno.test("Log cuts a line that is too long and says so", () => {
  const { log, sink } = setUp();
  const wide = "\u{1f50c}".repeat(MAX_LOG_LINE_BYTES);
  log.write("info", "a", "short", { wide, number: 1 });
  log.write("info", "b", wide);
  const lines = sink.text.split("\n");
  for (const line of lines) {
    assertLessOrEqual(new TextEncoder().encode(line).length, 8192);
  }
  assertEquals(sink.lines.map((line) => line["truncated"]), [true, true]);
  assertEquals(sink.lines[0]?.["number"], 1);
});

Deno.test("Log writes what is not JSON as text instead of throwing", () => {
  const { log, sink } = setUp();
  const loop: Record<string, Json> = { n: 1 };
  loop["self"] = loop;
  log.write("info", "a", "a cycle", { loop });
  log.write("info", "b", "a bigint", { big: 5n as unknown as number });
  assertEquals(sink.lines.length, 2);
  assertEquals(sink.lines[1]?.["big"], "5");
});

Deno.test("Log makes changes of state survive a power cut", () => {
  const { log, sink } = setUp();
  log.write("info", "a", "a");
  assertEquals(sink.synced, 0);
  log.record("info", "driver.state", "ready");
  assertEquals(sink.synced, 1);
  assert(sink.text.endsWith("\n"));
});

Deno.test("Log hides what is not for everybody, from its file and from whoever watches", () => {
  const told: LoggedLine[] = [];
  const { log, sink } = setUp({ onLine: (line) => told.push(line) });
  log.hide("MY47000001");
  log.write("warn", "a", "MY47000001 at /home/ann/x", { serial: "X" });
  log.record("info", "driver.state", "of MY47000001", { answer: "+1" });
  for (const lines of [sink.lines, told.map((line) => ({ ...line }))]) {
    const text = JSON.stringify(lines);
    assert(!/MY47|ann|"X"|\+1/.test(text), text);
  }
  assertEquals(sink.lines[0]?.["msg"], "[serial] at ~/…");
});

Deno.test("Log at level debug writes everything into its file, and still tells nobody", () => {
  const told: LoggedLine[] = [];
  const { log, sink } = setUp({
    level: "debug",
    onLine: (line) => told.push(line),
  });
  log.hide("MY47000001");
  log.write("debug", "event.reading", "of MY47000001", { data: "AAEC" });
  log.write("info", "a", "of MY47000001", { data: "AAEC" });
  assertEquals(sink.lines.map((line) => line["data"]), ["AAEC", "AAEC"]);
  assertEquals(told[1]?.message, "of [serial]");
  assertEquals(told[1]?.fields, { data: "[4 characters]" });
});

Deno.test("Log counts its lines by level, whatever became of them", () => {
  const { log, sink } = setUp({ capacity: 2 });
  log.write("debug", "left out", "left out");
  sink.failure = FULL;
  for (let time = 0; time < 5; time++) log.write("info", `i${time}`, "i");
  for (let time = 0; time < 5; time++) log.write("warn", "again", "again");
  assertEquals(log.counters.lines, { debug: 0, info: 5, warn: 1, error: 0 });
  assertEquals(log.counters.suppressed, 4);
  assertEquals(log.counters.dropped.info, 4);
});

Deno.test("Log counts a flush that fails, at once or later, and goes on", async () => {
  const { log, sink } = setUp();
  sink.sync = () => Promise.reject(new Error("Input/output error"));
  log.record("info", "driver.state", "ready");
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(log.counters.sinkFailures, 1);
  sink.sync = () => {
    throw new Error("Input/output error");
  };
  log.record("info", "driver.state", "stopping");
  assertEquals(log.counters.sinkFailures, 2);
  assertEquals(sink.lines.length, 2);
});

Deno.test("Log says whether a line is there in part only", async () => {
  const { log, sink, clock } = setUp();
  assertEquals(log.isTorn, false);
  sink.failure = new TornLineError(10, 99);
  log.write("info", "a", "first");
  assertEquals(log.isTorn, true);
  sink.failure = undefined;
  await clock.advance(1_000);
  assertEquals(log.isTorn, false);
});
