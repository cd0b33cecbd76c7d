import {
  DriverRunner,
  type RunnerOptions,
  type RunnerState,
} from "../../driver/host/driver_runner.ts";
import { settle, VirtualClock } from "../../driver/loop/clock.ts";
import type { DeviceInfo } from "../../driver/port.ts";
import { assertEquals, assertRejects } from "../../driver/std.ts";
import { fakeDevice } from "../cli/fake_parts.ts";
import { FakeProcess, READY } from "./fake_process.ts";

/** A runner on a bus of at most one device, each process in the test's hands. */
class Bench {
  readonly clock = new VirtualClock();
  readonly states: RunnerState[] = [];
  readonly processes: FakeProcess[] = [];
  device: DeviceInfo | undefined = fakeDevice();
  readonly runner: DriverRunner;

  constructor(options: Partial<RunnerOptions> = {}) {
    this.runner = new DriverRunner({
      clock: this.clock,
      random: () => 0.5,
      find: () => Promise.resolve(this.device),
      spawn: () => {
        const process: FakeProcess = new FakeProcess((frame) => {
          if (frame.type === "stop") process.end(0);
        });
        this.processes.push(process);
        return Promise.resolve(process);
      },
      onState: (state) => this.states.push(state),
      // Nobody beats in these tests.
      process: { missedBeatsMax: 1_000_000 },
      ...options,
    });
  }

  get process(): FakeProcess {
    const last = this.processes.at(-1);
    if (last === undefined) throw new Error("No process was started");
    return last;
  }

  async ready(): Promise<void> {
    await this.clock.advance(0);
    this.process.say(READY);
    await this.clock.advance(0);
  }

  async die(code: number): Promise<void> {
    this.process.end(code);
    await this.clock.advance(0);
  }
}

Deno.test("A runner goes from starting to ready and stops in order", async () => {
  const bench = new Bench();
  const outcome = bench.runner.run();
  await bench.ready();
  bench.runner.stop("Ctrl-C");
  assertEquals((await outcome).kind, "stopped");
  assertEquals(bench.states, ["starting", "ready", "stopping", "stopped"]);
});

Deno.test("A runner without its device ends at once, and waits when it is patient", async () => {
  const hasty = new Bench();
  hasty.device = undefined;
  assertEquals((await hasty.runner.run()).kind, "absent");

  const patient = new Bench({ isPatient: true });
  patient.device = undefined;
  const outcome = patient.runner.run();
  await patient.clock.advance(60_000);
  assertEquals(patient.states, ["waiting-device"]);
  patient.device = fakeDevice();
  await patient.clock.advance(250);
  assertEquals(patient.states, ["waiting-device", "starting"]);
  patient.runner.stop("done");
  assertEquals((await outcome).kind, "stopped");
});

Deno.test("A runner whose driver fails before it was ever ready gives up at once", async () => {
  const bench = new Bench();
  const outcome = bench.runner.run();
  await bench.clock.advance(0);
  await bench.die(1);
  const { kind, end } = await outcome;
  assertEquals([kind, end?.exitClass], ["failed", "fault"]);
});

Deno.test("A runner starts a failed driver at once, then after a pause", async () => {
  const bench = new Bench();
  const outcome = bench.runner.run();
  await bench.ready();
  await bench.die(70);
  assertEquals(bench.processes.length, 2);
  await bench.ready();
  await bench.die(70);
  assertEquals([bench.processes.length, bench.runner.state], [2, "backoff"]);
  await bench.clock.advance(100);
  assertEquals(bench.processes.length, 3);
  bench.runner.stop("done");
  assertEquals((await outcome).kind, "stopped");
});

Deno.test("A runner follows an unplugged device and is ready within a second of its return", async () => {
  const bench = new Bench();
  const outcome = bench.runner.run();
  await bench.ready();
  bench.device = undefined;
  await bench.die(69);
  await bench.clock.advance(10_000);
  assertEquals(bench.runner.state, "waiting-device");
  assertEquals(bench.processes.length, 1);
  bench.device = fakeDevice({ deviceAddress: 8 });
  await bench.clock.advance(1_000);
  assertEquals(bench.processes.length, 2);
  await bench.ready();
  assertEquals(bench.runner.state, "ready");
  bench.runner.stop("done");
  await outcome;
});

