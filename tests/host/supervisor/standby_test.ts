import { UsbError } from "../../../driver/errors.ts";
import { STANDBY_SAFE_TIMEOUT_MS } from "../../../driver/host/standby_words.ts";
import {
  STANDBY_AFTER_MS,
  STANDBY_AGAIN_MS,
  STANDBY_AGAIN_MS_MAX,
  StandbySlots,
  type StartedStandby,
} from "../../../driver/host/supervisor/standby.ts";
import { START_TIMEOUT_MS } from "../../../driver/limits.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
} from "../../../driver/std.ts";
import { fakeDevice } from "../../cli/fake_parts.ts";
import { FakeProcess, STOPPED } from "../fake_process.ts";
import { StandbyBench } from "./standby_bench.ts";

Deno.test("A standby is started when its driver has served for a while, and is no start of the driver", async () => {
  const bench = new StandbyBench();
  await bench.start();
  await bench.pass(STANDBY_AFTER_MS);
  await bench.ready();
  await bench.pass(STANDBY_AFTER_MS - 250);
  assertEquals(bench.standbys.length, 0);
  await bench.pass(500);
  const { hasStandby, starts } = bench.driver.status();
  assertEquals([bench.standbys.length, hasStandby, starts], [1, true, 1]);
  await bench.pass(60_000);
  assertEquals(bench.standby.orders, [], "It waits, and that is all");
  await bench.stop();
});

Deno.test("A standby makes the device of a dead driver safe and is the driver then, without another process", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  await bench.die(139, "SIGSEGV");
  await bench.takenOver();
  assertEquals(bench.log, [
    ...["starting", "ready", "standby", "stopping", "told safe"],
    ...["backoff", "starting", "taken", "told go", "no standby", "ready"],
  ]);
  assertEquals(bench.safeBy, ["done by standby"]);
  assertEquals(bench.driver.status().starts, 2);
  assertEquals(bench.driver.history.failures, 1);
  assertEquals(bench.recoveredMs.length, 1);
  await bench.serve();
  assertEquals(bench.standbys.length, 2, "And the next one waits");
  await bench.stop();
});

Deno.test("A standby of a driver that made its device safe itself only takes over", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  bench.process.say({ ...STOPPED, reason: "fault" } as typeof STOPPED);
  await bench.die(70);
  assertEquals(bench.standby.orders, ["go"]);
  await bench.takenOver();
  assertEquals(bench.safeBy, ["done by driver"]);
  await bench.stop();
});

Deno.test("A safe state that fails in a standby is told as such, and the standby is the driver all the same", async () => {
  const bench = new StandbyBench();
  bench.standbyReport = {
    result: "failed",
    stepsDone: 0,
    steps: 1,
    reason: "Turn it off: stall",
  };
  await bench.begin();
  await bench.die(139, "SIGSEGV");
  await bench.takenOver();
  assertEquals(bench.safeBy, ["failed by standby"]);
  assertEquals(bench.driver.status().degraded, "its last safe state failed");
  await bench.stop();
});

Deno.test("A standby that hangs over the safe state is killed, and a process of its own performs it", async () => {
  const bench = new StandbyBench();
  bench.standbyReport = undefined;
  await bench.begin();
  const diedAtMs = bench.clock.nowMs();
  await bench.die(139, "SIGSEGV");
  assertEquals(bench.processes.length, 1, "Nobody has the device meanwhile");
  await bench.clock.advance(STANDBY_SAFE_TIMEOUT_MS);
  assertEquals(bench.signals, ["SIGKILL"]);
  assertEquals(bench.safeBy, ["done by process"]);
  assertLessOrEqual(
    bench.clock.nowMs() - diedAtMs,
    STANDBY_SAFE_TIMEOUT_MS,
  );
  assertEquals(bench.processes.length, 2, "Then it is started as ever");
  await bench.ready();
  assertEquals(
    bench.notices,
    ["Its standby ended: it did not make it safe in time"],
  );
  await bench.stop();
});

Deno.test("A standby that dies over the safe state, or says no report, is followed by a process of its own", async () => {
  for (const kind of ["dies", "babbles"] as const) {
    const bench = new StandbyBench();
    bench.standbyReport = undefined;
    await bench.begin();
    await bench.die(139, "SIGSEGV");
    if (kind === "dies") bench.standby.end(70);
    else bench.standby.sayBytes(new TextEncoder().encode("all is well\n"));
    await bench.clock.advance(0);
    assertEquals(bench.safeBy, ["done by process"], kind);
    assertEquals(bench.processes.length, 2, kind);
    await bench.stop();
  }
});

