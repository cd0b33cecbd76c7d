import { UsbError } from "../../driver/errors.ts";
import {
  CommandFailure,
  DriverProcess,
} from "../../driver/host/driver_process.ts";
import type { DriverFrame, HostFrame } from "../../driver/host/wire.ts";
import {
  MAX_FRAME_BYTES,
  START_TIMEOUT_MS,
  STOP_TIMEOUT_MS,
} from "../../driver/limits.ts";
import { settle, VirtualClock } from "../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";
import { beat, FakeProcess, READY } from "./fake_process.ts";

interface Bench {
  readonly clock: VirtualClock;
  readonly process: FakeProcess;
  readonly driver: DriverProcess;
  readonly frames: DriverFrame[];
}

function setUp(onFrame?: (frame: HostFrame) => void): Bench {
  const clock = new VirtualClock();
  const process = new FakeProcess(onFrame);
  const frames: DriverFrame[] = [];
  const driver = new DriverProcess(process, {
    clock,
    onFrame: (frame) => frames.push(frame),
  });
  return { clock, process, driver, frames };
}

async function ready(bench: Bench): Promise<void> {
  bench.process.say(READY);
  await bench.driver.ready;
}

Deno.test("DriverProcess is ready when the driver says so", async () => {
  const bench = setUp();
  assertEquals(bench.driver.state, "starting");
  await ready(bench);
  assertEquals(bench.driver.state, "ready");
  bench.driver.stop("test");
  bench.process.end(0);
  assertEquals((await bench.driver.ended).exitClass, "clean");
  assertEquals(bench.clock.pendingTimers, 0);
});

Deno.test("DriverProcess kills a driver that is not ready in time, and calls it a hang", async () => {
  const { clock, process, driver } = setUp();
  await clock.advance(START_TIMEOUT_MS);
  assertEquals(process.signals, ["SIGKILL"]);
  assertEquals((await driver.ended).exitClass, "hang");
  assertEquals(await driver.ready, undefined);
});

Deno.test("DriverProcess notices missing heartbeats within a second", async () => {
  const bench = setUp();
  await ready(bench);
  for (let sequence = 0; sequence < 20; sequence++) {
    bench.process.say(beat(sequence));
    await bench.clock.advance(250);
  }
  assertEquals(bench.process.signals, []);
  await bench.clock.advance(1_000);
  assertEquals(bench.process.signals, ["SIGKILL"]);
  assertEquals((await bench.driver.ended).exitClass, "hang");
});

Deno.test("DriverProcess does not blame the driver when it did not run itself", async () => {
  let lateMs = 0;
  const virtual = new VirtualClock();
  const clock = {
    nowMs: () => virtual.nowMs() + lateMs,
    wallMs: () => virtual.wallMs(),
    setTimer: (delayMs: number, fire: () => void) =>
      virtual.setTimer(delayMs, () => {
        lateMs += 5_000;
        fire();
      }),
  };
  const process = new FakeProcess();
  const driver = new DriverProcess(process, { clock, onFrame: () => {} });
  process.say(READY);
  await driver.ready;
  await virtual.advance(10_000);
  assertEquals(process.signals, []);
  process.end(0);
  await driver.ended;
});

Deno.test("DriverProcess stops with a frame, then kills", async () => {
  const bench = setUp();
  await ready(bench);
  bench.driver.stop("Ctrl-C");
  bench.driver.stop("again");
  await settle();
  assertEquals(bench.process.received, [{ type: "stop", reason: "Ctrl-C" }]);
  await bench.clock.advance(STOP_TIMEOUT_MS);
  assertEquals(bench.process.signals, ["SIGKILL"]);
  assertEquals((await bench.driver.ended).exitClass, "hang");
});

Deno.test("DriverProcess takes a stop before the driver is ready", async () => {
  const { process, driver } = setUp(() => process.end(0));
  driver.stop("Ctrl-C");
  assertEquals((await driver.ended).exitClass, "clean");
});

const HELLO: DriverFrame = {
  type: "hello",
  wire: 1,
  driver: "usbtmc",
  instance: "dmm",
  pid: 4711,
  versions: {},
};

