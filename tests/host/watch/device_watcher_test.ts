import { DeviceWatcher } from "../../../driver/host/device_watcher.ts";
import { UsbError } from "../../../driver/errors.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { fakeDevice } from "../../cli/fake_parts.ts";
import { HELLO, listOf, WatchProcess } from "./watch_process.ts";

/** A watcher whose processes are in the test's hands. */
class Bench {
  readonly clock = new VirtualClock();
  readonly processes: WatchProcess[] = [];
  spawnError: Error | undefined;
  changes = 0;
  readonly watcher = new DeviceWatcher({
    clock: this.clock,
    random: () => 0.5,
    spawn: () => {
      if (this.spawnError !== undefined) throw this.spawnError;
      const process = new WatchProcess();
      this.processes.push(process);
      return process;
    },
  });

  get process(): WatchProcess {
    const last = this.processes.at(-1);
    assert(last !== undefined, "A process was started");
    return last;
  }

  /** Started, with one device on the bus. */
  static async watching(): Promise<Bench> {
    const bench = new Bench();
    bench.watcher.subscribe(() => bench.changes++);
    const started = bench.watcher.start();
    bench.process.tell(HELLO, ...listOf([fakeDevice()]));
    await started;
    return bench;
  }

  /** Lets time pass, with a beat each half second. */
  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 500) {
      this.process.tell({ type: "beat", sequence: passedMs });
      await this.clock.advance(Math.min(500, durationMs - passedMs));
    }
  }

  ids(): Promise<string[]> {
    return this.watcher.devices().then((devices) =>
      devices.map(({ id }) => id)
    );
  }

  async close(): Promise<void> {
    const closed = this.watcher.close();
    await this.clock.advance(2_000);
    await closed;
    assertEquals(this.clock.pendingTimers, 0, "No timer outlives a watcher");
  }
}

Deno.test("A watcher tells the library and the first whole list, then each change", async () => {
  const bench = new Bench();
  const started = bench.watcher.start();
  await assertRejects(
    () => bench.watcher.devices(),
    Error,
    "not looked at yet",
  );
  bench.process.tell(HELLO, { type: "list", sequence: 1, count: 1 });
  await bench.clock.advance(0);
  await assertRejects(
    () => bench.watcher.devices(),
    Error,
    "not looked at yet",
  );
  bench.process.tell(...listOf([fakeDevice()]).slice(1));
  assertEquals((await started).libraryVersion, "1.0.30");
  assertEquals(await bench.ids(), ["1-4#7"]);
  let changes = 0;
  const stop = bench.watcher.subscribe(() => changes++);
  bench.process.tell(...listOf([], 2));
  await bench.clock.advance(0);
  assertEquals([await bench.ids(), changes], [[], 1]);
  bench.process.tell({ type: "beat", sequence: 1 });
  await bench.clock.advance(0);
  assertEquals(changes, 1, "A beat is no change");
  stop();
  await bench.close();
});

Deno.test("A process that ends is started again at once, then with growing pauses; nobody says that its list is fresh", async () => {
  const bench = await Bench.watching();
  bench.process.end(139, "SIGSEGV");
  await bench.clock.advance(0);
  assertEquals([bench.processes.length, bench.watcher.state], [2, "starting"]);
  const error = await assertRejects(() => bench.watcher.devices(), Error);
  assertStringIncludes(error.message, "its process ended (SIGSEGV)");
  bench.process.end(1);
  await bench.clock.advance(99);
  assertEquals([bench.processes.length, bench.watcher.state], [2, "pausing"]);
  await bench.clock.advance(2);
  assertEquals(bench.processes.length, 3);
  for (let count = 0; count < 40; count++) {
    bench.process.end(1);
    await bench.clock.advance(10_000);
  }
  assertEquals(bench.processes.length, 43, "It is tried for ever");
  bench.process.tell(HELLO, ...listOf([fakeDevice({ id: "1-4#9" })]));
  await bench.clock.advance(0);
  assertEquals(await bench.ids(), ["1-4#9"]);
  await bench.close();
});

Deno.test("A process that was healthy for a minute is started again at once", async () => {
  const bench = await Bench.watching();
  for (let count = 1; count < 4; count++) {
    await bench.pass(60_000);
    bench.process.end(1);
    await bench.clock.advance(0);
    assertEquals(bench.processes.length, count + 1);
    bench.process.tell(HELLO, ...listOf([]));
    await bench.clock.advance(0);
  }
  await bench.close();
});

