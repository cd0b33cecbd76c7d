import type { CliIo } from "../../driver/host/cli/command.ts";
import { runOutput } from "../../driver/host/cli/run_output.ts";
import { RunStatus } from "../../driver/host/cli/run_status.ts";
import { viewLines } from "../../driver/host/cli/run_view.ts";
import type { DriverFrame } from "../../driver/host/wire.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import { beat } from "../host/fake_process.ts";

const READY: DriverFrame = {
  type: "ready",
  device: { vid: "0957", pid: "1755", path: "1-4", product: "34410A" },
  sandbox: {
    mode: "sandboxed",
    layers: { "Landlock ABI": 7, "seccomp": true, "no new code": false },
  },
};

function reading(sequence: number, value: number): DriverFrame {
  const data = { value, unit: "V", raw: "x" };
  return { type: "event", sequence, event: "reading", data };
}

function setUp(
  isTerminal: boolean,
): { clock: VirtualClock; io: CliIo; printed: () => string } {
  const clock = new VirtualClock();
  let out = "";
  const io: CliIo = {
    out: (text) => out += text,
    err: () => {},
    isTerminal,
    hasColor: false,
    columns: () => 60,
    onInterrupt: () => () => {},
    clock,
    random: () => 0.5,
  };
  return { clock, io, printed: () => out };
}

Deno.test("The view shows device, state, sandbox, readings, interrupts per second and queue", () => {
  const status = new RunStatus("usbtmc");
  status.state = "ready";
  status.starts = 1;
  status.take(READY, 0);
  for (let tick = 0; tick <= 8; tick++) {
    status.take(beat(tick, tick * 25), tick * 250);
    status.take(reading(tick, 4.999 + tick / 1000), tick * 250);
  }
  assertEquals(
    viewLines(status, { columns: 80, nowMs: 2_000 }),
    [
      "usbtmc  0957:1755@1-4  34410A",
      "state       ready",
      "sandbox     Landlock ABI 7, seccomp",
      "reading     5.007 V  (9, now)",
      "interrupts  100/s, 200 in all",
      "queue       0 waiting, 0 dropped, 1 transfers in flight",
    ],
  );
});

Deno.test("The view is never wider than the terminal and holds no escape of a device", () => {
  const status = new RunStatus("usbtmc");
  status.take({
    type: "ready",
    device: {
      vid: "0957",
      pid: "1755",
      path: "1",
      product: "\x1b[2J".repeat(9),
    },
    sandbox: { mode: "direct", layers: {} },
  }, 0);
  status.take({
    type: "event",
    sequence: 1,
    event: "e\x07vil",
    data: { "\x1b]0;": "\r\n".repeat(50) },
  }, 0);
  for (const line of viewLines(status, { columns: 30, nowMs: 0 })) {
    assertLessOrEqual([...line].length, 30);
    // deno-lint-ignore no-control-regex -- what must not be there
    assert(!/[\x00-\x1f]/.test(line), JSON.stringify(line));
  }
});

Deno.test("A terminal is redrawn at most four times a second", async () => {
  const { clock, io, printed } = setUp(true);
  const status = new RunStatus("usbtmc");
  const output = runOutput(io, status, { isJson: false });
  for (let tick = 0; tick < 1_000; tick++) {
    const frame = reading(tick, tick);
    status.take(frame, clock.nowMs());
    output.frame(frame);
    await clock.advance(1);
  }
  const redraws = printed().split("\x1b[J").length - 1;
  assertLessOrEqual(redraws, 4);
  output.close();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Without a terminal each event is a line, at most five a second, without escapes", async () => {
  const { clock, io, printed } = setUp(false);
  const status = new RunStatus("usbtmc");
  const output = runOutput(io, status, { isJson: false });
  status.take(READY, 0);
  output.frame(READY);
  for (let tick = 0; tick < 1_000; tick++) {
    output.frame(reading(tick, tick));
    await clock.advance(1);
  }
  const lines = printed().trimEnd().split("\n");
  const readings = lines.filter((line) => line.includes(" reading "));
  assertEquals(readings.length, 5);
  assertMatch(readings[0] ?? "", /^\d\d:\d\d:\d\d\.\d{3} reading 0 V$/);
  assertStringIncludes(printed(), "sandbox Landlock ABI 7, seccomp");
  assert(!printed().includes("\x1b"));
});

Deno.test("With --json every line is one object with time, driver and type", () => {
  const { io, printed } = setUp(true);
  const output = runOutput(io, new RunStatus("usbtmc"), { isJson: true });
  output.say("note");
  output.state("starting", undefined);
  output.frame(READY);
  output.frame(reading(1, 1));
  output.frame(beat(1));
  output.close();
  const lines = printed().trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(
    lines.map((line) => line.type),
    ["note", "state", "ready", "event", "heartbeat", "summary"],
  );
  for (const line of lines) {
    assertEquals(line.driver, "usbtmc");
    assertMatch(line.ts, /Z$/);
  }
});

Deno.test("Interrupts are counted over restarts", () => {
  const status = new RunStatus("usbtmc");
  status.take(beat(1, 70), 0);
  status.ended();
  assertEquals(status.reports, 70);
  status.take(beat(0, 5), 250);
  assertEquals(status.reports, 75);
});
