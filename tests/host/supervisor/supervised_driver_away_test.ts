import { UsbError } from "../../../driver/errors.ts";
import {
  type EndOfDriver,
  needsSafeState,
  type SafeStateOutcome,
} from "../../../driver/host/safe_state_after_end.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import type { SafeStateReport } from "../../../driver/loop/safe_state.ts";
import { assert, assertEquals, assertRejects } from "../../../driver/std.ts";
import { fakeDevice } from "../../cli/fake_parts.ts";
import { READY } from "../fake_process.ts";
import { Bench, MADE_SAFE } from "./driver_bench.ts";

Deno.test("The device is made safe after a crash, and not after the driver did so itself", async () => {
  const outcomes: SafeStateOutcome[] = [];
  const onSafeState = (outcome: SafeStateOutcome): void =>
    void outcomes.push(outcome);
  const crashed = new Bench({ onSafeState });
  await crashed.start();
  await crashed.ready();
  await crashed.die(139, "SIGSEGV");
  assertEquals(crashed.log.includes("safe"), true);
  assertEquals(crashed.driver.status().safeState, "done");
  await crashed.stop();

  const failed = new Bench({ onSafeState });
  await failed.start();
  await failed.ready();
  failed.process.say({
    type: "exit",
    reason: "fault",
    message: "It threw",
    safeState: "done",
  });
  await failed.die(70);
  assertEquals(failed.log.includes("safe"), false);
  assertEquals(failed.driver.status().safeState, "done");
  await failed.stop();
  assertEquals(outcomes.map(({ result, by }) => `${result} by ${by}`), [
    "done by process",
    // The one after it, told to stop.
    "done by driver",
    // The one that threw, and the one after it.
    "done by driver",
    "done by driver",
  ]);
});

Deno.test("Nobody vouches for a device but its driver, or a launcher that never gave it away", () => {
  const end = (parts: Partial<EndOfDriver>): EndOfDriver => ({
    exitClass: "fault",
    safeState: undefined,
    signal: undefined,
    wasReady: true,
    isRefused: false,
    ...parts,
  });
  const unsafe: Partial<EndOfDriver>[] = [
    { exitClass: "native-crash", signal: "SIGSEGV" },
    { exitClass: "hang", signal: "SIGKILL" },
    { exitClass: "sandbox-kill", signal: "SIGSYS" },
    { exitClass: "out-of-memory", signal: "SIGTRAP" },
    { exitClass: "start-crash", signal: "SIGSEGV", wasReady: false },
    { exitClass: "protocol", signal: "SIGKILL" },
    { exitClass: "killed", signal: "SIGKILL" },
    // An unhandled rejection ends with the code of a fault and says no word.
    { exitClass: "fault" },
    // It could not do it in the time it has; a process has more.
    { exitClass: "fault", safeState: "failed" },
    { exitClass: "clean", safeState: "failed" },
    // Its READY was refused: it had the device, and was killed.
    { exitClass: "permission", signal: "SIGKILL", wasReady: false },
    // Ctrl-C reached it while it configured the device.
    { exitClass: "clean", signal: "SIGINT", wasReady: false },
  ];
  const safe: Partial<EndOfDriver>[] = [
    { exitClass: "clean", safeState: "done" },
    { exitClass: "fault", safeState: "done" },
    { exitClass: "config", safeState: "none", wasReady: false },
    { exitClass: "device-gone" },
    { exitClass: "device-gone", safeState: "impossible" },
    // Somebody else holds the interface: nobody of ours had the device.
    { exitClass: "fault", wasReady: false, isRefused: true },
    // A launcher refused: nobody had the device.
    { exitClass: "permission", wasReady: false },
    { exitClass: "config", wasReady: false },
  ];
  for (const parts of unsafe) {
    assert(needsSafeState(end(parts)), JSON.stringify(parts));
  }
  for (const parts of safe) {
    assert(!needsSafeState(end(parts)), JSON.stringify(parts));
  }
});

Deno.test("A driver that declares no safe state is not kept waiting for one", async () => {
  const bench = new Bench({ makeSafe: () => undefined });
  await bench.start();
  await bench.ready();
  await bench.die(139, "SIGSEGV");
  assertEquals(bench.driver.status().safeState, undefined);
  assertEquals(bench.log.slice(-3), ["ready", "backoff", "starting"]);
  await bench.stop();
});

Deno.test("A safe state that fails is told, and the driver is started again all the same", async () => {
  const bench = new Bench();
  bench.safeReport = Promise.resolve({ ...MADE_SAFE, result: "failed" });
  await bench.start();
  await bench.ready();
  await bench.die(137, "SIGKILL");
  await bench.ready();
  assertEquals(
    bench.driver.status().degraded,
    "its last safe state failed",
  );
  await bench.stop();

  const broken = new Bench({
    makeSafe: () => () => Promise.reject(new Error("no process")),
  });
  await broken.start();
  await broken.ready();
  await broken.die(137, "SIGKILL");
  assertEquals(broken.driver.status().safeState, "failed");
  await broken.stop();
});

Deno.test("No driver is started beside a process that makes its device safe, even one that never ends", async () => {
  const bench = new Bench();
  const report = Promise.withResolvers<SafeStateReport>();
  bench.safeReport = report.promise;
  await bench.start();
  await bench.ready();
  await bench.die(137, "SIGKILL");
  assertEquals(bench.driver.state, "stopping");
  await bench.pass(60_000);
  assertEquals(bench.driver.state, "unkillable");
  assertEquals(bench.processes.length, 1);
  report.resolve({ ...MADE_SAFE, result: "failed" });
  await bench.clock.advance(0);
  assertEquals(bench.log.slice(-2), ["backoff", "starting"]);
  await bench.stop();
});