Deno.test("A process that falls silent is killed within two seconds and replaced", async () => {
  const bench = await Bench.watching();
  await bench.pass(10_000);
  assertEquals(bench.processes.length, 1);
  await bench.clock.advance(2_000);
  assertEquals(bench.processes[0]?.signals, ["SIGKILL"]);
  assertEquals(bench.processes.length, 2);
  await assertRejects(
    () => bench.watcher.devices(),
    Error,
    "it fell silent and was killed",
  );
  assertEquals(bench.changes, 2, "The first list, and that it is stale");
  await bench.close();
});

Deno.test("What is no frame, or says more than it announced, ends a process", async () => {
  const device = listOf([fakeDevice()]).slice(1);
  const [told] = device;
  const wrong: readonly (readonly [string, string])[] = [
    ["garbage", "it is no JSON"],
    ['{"type":"format-disk"}', "frame.type"],
    ['{"type":"list","sequence":1,"count":1000000}', "list.count"],
    [JSON.stringify({ ...told, nodePath: "/dev/sda" }), "device.nodePath"],
    [
      JSON.stringify({ ...told, nodePath: "/dev/bus/usb/001/002,/etc" }),
      "device.nodePath",
    ],
    [JSON.stringify({ ...told, portPath: "../1-1" }), "device.portPath"],
    [JSON.stringify({ ...HELLO, watch: 2 }), "hello.watch"],
    [" ".repeat(20_000), "longer than 16384 bytes"],
  ];
  for (const [line, why] of wrong) {
    const bench = await Bench.watching();
    bench.process.sayBytes(new TextEncoder().encode(`${line}\n`));
    await bench.clock.advance(0);
    assertEquals(bench.processes[0]?.signals, ["SIGKILL"], line.slice(0, 80));
    await assertRejects(() => bench.watcher.devices(), Error, why);
    await bench.close();
  }
});

Deno.test("A device without a list is of none, and a list without a hello of nobody", async () => {
  const bench = await Bench.watching();
  bench.process.tell(...listOf([fakeDevice({ id: "1-9#9" })]).slice(1));
  await bench.clock.advance(0);
  assertEquals(await bench.ids(), ["1-4#7"]);
  await bench.close();

  const mute = new Bench();
  const started = assertRejects(() => mute.watcher.start(), UsbError);
  mute.process.tell(...listOf([]));
  await mute.clock.advance(0);
  await started;
  await mute.close();
});

Deno.test("What keeps the first process from watching is told with what to do", async () => {
  const bench = new Bench();
  const started = assertRejects(() => bench.watcher.start(), UsbError);
  bench.process.tell({
    type: "failed",
    code: "library",
    message: "Cannot find libusb-1.0: there is none",
    advice: "Install libusb",
  });
  bench.process.end(78);
  await bench.clock.advance(0);
  const { code, advice, message } = await started;
  assertEquals([code, advice], ["library", "Install libusb"]);
  assertStringIncludes(message, "Cannot find libusb-1.0");
  await bench.close();

  const unstarted = new Bench();
  unstarted.spawnError = new Error("no such program");
  await assertRejects(
    () => unstarted.watcher.start(),
    UsbError,
    "it cannot be started: Error: no such program",
  );
  await unstarted.close();
});

Deno.test("A process that lists nothing in time is killed", async () => {
  const bench = new Bench();
  const started = assertRejects(() => bench.watcher.start(), UsbError);
  bench.process.tell(HELLO);
  await bench.clock.advance(10_000);
  await started;
  assertEquals(bench.processes[0]?.signals, ["SIGKILL"]);
  await bench.close();
});

Deno.test("A watcher ends its process by the end of its input, and kills one that stays", async () => {
  const bench = await Bench.watching();
  await bench.close();
  assertEquals([bench.process.isInputEnded, bench.process.signals], [true, []]);

  const stubborn = await Bench.watching();
  stubborn.process.obeys = false;
  await stubborn.close();
  assertEquals(stubborn.process.signals, ["SIGKILL"]);
  assertEquals(stubborn.processes.length, 1, "Nothing is started any more");
});
