import type { AnyDriver } from "../../driver/driver.ts";
import { defineDriver } from "../../driver/driver.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  type DriverMainOptions,
  type OpenedDevice,
  runDriver,
} from "../../driver/host/driver_main.ts";
import { LineSplitter } from "../../driver/host/line_splitter.ts";
import type { LogSink } from "../../driver/host/log.ts";
import { systemClock } from "../../driver/host/system_clock.ts";
import {
  decodeDriverFrame,
  type DriverFrame,
  encodeFrame,
  type HostFrame,
} from "../../driver/host/wire.ts";
import { MAX_FRAME_BYTES } from "../../driver/limits.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";

const DRIVER: AnyDriver = defineDriver<{ count: number }>({
  name: "test",
  description: "For tests",
  match: [{ vendorId: 0x1209 }],
  interfaces: [{ interfaceNumber: 0 }],
  init: () => ({ count: 0 }),
  start: (_state, context) => context.emit("started", { at: 0 }),
  commands: {
    count: {
      description: "Counts",
      run: (state) => ++state.count,
    },
    large: {
      description: "Answers with more than fits",
      run: () => "x".repeat(MAX_FRAME_BYTES),
    },
    stall: {
      description: "Fails as the world does",
      run: (_state, _params, context) => {
        throw context.device.error("stall", "do it", "stalled");
      },
    },
    bug: {
      description: "Fails as code does",
      run: () => {
        throw new TypeError("a bug");
      },
    },
  },
});

/** A driver process in this one: a host's pipes, and all it said. */
class Bench {
  readonly frames: DriverFrame[] = [];
  readonly log: string[] = [];
  readonly bus = new VirtualBus({ clock: systemClock(), random: () => 0.5 });
  readonly device = new Loopback();
  readonly code: Promise<number>;
  #host: ReadableStreamDefaultController<Uint8Array> | undefined;
  #watch: (() => void) | undefined;