Deno.test("The time a device takes to be made safe belongs to the recovery", async () => {
  const bench = new Bench();
  const report = Promise.withResolvers<SafeStateReport>();
  bench.safeReport = report.promise;
  await bench.start();
  await bench.ready();
  await bench.die(137, "SIGKILL");
  await bench.clock.advance(300);
  report.resolve(MADE_SAFE);
  await bench.clock.advance(100);
  await bench.ready();
  assertEquals(bench.recoveredMs, [400]);
  await bench.stop();
});

Deno.test("A stop during the safe state is heeded after it", async () => {
  const bench = new Bench();
  const safe = Promise.withResolvers<SafeStateReport>();
  bench.safeReport = safe.promise;
  await bench.start();
  await bench.ready();
  await bench.die(137, "SIGKILL");
  const stopped = bench.driver.stop("test over");
  safe.resolve(MADE_SAFE);
  await stopped;
  assertEquals(bench.processes.length, 1);
  assertEquals(bench.clock.pendingTimers, 0);
});

Deno.test("Commands wait for a driver that comes back, if they may be done twice", async () => {
  const bench = new Bench();
  bench.devices = [];
  await bench.start();
  const waiting = bench.driver.call("query", {});
  await assertRejects(() => bench.driver.call("write", {}), UsbError);
  bench.devices = [fakeDevice()];
  await bench.look();
  await bench.ready();
  assertEquals(await waiting, "query");

  bench.devices = [];
  await bench.look();
  const late = assertRejects(
    () => bench.driver.call("query", {}, { timeoutMs: 500 }),
    UsbError,
    "the driver did not come back",
  );
  await bench.clock.advance(500);
  await late;
  const many = Array.from(
    { length: 33 },
    () => bench.driver.call("query", {}).catch((error) => error.code),
  );
  await bench.stop();
  const codes = await Promise.all(many);
  assertEquals(codes.filter((code) => code === "busy").length, 1);
  assertEquals(codes.filter((code) => code === "state").length, 32);
});

Deno.test("The last values stay visible with their age, marked as stale", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.ready();
  bench.process.say({
    type: "event",
    sequence: 1,
    event: "reading",
    data: { volts: 1.25 },
  });
  await bench.clock.advance(0);
  assertEquals(bench.driver.status().values[0]?.stale, false);
  bench.devices = [];
  await bench.look();
  await bench.clock.advance(4_000);
  const [value] = bench.driver.status().values;
  assertEquals(value?.data, { volts: 1.25 });
  assertEquals([value?.stale, value?.ageMs], [true, 4_000]);
  await bench.stop();
});

Deno.test("A device that left before its launcher opened it is waited for; one that somebody holds is tried again", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.ready();
  await bench.pass(10_000);
  bench.devices = [fakeDevice({ id: "1-4#8" })];
  await bench.die(139, "SIGSEGV");
  bench.process.complain("launcher: device-missing: Cannot open it: ENOENT\n");
  await bench.die(77);
  assertEquals(bench.driver.state, "waiting-device");
  assertEquals(bench.driver.history.failures, 1, "The crash alone");
  await bench.look();
  assertEquals(bench.driver.state, "starting");
  bench.process.complain("launcher: interface-busy: It is held\n");
  await bench.die(77);
  assertEquals(bench.driver.state, "backoff");
  assertEquals(bench.log.filter((what) => what === "safe").length, 1);
  await bench.stop();
});

Deno.test("A device that is said to be gone and is still there becomes a fault, not a fast loop", async () => {
  const bench = new Bench();
  await bench.start();
  await bench.die(69);
  assertEquals(bench.driver.state, "waiting-device");
  await bench.look();
  await bench.die(69);
  assertEquals(bench.driver.history.failures, 1);
  await bench.stop();
});

Deno.test("A supervised driver keeps the table and never doubles, whatever happens", async () => {
  for (let seed = 0; seed < 60; seed++) {
    const chance = new Chance(seed);
    const bench = new Bench({ random: chance.next });
    await bench.start();
    for (let step = 0; step < 120; step++) {
      try {
        await randomStep(bench, chance);
      } catch (error) {
        throw new Error(`Seed ${seed}, step ${step}`, { cause: error });
      }
    }
    bench.process.end(0);
    bench.answers = true;
    await bench.stop();
  }
});

async function randomStep(bench: Bench, chance: Chance): Promise<void> {
  const last = bench.processes.at(-1);
  switch (chance.integer(0, 8)) {
    case 0:
      bench.devices = [];
      return await bench.look();
    case 1:
      bench.devices = [fakeDevice({ id: `1-4#${chance.integer(1, 3)}` })];
      return await bench.look();
    case 2:
      last?.say(READY);
      return await bench.clock.advance(0);
    case 3:
      last?.end(chance.pick([0, 1, 69, 70, 77, 78, 134, 139]));
      return await bench.clock.advance(0);
    case 4:
      return await bench.pass(chance.integer(1, 20_000));
    case 5:
      bench.answers = chance.happens(0.8);
      return;
    case 6:
      void bench.driver.stop("chance");
      return await bench.clock.advance(0);
    case 7:
      bench.driver.start();
      return await bench.clock.advance(0);
    case 8:
      last?.sayBytes(new TextEncoder().encode("garbage\n"));
      return await bench.clock.advance(0);
  }
}