Deno.test("A standby that does not become ready is no failure of the driver, which is started as ever", async () => {
  for (const code of [77, 70] as const) {
    const bench = new StandbyBench();
    await bench.begin();
    await bench.die(139, "SIGSEGV");
    assertEquals(bench.standby.orders, ["safe", "go"]);
    bench.standby.end(code);
    await bench.clock.advance(0);
    assertEquals(bench.driver.state, "starting");
    assertEquals(bench.processes.length, 2);
    assertEquals(bench.driver.history.failures, 1);
    await bench.ready();
    await bench.stop();
  }
});

Deno.test("A standby that hangs when it is to be the driver is killed in time", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  await bench.die(139, "SIGSEGV");
  await bench.clock.advance(START_TIMEOUT_MS);
  assertEquals(bench.signals, ["SIGKILL"]);
  assertEquals(bench.safeBy, ["done by standby", "done by process"]);
  assertEquals([bench.processes.length, bench.driver.state], [2, "starting"]);
  await bench.stop();
});

Deno.test("A driver that dies before its standby waits goes the way without one", async () => {
  const bench = new StandbyBench();
  bench.parks = false;
  await bench.begin();
  assertEquals(bench.driver.status().hasStandby, false);
  await bench.die(139, "SIGSEGV");
  assertEquals(bench.signals, ["SIGKILL"]);
  assertEquals(bench.safeBy, ["done by process"]);
  assertEquals(bench.processes.length, 2);
  await bench.stop();
});

Deno.test("A start of a standby that never comes back holds nothing up, and what comes of it late is ended", async () => {
  const bench = new StandbyBench();
  const { promise, resolve } = Promise.withResolvers<StartedStandby>();
  bench.standbyStart = promise;
  await bench.begin();
  await bench.die(139, "SIGSEGV");
  assertEquals(bench.safeBy, ["done by process"]);
  await bench.ready();
  const client = new FakeProcess(() => {}, () => {});
  resolve({ client, isStale: () => false, taken: () => {} });
  await bench.clock.advance(0);
  assertEquals([client.signals, client.orders], [["SIGKILL"], []]);
  await bench.stop();
});

Deno.test("A standby that is not there in time, or less confined than demanded, is killed and told", async () => {
  const slow = new StandbyBench();
  slow.parks = false;
  await slow.begin();
  await slow.pass(START_TIMEOUT_MS);
  assertEquals(slow.signals[0], "SIGKILL");
  assertEquals(slow.notices, ["Its standby ended: it did not wait in time"]);
  await slow.stop();

  const loose = new StandbyBench();
  loose.standbyRefusal = "no filter";
  await loose.begin();
  assertEquals(loose.signals, ["SIGKILL"]);
  assertEquals(loose.notices, ["Its standby ended: no filter"]);
  assertEquals(loose.driver.state, "ready", "The driver is none the worse");
  await loose.stop();
});

Deno.test("A standby that dies is replaced after pauses that grow, up to a bound", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  const pausesMs: number[] = [];
  for (let death = 0; death < 9; death++) {
    const count = bench.standbys.length;
    const diedAtMs = bench.clock.nowMs();
    bench.standby.end(137, "SIGKILL");
    while (bench.standbys.length === count) await bench.pass(250);
    pausesMs.push(bench.clock.nowMs() - diedAtMs);
  }
  assertEquals(bench.notices[0], "Its standby ended: SIGKILL");
  for (const [death, pauseMs] of pausesMs.entries()) {
    const wantedMs = Math.min(
      STANDBY_AGAIN_MS * 2 ** death,
      STANDBY_AGAIN_MS_MAX,
    );
    assert(pauseMs >= wantedMs && pauseMs <= wantedMs + 500, `${pauseMs} ms`);
  }
  assertEquals(bench.driver.state, "ready");
  // One that waited for long did not die of its start.
  await bench.pass(60_000);
  const count = bench.standbys.length;
  bench.standby.end(137, "SIGKILL");
  await bench.pass(STANDBY_AGAIN_MS + 500);
  assertEquals(bench.standbys.length, count + 1);
  await bench.stop();
});

Deno.test("A standby that cannot be started is told and tried again", async () => {
  const bench = new StandbyBench();
  bench.standbyStart = Promise.reject(
    new UsbError({ code: "access", operation: "start it", reason: "no" }),
  );
  await bench.begin();
  assertEquals(bench.notices.length, 1);
  assertEquals(bench.driver.state, "ready");
  bench.standbyStart = undefined;
  await bench.pass(STANDBY_AGAIN_MS + 500);
  assertEquals(bench.driver.status().hasStandby, true);
  await bench.stop();
});

