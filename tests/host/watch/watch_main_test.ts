import { deviceOf } from "../../../driver/host/watched_device.ts";
import {
  decodeWatchFrame,
  encodeWatchFrame,
  type WatchDevice,
  watchedDevice,
  type WatchFrame,
  type WatchHello,
} from "../../../driver/host/watch_frames.ts";
import { watchBus } from "../../../driver/host/watch_main.ts";
import { WireError } from "../../../driver/host/wire_check.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import { settle, VirtualClock } from "../../../driver/loop/clock.ts";
import { matches } from "../../../driver/match.ts";
import { BootMouse } from "../../../driver/sim/devices/boot_mouse.ts";
import { CdcAcmEcho } from "../../../driver/sim/devices/cdc_acm_echo.ts";
import { Loopback } from "../../../driver/sim/devices/loopback.ts";
import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import { SimulatedPort } from "../../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../../driver/sim/virtual_bus.ts";
import { assert, assertEquals, assertRejects } from "../../../driver/std.ts";
import { HELLO } from "./watch_process.ts";

/** A watching process without a process, on a bus of the test's. */
class Bench {
  readonly clock = new VirtualClock();
  readonly bus = new VirtualBus({ clock: this.clock, random: () => 0.5 });
  readonly port = new SimulatedPort(this.bus);
  readonly frames: WatchFrame[] = [];
  readonly #input = new TransformStream<Uint8Array, Uint8Array>();
  readonly ended: Promise<void>;
  outputError: Error | undefined;

  constructor() {
    this.ended = watchBus({
      port: this.port,
      hello: HELLO as WatchHello,
      clock: this.clock,
      input: this.#input.readable,
      output: (bytes) => this.#write(bytes),
    });
    this.ended.catch(() => {});
  }

  #write(bytes: Uint8Array): Promise<void> {
    if (this.outputError !== undefined) return Promise.reject(this.outputError);
    const lines = new TextDecoder().decode(bytes).trimEnd().split("\n");
    for (const line of lines) {
      this.frames.push(decodeWatchFrame(new TextEncoder().encode(line)));
    }
    return Promise.resolve();
  }

  /** What was told since the last time, in short. */
  told(): string[] {
    return this.frames.splice(0).map((frame) => {
      if (frame.type === "list") return `list of ${frame.count}`;
      return frame.type === "device" ? frame.id : frame.type;
    });
  }

  async close(): Promise<void> {
    await this.#input.writable.close();
    await this.ended;
    await this.port.close();
  }
}

Deno.test("The whole list is told at first and at each change, and a beat after each look", async () => {
  const bench = new Bench();
  bench.bus.plug(new Loopback());
  await settle();
  assertEquals(bench.told(), ["hello", "list of 1", "1-1#2"]);
  await bench.clock.advance(1_000);
  assertEquals(bench.told(), ["beat", "beat"]);
  const mouse = new BootMouse();
  bench.bus.plug(mouse);
  await bench.clock.advance(100);
  assertEquals(bench.told(), ["list of 2", "1-1#2", "1-2#3"]);
  bench.bus.unplug(mouse);
  await bench.clock.advance(100);
  assertEquals(bench.told(), ["list of 1", "1-1#2"]);
  await bench.close();
  assertEquals(bench.clock.pendingTimers, 0);
});

Deno.test("A process that nobody reads any more ends", async () => {
  const bench = new Bench();
  await settle();
  bench.outputError = new Deno.errors.BrokenPipe("nobody reads");
  const ended = assertRejects(() => bench.ended, Deno.errors.BrokenPipe);
  await bench.clock.advance(500);
  await ended;
  await bench.port.close();
});

Deno.test("A device that was told is matched as the one that was listed", async () => {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: () => 0.5 });
  for (
    const device of [
      new Loopback(),
      new BootMouse(),
      new CdcAcmEcho(),
      new VirtualMultimeter(),
    ]
  ) bus.plug(device);
  await using port = new SimulatedPort(bus);
  for (const listed of await port.devices()) {
    const frame = decodeWatchFrame(
      encodeWatchFrame(watchedDevice(listed)).subarray(0, -1),
    );
    assert(frame.type === "device", "A device is told as one");
    const told = deviceOf(frame);
    const { configurations: _a, ...plain } = told;
    const { configurations: _b, ...wanted } = listed;
    assertEquals(plain, wanted);
    for (let code = 0; code < 256; code++) {
      const match = { interfaceClass: code };
      assertEquals(matches(told, match), matches(listed, match));
    }
    const numbers = (device: typeof listed): unknown[] =>
      device.configurations.map(({ configurationValue, interfaces }) => [
        configurationValue,
        interfaces.map(({ interfaceNumber }) => interfaceNumber),
      ]);
    assertEquals(numbers(told), numbers(listed));
  }
});

Deno.test("A hostile device is told within bounds", async () => {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: () => 0.5 });
  bus.plug(new Loopback());
  await using port = new SimulatedPort(bus);
  const [device] = await port.devices();
  const [configuration] = device?.configurations ?? [];
  const [first] = configuration?.interfaces ?? [];
  const [alternate] = first?.alternates ?? [];
  assert(device && configuration && first && alternate);
  const alternates = Array.from({ length: 5_000 }, (_, index) => ({
    ...alternate,
    interfaceClass: index & 0xff,
    interfaceSubclass: index >> 8,
  }));
  const frame = encodeWatchFrame(watchedDevice({
    ...device,
    manufacturer: "\u0000".repeat(5_000),
    product: "\u0001".repeat(5_000),
    serialNumber: "\u0002".repeat(5_000),
    configurations: new Array(8).fill({
      ...configuration,
      interfaces: [{ ...first, alternates }],
    }),
  }));
  assert(frame.length < 16 * 1024, `${frame.length} bytes`);
  assertEquals(decodeWatchFrame(frame.subarray(0, -1)).type, "device");
});

Deno.test("Any bytes are a frame or a WireError", async () => {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: () => 0.5 });
  bus.plug(new VirtualMultimeter());
  await using port = new SimulatedPort(bus);
  const [device] = await port.devices();
  assert(device !== undefined);
  const sound: WatchDevice = watchedDevice(device);
  const line = encodeWatchFrame(sound).subarray(0, -1);
  for (let seed = 0; seed < 3_000; seed++) {
    const chance = new Chance(seed);
    const bytes = line.slice();
    for (let time = chance.integer(1, 5); time > 0; time--) {
      bytes[chance.integer(0, bytes.length - 1)] = chance.integer(0, 255);
    }
    try {
      const frame = decodeWatchFrame(bytes);
      if (frame.type === "device") deviceOf(frame);
    } catch (error) {
      if (!(error instanceof WireError)) {
        throw new Error(`Seed ${seed}`, { cause: error });
      }
    }
  }
});