Deno.test("DriverProcess calls a driver that is to stop before it said a word no hang", async () => {
  const { clock, process, driver } = setUp();
  driver.stop("Ctrl-C");
  await clock.advance(STOP_TIMEOUT_MS);
  assertEquals(process.signals, ["SIGKILL"]);
  const { exitClass, wasReady } = await driver.ended;
  assertEquals([exitClass, wasReady], ["clean", false]);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("DriverProcess gives a driver that is to stop while it starts its time with each step it shows, and to no babbler more", async () => {
  const { clock, process, driver } = setUp();
  driver.stop("Ctrl-C");
  for (let step = 0; step < 2; step++) {
    await clock.advance(STOP_TIMEOUT_MS - 1);
    process.say(HELLO);
    await settle();
  }
  await clock.advance(STOP_TIMEOUT_MS - 1);
  assertEquals(process.signals, []);
  process.say(HELLO);
  await settle();
  await clock.advance(1);
  assertEquals(process.signals, ["SIGKILL"]);
  assertEquals((await driver.ended).exitClass, "hang");
});

Deno.test("DriverProcess kills a driver that sends what is no frame", async () => {
  const wrong: Uint8Array[] = [
    new TextEncoder().encode("hello world\n"),
    new TextEncoder().encode('{"type":"ready"}\n'),
    Uint8Array.of(0xff, 0xfe, 0x0a),
    new Uint8Array(MAX_FRAME_BYTES + 1).fill(0x20),
  ];
  for (const bytes of wrong) {
    const bench = setUp();
    await ready(bench);
    bench.process.sayBytes(bytes);
    const end = await bench.driver.ended;
    assertEquals(end.exitClass, "protocol");
    assertStringIncludes(end.message, "Cannot read");
  }
});

Deno.test("DriverProcess gives the answer of a command, or its failure", async () => {
  const bench: Bench = setUp((frame) => {
    if (frame.type !== "command") return;
    const { id, command } = frame;
    bench.process.say(
      command === "query" ? { type: "result", id, value: "+1.0" } : {
        type: "result",
        id,
        failure: { code: "stall", message: "Cannot do it: stalled" },
      },
    );
  });
  await ready(bench);
  assertEquals(await bench.driver.call("query", { command: "*IDN?" }), "+1.0");
  const error = await assertRejects(
    () => bench.driver.call("write", {}),
    CommandFailure,
    "Cannot do it: stalled",
  );
  assertEquals(error.code, "stall");
  bench.process.say({ type: "result", id: 999, value: 1 });
  bench.process.end(0);
  await bench.driver.ended;
});

Deno.test("DriverProcess ends waiting commands when the driver ends or does not answer", async () => {
  const bench = setUp();
  await assertRejects(() => bench.driver.call("a", {}), UsbError, "not ready");
  await ready(bench);
  const late = bench.driver.call("late", {}, { timeoutMs: 100 });
  const lost = bench.driver.call("lost", {}, { timeoutMs: 60_000 });
  const refused = [late, lost].map((promise) =>
    promise.then(() => "answered", (error) => error.code)
  );
  for (let sequence = 0; sequence < 12; sequence++) {
    bench.process.say(beat(sequence));
    await bench.clock.advance(250);
  }
  bench.process.end(139, "SIGSEGV");
  await bench.driver.ended;
  assertEquals(await Promise.all(refused), ["timedOut", "noDevice"]);
  assertEquals(bench.clock.pendingTimers, 0);
});

Deno.test("DriverProcess tells reason and failure of the driver's last words", async () => {
  const bench = setUp();
  await ready(bench);
  bench.process.say({
    type: "exit",
    reason: "deviceGone",
    message: "The device is gone",
    failure: { code: "noDevice", message: "The device is gone" },
  });
  bench.process.end(69);
  const end = await bench.driver.ended;
  assertEquals(
    [end.exitClass, end.message, end.failure?.code, end.wasReady],
    ["device-gone", "The device is gone", "noDevice", true],
  );
});

Deno.test("DriverProcess keeps the end of stderr, bounded", async () => {
  const bench = setUp();
  for (let line = 0; line < 5_000; line++) {
    bench.process.complain(`line ${line}\n`);
  }
  bench.process.end(1);
  const { stderrTail, exitClass } = await bench.driver.ended;
  assert(stderrTail.length <= 16 * 1024);
  assert(stderrTail.endsWith("line 4999\n"));
  assertEquals(exitClass, "fault");
});

Deno.test("DriverProcess killed on demand is called killed", async () => {
  const bench = setUp();
  await ready(bench);
  bench.driver.stop("Ctrl-C");
  bench.driver.kill();
  assertEquals((await bench.driver.ended).exitClass, "killed");
});

Deno.test("DriverProcess kills a driver whose READY is refused, and never calls it ready", async () => {
  const process = new FakeProcess();
  const frames: DriverFrame[] = [];
  const driver = new DriverProcess(process, {
    clock: new VirtualClock(),
    onFrame: (frame) => frames.push(frame),
    refusal: () => "The driver is confined less than demanded: no filter",
  });
  process.say(READY);
  assertEquals(await driver.ready, undefined);
  const end = await driver.ended;
  assertEquals([end.exitClass, end.wasReady], ["permission", false]);
  assertStringIncludes(end.message, "confined less than demanded");
  assertEquals([process.signals, frames], [["SIGKILL"], []]);
});