  constructor(options: Partial<DriverMainOptions> = {}) {
    this.bus.plug(this.device);
    const splitter = new LineSplitter();
    const logSink: LogSink = {
      write: (line) => void this.log.push(new TextDecoder().decode(line)),
    };
    this.code = runDriver({
      driver: DRIVER,
      config: {
        instance: "test-1",
        boot: "boot",
        mode: "direct",
        library: "/l",
        nodePath: "/dev/bus/usb/001/002",
        portPath: "1-1",
        busNumber: 1,
        options: {},
      },
      clock: systemClock(),
      seed: 1,
      logSink,
      input: new ReadableStream<Uint8Array>({
        start: (controller) => void (this.#host = controller),
      }),
      output: (bytes) => {
        for (const line of splitter.push(bytes)) {
          this.frames.push(decodeDriverFrame(line));
        }
        this.#watch?.();
        return Promise.resolve();
      },
      pid: 7,
      turn: (fire) => void setImmediate(fire),
      open: () => Promise.resolve(this.opened()),
      ...options,
    });
  }

  opened(): OpenedDevice {
    return {
      port: new SimulatedPort(this.bus),
      sandbox: { mode: "direct", layers: {} },
      versions: { libusb: "0" },
    };
  }

  send(frame: HostFrame): void {
    this.#host?.enqueue(encodeFrame(frame));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#host?.enqueue(bytes);
  }

  hangUp(): void {
    this.#host?.close();
  }

  /** The next frame of a type, also one that came already. */
  async frame<Type extends DriverFrame["type"]>(
    type: Type,
  ): Promise<Extract<DriverFrame, { readonly type: Type }>> {
    for (;;) {
      const found = this.frames.find((frame) => frame.type === type);
      if (found !== undefined) {
        this.frames.splice(this.frames.indexOf(found), 1);
        return found as Extract<DriverFrame, { readonly type: Type }>;
      }
      await new Promise<void>((resolve) => this.#watch = resolve);
    }
  }

  async call(command: string): Promise<unknown> {
    this.send({ type: "command", id: 1, command, params: {} });
    const { value, failure } = await this.frame("result");
    return failure?.code ?? value;
  }

  async stop(): Promise<number> {
    this.send({ type: "stop", reason: "test" });
    const code = await this.code;
    this.bus.close();
    return code;
  }
}

Deno.test("A driver process says hello, its states, READY and its events, and stops with 0", async () => {
  const bench = new Bench();
  const { device, sandbox } = await bench.frame("ready");
  assertEquals([device.vid, device.path, sandbox.mode], [
    "1209",
    "1-1",
    "direct",
  ]);
  assertEquals((await bench.frame("hello")).wire, 1);
  assertEquals((await bench.frame("event")).event, "started");
  await bench.frame("heartbeat");
  assertEquals(await bench.stop(), 0);
  assertEquals((await bench.frame("exit")).reason, "clean");
  const lines = bench.log.map((line) => JSON.parse(line));
  assertEquals(lines.map((line) => line.seq), lines.map((_, at) => at + 1));
  assertEquals(new Set(lines.map((line) => line.run)).size, 1);
  const another = new Bench({ seed: 2 });
  await another.frame("ready");
  await another.stop();
  assert(JSON.parse(another.log[0] ?? "").run !== lines[0].run);
  assert(lines.some((line) => line.event === "driver.ready"));
});

Deno.test("A driver process answers commands, each with its value or failure", async () => {
  const bench = new Bench();
  await bench.frame("ready");
  assertEquals(await bench.call("count"), 1);
  assertEquals(await bench.call("count"), 2);
  assertEquals(await bench.call("stall"), "stall");
  assertEquals(await bench.call("unknown"), "refused");
  assertEquals(await bench.call("large"), "overflow");
  assertEquals(await bench.call("count"), 3);
  assertEquals(await bench.stop(), 0);
});

Deno.test("A driver process whose command throws what is no UsbError ends with 70", async () => {
  const bench = new Bench();
  await bench.frame("ready");
  assertEquals(await bench.call("bug"), "bug");
  assertEquals(await bench.code, 70);
  const { reason, message } = await bench.frame("exit");
  assertEquals(reason, "fault");
  assertStringIncludes(message, "a bug");
  bench.bus.close();
});

Deno.test("A driver process whose host is gone stops in order", async () => {
  const bench = new Bench();
  await bench.frame("ready");
  bench.hangUp();
  assertEquals(await bench.code, 0);
  bench.bus.close();
});

Deno.test("A driver process whose host sends what is no frame stops in order", async () => {
  const bench = new Bench();
  await bench.frame("ready");
  bench.sendBytes(new TextEncoder().encode("garbage\n"));
  assertEquals(await bench.code, 0);
  bench.bus.close();
});

Deno.test("A driver process that is told that its device left ends with 69", async () => {
  const bench = new Bench();
  await bench.frame("ready");
  bench.send({ type: "gone" });
  assertEquals(await bench.code, 69);
  assertEquals((await bench.frame("exit")).reason, "deviceGone");
  bench.bus.close();
});

Deno.test("A driver process that cannot open its device says why, with a code for each reason", async () => {
  const reasons = [["access", 77], ["noDevice", 69], ["library", 78]] as const;
  for (const [code, exitCode] of reasons) {
    const bench = new Bench({
      open: () =>
        Promise.reject(
          new UsbError({
            code,
            operation: "open it",
            reason: "it is not to be",
          }),
        ),
    });
    assertEquals(await bench.code, exitCode);
    const exit = await bench.frame("exit");
    assertEquals(exit.failure?.code, code);
    assertStringIncludes(exit.message, "Cannot open it");
    bench.bus.close();
  }
});

Deno.test("A driver process goes on when its log cannot be written", async () => {
  const bench = new Bench({
    logSink: {
      write: () => {
        throw new Error("No space left on device (os error 28)");
      },
    },
  });
  await bench.frame("ready");
  assertEquals(await bench.call("count"), 1);
  assertEquals(await bench.stop(), 0);
});

Deno.test("A driver process counts its transfers in each heartbeat, and the rest in its last frame", async () => {
  const setup = {
    requestType: "vendor",
    recipient: "device",
    request: 99,
    value: 0,
    index: 0,
  } as const;
  const driver: AnyDriver = {
    ...DRIVER,
    start: async (_state, { device }) => {
      await device.controlIn(setup, 8).catch(() => {});
    },
    stop: async (_state, { device }) => {
      await device.controlIn(setup, 8).catch(() => {});
    },
  };
  const bench = new Bench({ driver });
  await bench.frame("ready");
  // Beats begin with the loop: one may come before the driver has started.
  let { telemetry } = await bench.frame("heartbeat");
  while (telemetry?.endpoints.length === 0) {
    ({ telemetry } = await bench.frame("heartbeat"));
  }
  assertEquals(telemetry?.endpoints[0]?.type, "control");
  assertEquals(telemetry?.endpoints[0]?.ended, { stall: 1 });
  assertEquals(telemetry?.durations.control?.counts.length, 15);
  assert((telemetry?.logged.lines.info ?? 0) > 0);
  assertEquals(await bench.stop(), 0);
  const last = (await bench.frame("exit")).telemetry;
  assertEquals(last?.endpoints[0]?.ended, { stall: 2 });
});

Deno.test("A driver process tells its host what it logs, bounded, and debug lines to the file only", async () => {
  const driver: AnyDriver = {
    ...DRIVER,
    start: (_state, context) => {
      context.log("warn", "meter.late", "Late", { "late_ms": 3 });
      context.log("debug", "meter.raw", "for the file");
      for (let time = 0; time < 12; time++) {
        context.log("info", "meter.again", "Again");
      }
      context.log("error", "x".repeat(1_000), "y".repeat(20_000), {
        short: 1,
        long: "z".repeat(20_000),
      });
    },
  };
  const bench = new Bench({ driver });
  await bench.frame("ready");
  assertEquals(await bench.stop(), 0);
  const told = bench.frames.filter((frame) => frame.type === "log");
  const of = (event: string) => told.filter((line) => line.event === event);
  assertEquals(of("meter.late"), [{
    type: "log",
    level: "warn",
    event: "meter.late",
    message: "Late",
    fields: { "late_ms": 3 },
  }]);
  assertEquals(of("meter.raw"), []);
  assertEquals(
    of("meter.again").map(({ fields }) => fields?.["repeated"] ?? 1),
    [1, 10],
  );
  assertEquals(of("x".repeat(128))[0]?.fields, { short: 1 });
  assert(of("driver.ready").length === 1, "its own lines, too");
});
