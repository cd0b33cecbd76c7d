import { UsbError } from "../../../driver/errors.ts";
import {
  DRIVER_STATES,
  NEXT_STATES,
} from "../../../driver/host/supervisor/driver_states.ts";
import { UNKILLABLE_MS } from "../../../driver/host/supervisor/supervised_driver_words.ts";
import {
  assertEquals,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
} from "../../../driver/std.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import { fakeDevice } from "../../cli/fake_parts.ts";
import { beat, TELEMETRY } from "../fake_process.ts";
import { Bench } from "./driver_bench.ts";

Deno.test("Every state of a driver can be reached and left", () => {
  const reached = new Set(Object.values(NEXT_STATES).flat());
  assertEquals(DRIVER_STATES.filter((state) => !reached.has(state)), []);
  assertEquals(
    DRIVER_STATES.filter((state) => NEXT_STATES[state].length === 0),
    [],
  );
});

Deno.test("A supervised driver starts, serves and stops in order", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.ready();
  await bench.pass(5_000);
  assertEquals(bench.driver.status().degraded, undefined);
  await bench.stop();
  assertEquals(bench.log, ["starting", "ready", "stopping", "stopped"]);
});

Deno.test("A supervised driver waits for a device that is away, and calls it no failure", async () => {
  const bench = new Bench();
  bench.devices = [];
  await bench.start();
  await bench.pass(3_600_000);
  assertEquals(bench.log, ["waiting-device"]);
  assertEquals(bench.driver.history.failures, 0);
  bench.devices = [fakeDevice()];
  await bench.look();
  assertEquals(bench.log, ["waiting-device", "starting"]);
  await bench.stop();
});

Deno.test("A supervised driver follows its device to another port and number", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.ready();
  bench.devices = [];
  await bench.look();
  assertEquals(bench.driver.state, "waiting-device");
  bench.devices = [fakeDevice({ id: "2-1#9", portPath: "2-1" })];
  await bench.look();
  await bench.ready();
  assertEquals(bench.driver.status().device?.portPath, "2-1");
  assertEquals(bench.driver.history.failures, 0);
  // A replug between two looks: same port, another number.
  bench.devices = [fakeDevice({ id: "2-1#10", portPath: "2-1" })];
  await bench.look();
  await bench.look();
  assertEquals(bench.driver.state, "starting");
  await bench.stop();
});

Deno.test("A supervised driver reports two devices with one serial number and takes neither", async () => {
  const notices: string[] = [];
  const bench = new Bench({ onNotice: (cause) => notices.push(cause) });
  bench.devices = [];
  await bench.start();
  bench.devices = [
    fakeDevice(),
    fakeDevice({ id: "1-5#8", portPath: "1-5" }),
  ];
  await bench.pass(60_000);
  assertEquals(bench.processes, []);
  assertEquals(notices.length, 1);
  assertStringIncludes(notices[0] ?? "", "0957:1755@1-4, 0957:1755@1-5");
  assertStringIncludes(notices[0] ?? "", "name the port");
  bench.devices.pop();
  await bench.look();
  assertEquals(bench.driver.state, "starting");
  await bench.stop();
});

Deno.test("A supervised driver is started again at once, then with growing pauses, then rarely", async () => {
  const bench = new Bench();
  await bench.start();
  const startedAtMs: number[] = [];
  for (let failure = 0; failure < 11; failure++) {
    startedAtMs.push(bench.clock.nowMs());
    await bench.ready();
    const starts = bench.processes.length;
    await bench.die(70);
    for (let look = 0; look < 4_000; look++) {
      if (bench.processes.length > starts) break;
      if (bench.driver.state === "quarantined") break;
      await bench.clock.advance(10);
    }
  }
  assertEquals(bench.driver.state, "quarantined");
  assertEquals(startedAtMs[1], startedAtMs[0]);
  const pauses = startedAtMs.slice(2).map((atMs, index) =>
    atMs - (startedAtMs[index + 1] ?? 0)
  );
  assertEquals(pauses.slice(0, 4), [100, 200, 400, 800]);
  assertEquals(bench.driver.status().nextAttemptMs, 300_000);
  await assertRejects(
    () => bench.driver.call("query", {}),
    UsbError,
    "quarantined. The next attempt is in 300000 ms",
  );
  await bench.clock.advance(300_000);
  assertEquals(bench.driver.state, "starting");
  await bench.stop();
});