Deno.test("A runner does not retry wrong configuration and refused access", async () => {
  for (const code of [77, 78]) {
    const bench = new Bench();
    const outcome = bench.runner.run();
    await bench.ready();
    await bench.die(code);
    assertEquals((await outcome).kind, "failed");
  }
});

Deno.test("A runner puts a driver that fails again and again in quarantine", async () => {
  const bench = new Bench({ random: () => 0 });
  const outcome = bench.runner.run();
  for (let time = 0; time < 11; time++) {
    await bench.ready();
    await bench.die(70);
    await bench.clock.advance(1);
  }
  assertEquals(bench.runner.state, "quarantined");
  await bench.clock.advance(299_990);
  assertEquals(bench.processes.length, 11);
  await bench.clock.advance(10);
  assertEquals(bench.processes.length, 12);
  bench.runner.stop("done");
  await outcome;
});

Deno.test("A runner that is stopped in any wait starts nothing more", async () => {
  const bench = new Bench();
  const outcome = bench.runner.run();
  await bench.ready();
  await bench.die(70);
  await bench.ready();
  await bench.die(70);
  assertEquals(bench.runner.state, "backoff");
  bench.runner.stop("Ctrl-C");
  assertEquals((await outcome).kind, "stopped");
  assertEquals(bench.processes.length, 2);
  assertEquals(bench.clock.pendingTimers, 0);
});

Deno.test("A runner whose driver must be killed at its stop says that it failed", async () => {
  const bench = new Bench({
    spawn: () => {
      const process = new FakeProcess();
      bench.processes.push(process);
      return Promise.resolve(process);
    },
  });
  const outcome = bench.runner.run();
  await bench.ready();
  bench.runner.stop("Ctrl-C");
  await bench.clock.advance(2_000);
  const { kind, end } = await outcome;
  assertEquals([kind, end?.exitClass], ["failed", "hang"]);
});

Deno.test("A runner refuses commands while no driver is there", async () => {
  const bench = new Bench();
  await assertRejects(() => bench.runner.call("query", {}), Error, "stopped");
  await settle();
});

Deno.test("A runner that may not open the node yet tries again, once it was ready", async () => {
  let isRefused = false;
  const bench: Bench = new Bench({
    spawn: () => {
      if (isRefused) return Promise.reject(new Error("Cannot open: no right"));
      const process = new FakeProcess();
      bench.processes.push(process);
      return Promise.resolve(process);
    },
  });
  const outcome = bench.runner.run();
  await bench.ready();
  isRefused = true;
  await bench.die(69);
  await bench.clock.advance(1_000);
  assertEquals(bench.runner.state, "waiting-device");
  isRefused = false;
  await bench.clock.advance(250);
  assertEquals(bench.runner.state, "starting");
  bench.runner.kill();
  await outcome;
});

Deno.test("A runner that may not open the node at first says so and ends", async () => {
  const bench = new Bench({
    spawn: () => Promise.reject(new Error("Cannot open: no right")),
  });
  await assertRejects(() => bench.runner.run(), Error, "no right");
});

Deno.test("A runner tells an idle driver that its device left, even when it is back already", async () => {
  const bench = new Bench();
  const outcome = bench.runner.run();
  await bench.ready();
  bench.device = fakeDevice({ id: "1-4#8", deviceAddress: 8 });
  await bench.clock.advance(500);
  assertEquals(bench.process.received, [{ type: "gone" }]);
  await bench.die(69);
  await bench.clock.advance(250);
  assertEquals(bench.processes.length, 2);
  bench.runner.kill();
  await outcome;
});

Deno.test("A runner kills a driver that clings to a device that left", async () => {
  const bench = new Bench();
  const outcome = bench.runner.run();
  await bench.ready();
  bench.device = undefined;
  await bench.clock.advance(2_500);
  assertEquals(bench.process.signals, ["SIGKILL"]);
  bench.runner.stop("done");
  await outcome;
});

Deno.test("A runner does not take a bus it cannot read for an unplugged device", async () => {
  let isBroken = false;
  const bench: Bench = new Bench({
    find: () =>
      isBroken
        ? Promise.reject(new Error("2 devices fit"))
        : Promise.resolve(bench.device),
  });
  const outcome = bench.runner.run();
  await bench.ready();
  isBroken = true;
  await bench.clock.advance(5_000);
  assertEquals(bench.process.received, []);
  bench.runner.stop("done");
  await outcome;
});