Deno.test("A standby leaves with its device, untouched, and the next device has its own", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  const first = bench.standby;
  bench.devices = [];
  await bench.look();
  assertEquals(bench.driver.state, "waiting-device");
  assertEquals(first.orders, ["stop"]);
  bench.devices = [fakeDevice({ id: "1-4#9" })];
  await bench.look();
  await bench.ready();
  await bench.serve();
  assertEquals(bench.standbys.length, 2);
  await bench.stop();
});

Deno.test("A standby whose log was taken away is replaced, and never becomes the driver", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  bench.isStale = true;
  await bench.look();
  assertEquals(bench.standby.orders, ["stop"]);
  bench.isStale = false;
  await bench.pass(500);
  assertEquals(bench.standbys.length, 2);
  bench.isStale = true;
  await bench.die(139, "SIGSEGV");
  assertEquals(bench.standby.orders, ["stop"]);
  assertEquals(bench.safeBy, ["done by process"]);
  await bench.stop();
});

Deno.test("A crash loop has no standby, nor has a driver that pauses, is quarantined or failed", async () => {
  const bench = new StandbyBench();
  await bench.start();
  for (let failure = 0; failure < 11; failure++) {
    await bench.ready();
    await bench.pass(STANDBY_AFTER_MS - 500);
    await bench.die(70);
    while (bench.driver.state === "backoff") await bench.clock.advance(10);
  }
  assertEquals(bench.driver.state, "quarantined");
  await bench.pass(60_000);
  assertEquals(bench.standbys, []);
  await bench.stop();

  const pausing = new StandbyBench();
  await pausing.begin();
  await pausing.die(70);
  await pausing.takenOver();
  await pausing.serve();
  // The second failure in a row is followed by a pause.
  await pausing.die(70);
  assertEquals(pausing.driver.state, "backoff");
  assertEquals(pausing.standby.orders, ["safe", "stop"]);
  await pausing.stop();

  const failed = new StandbyBench();
  await failed.begin();
  await failed.die(78);
  assertEquals(failed.driver.state, "failed");
  assertEquals(failed.standby.orders, ["safe", "stop"]);
  await failed.stop();
});

Deno.test("A standby that made the device safe has it until it is gone, and a start waits for that", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  await bench.die(70);
  await bench.takenOver();
  await bench.serve();
  const { standby } = bench;
  // It is told to end and does not.
  bench.answersOrders = false;
  await bench.die(70);
  assertEquals(bench.driver.state, "backoff");
  assertEquals(bench.driver.heldDeviceId, fakeDevice().id);
  await bench.clock.advance(1_000);
  assertEquals(bench.driver.state, "starting");
  assertEquals(bench.processes.length, 2, "Not beside it");
  await bench.clock.advance(1_500);
  assertEquals(standby.signals, ["SIGKILL"]);
  assertEquals(bench.processes.length, 3);
  await bench.stop();
});

Deno.test("Standbys are no more than there are slots, and a slot goes to the next who wants it", async () => {
  const standbySlots = new StandbySlots(1);
  const one = new StandbyBench({ standbySlots });
  const two = new StandbyBench({ standbySlots });
  await one.begin();
  await two.begin();
  await two.pass(60_000);
  assertEquals([one.standbys.length, two.standbys.length], [1, 0]);
  await one.die(139, "SIGSEGV");
  await one.takenOver();
  await two.pass(500);
  assertEquals([one.standbys.length, two.standbys.length], [1, 1]);
  await one.pass(60_000);
  assertEquals(one.standbys.length, 1, "It waits for a slot");
  await two.stop();
  await one.pass(500);
  assertEquals(one.standbys.length, 2);
  await one.stop();
});

Deno.test("A driver that is stopped ends its standby, which touches nothing; one that has to be killed is made safe by it", async () => {
  const bench = new StandbyBench();
  await bench.begin();
  await bench.stop();
  assertEquals(bench.standby.orders, ["stop"]);

  const hanging = new StandbyBench();
  await hanging.begin();
  hanging.answers = false;
  const stopped = hanging.driver.stop("test over");
  await hanging.clock.advance(4_000);
  await stopped;
  assertEquals(hanging.processes[0]?.signals, ["SIGKILL"]);
  assertEquals(hanging.standby.orders, ["safe", "stop"]);
  assertEquals(hanging.clock.pendingTimers, 0);
});

Deno.test("A driver that is to have no standby has none", async () => {
  const bench = new StandbyBench();
  bench.isAllowed = false;
  await bench.begin();
  await bench.pass(60_000);
  assertEquals(bench.standbys, []);
  await bench.die(139, "SIGSEGV");
  assertEquals(bench.safeBy, ["done by process"]);
  await bench.stop();
});