Deno.test("A supervised driver that was healthy for a minute is started at once again", async () => {
  const bench = new Bench();
  await bench.start();
  for (let failure = 0; failure < 5; failure++) {
    await bench.ready();
    await bench.pass(61_000);
    await bench.die(70);
    assertEquals(bench.driver.state, "starting");
  }
  assertEquals(bench.driver.history.failures, 1);
  await bench.stop();
});

Deno.test("A supervised driver does not try again after configuration and permission errors until told to", async () => {
  for (const code of [77, 78]) {
    const bench = new Bench();
    await bench.start();
    await bench.pass(2_500);
    await bench.die(code);
    await bench.pass(600_000);
    assertEquals(bench.log, ["starting", "failed"]);
    assertEquals(bench.processes.length, 1);
    bench.driver.start();
    await bench.clock.advance(0);
    assertEquals(bench.driver.state, "starting");
    await bench.stop();
  }
});

Deno.test("A supervised driver gives a node that just appeared time to get its owner", async () => {
  const bench = new Bench();
  bench.spawnError = new UsbError({
    code: "access",
    operation: "open",
    reason: "permission denied",
  });
  await bench.start();
  assertEquals(bench.driver.state, "waiting-device");
  bench.spawnError = undefined;
  await bench.look();
  await bench.ready();
  assertEquals(bench.driver.state, "ready");
  await bench.stop();

  const refused = new Bench();
  refused.spawnError = bench.spawnError ?? new UsbError({
    code: "access",
    operation: "open",
    reason: "permission denied",
  });
  await refused.start();
  await refused.pass(3_000);
  assertEquals(refused.driver.state, "failed");
});

Deno.test("A hang is noticed within a second, the driver killed, the device made safe, then restarted", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.ready();
  await bench.pass(1_000);
  bench.beats = false;
  const beganMs = bench.clock.nowMs();
  while (bench.processes[0]?.signals.length === 0) {
    await bench.clock.advance(10);
  }
  assertLessOrEqual(bench.clock.nowMs() - beganMs, 1_000);
  await bench.clock.advance(0);
  assertEquals(bench.log, [
    "starting",
    "ready",
    "stopping",
    "safe",
    "backoff",
    "starting",
  ]);
  assertEquals(bench.driver.status().ends.at(-1)?.exitClass, "hang");
  await bench.ready();
  assertEquals(bench.recoveredMs.length, 1);
  await bench.stop();
});

Deno.test("A driver that is not ready in time is a hang", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.clock.advance(10_000);
  assertEquals(bench.process.signals, [], "the second process");
  assertEquals(bench.processes[0]?.signals, ["SIGKILL"]);
  assertEquals(bench.log.slice(0, 5), [
    "starting",
    "stopping",
    "safe",
    "backoff",
    "starting",
  ]);
  await bench.stop();
});

Deno.test("A process that cannot be killed is reported, and no second one is started beside it", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.ready();
  const stuck = bench.process;
  stuck.isKillable = false;
  bench.answers = false;
  bench.beats = false;
  await bench.pass(1_000 + UNKILLABLE_MS);
  assertEquals(bench.driver.state, "unkillable");
  bench.devices = [fakeDevice({ id: "1-4#8" })];
  await bench.pass(600_000);
  assertEquals(bench.processes.length, 1);
  stuck.end(137, "SIGKILL");
  await bench.clock.advance(0);
  assertEquals(bench.log.slice(-2), ["backoff", "starting"]);
  assertEquals(bench.driver.status().safeState, "impossible");
  await bench.stop();
});

Deno.test("A driver is not well while lines of its log wait for the disk, and is when they are written or lost", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.ready();
  const logged = (waiting: number, dropped: number): DriverFrame => ({
    ...beat(1),
    logUnwritten: waiting + dropped,
    telemetry: { ...TELEMETRY, logged: { ...TELEMETRY.logged, dropped } },
  } as DriverFrame);
  const degraded: (string | undefined)[] = [];
  for (const [waiting, dropped] of [[3, 0], [0, 0], [7, 2], [0, 9]] as const) {
    bench.process.say(logged(waiting, dropped));
    await bench.clock.advance(0);
    degraded.push(bench.driver.status().degraded);
  }
  assertEquals(degraded, [
    "its log cannot be written: 3 lines wait",
    undefined,
    "its log cannot be written: 7 lines wait",
    undefined,
  ]);
  await bench.stop();
});
