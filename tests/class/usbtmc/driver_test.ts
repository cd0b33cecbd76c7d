import usbtmc from "../../../driver/class/usbtmc/driver.ts";
import type { Json } from "../../../driver/driver.ts";
import { UsbError } from "../../../driver/errors.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import { Session } from "../../../driver/loop/session.ts";
import { matches } from "../../../driver/match.ts";
import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import { SimulatedPort } from "../../../driver/sim/simulated_port.ts";
import {
  type PluggedDevice,
  seededRandom,
  VirtualBus,
} from "../../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../../driver/sim/virtual_device.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
} from "../../../driver/std.ts";
import { settled } from "./bench.ts";

/** A driver at work on an instrument. */
interface Running extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly bus: VirtualBus;
  readonly plugged: PluggedDevice;
  readonly session: Session;
  readonly events: readonly Event[];
  readonly lines: readonly string[];
  named(event: string): readonly Readonly<Record<string, Json>>[];
  command(name: string, params?: Json): Promise<Json>;
  stop(): Promise<void>;
}

interface Event {
  readonly event: string;
  readonly data: Readonly<Record<string, Json>>;
}

async function run(
  instrument: VirtualDevice,
  options: Json = {},
): Promise<Running> {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: seededRandom(1) });
  const plugged = bus.plug(instrument);
  const port = new SimulatedPort(bus);
  const events: Event[] = [];
  const lines: string[] = [];
  const session = new Session({
    driver: usbtmc,
    port,
    clock,
    random: seededRandom(2),
    options,
    log: (level, event, message) =>
      void lines.push(`${level} ${event}: ${message}`),
    emit: (event, data) => events.push({ event, data }) > 0,
    yieldTurn: () =>
      new Promise((resolve) => void clock.setTimer(0, () => resolve())),
  });
  const stop = (): Promise<void> =>
    settled(
      clock,
      session.stop().then(() => session.ended).then(() => {}),
    );
  await settled(clock, session.start());
  return {
    clock,
    bus,
    plugged,
    session,
    events,
    lines,
    named: (name) =>
      events.filter(({ event }) => event === name).map(({ data }) => data),
    command: (name, params = {}) =>
      settled(clock, session.command(name, params)),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await settled(clock, port.close());
      bus.close();
    },
  };
}

Deno.test("Driver matches an instrument by class, and nothing else", async () => {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: seededRandom(1) });
  bus.plug(new VirtualMultimeter());
  await using port = new SimulatedPort(bus);
  const [info] = await port.devices();
  assert(info !== undefined);
  assert(usbtmc.match.some((match) => matches(info, match)));
  const other = { ...info, configurations: [] };
  assert(!usbtmc.match.some((match) => matches(other, match)));
});

Deno.test("Driver identifies the instrument at start and serves its commands", async () => {
  await using running = await run(new VirtualMultimeter());
  assert(running.lines.some((line) => line.includes("usbtmc.identified")));
  assertEquals(await running.command("query", { command: "*OPC?" }), "1");
  assertEquals(await running.command("identify"), {
    manufacturer: "Driver Space",
    model: "VM65",
    serialNumber: "DS0001",
    firmware: "1.0",
  });
  await running.command("write", { command: "*ESE 1;*ESE?" });
  assertEquals(await running.command("read"), {
    text: "1\n",
    endOfMessage: true,
  });
  assertEquals(
    await running.command("read-block", { command: "DATA:BLOC? 3" }),
    { lengthBytes: 3, data: btoa("\x00\x01\x02") },
  );
  assertEquals(await running.command("read-status-byte"), 0);
  await running.command("pulse");
  await running.command("clear");
});

Deno.test("Driver refuses parameters out of range before the instrument sees them", async () => {
  await using running = await run(new VirtualMultimeter());
  await assertRejects(() => running.command("query", {}), TypeError);
  await assertRejects(
    () => running.command("read", { "max-bytes": 0 }),
    RangeError,
  );
  for (const command of ["\u2126?", ""]) {
    const error = await assertRejects(
      () => running.command("query", { command }),
      UsbError,
    );
    assertEquals(error.code, "invalidParameter");
  }
  assertEquals(await running.command("query", { command: "*OPC?" }), "1");
});

Deno.test("Driver polls at its interval and tells values with their unit", async () => {
  await using running = await run(new VirtualMultimeter(), {
    "poll": "MEAS:VOLT:DC?",
    "poll-interval-ms": 100,
  });
  await running.clock.advance(1_000);
  const readings = running.named("reading");
  assertGreater(readings.length, 8);
  for (const { value, unit, raw } of readings) {
    assertAlmostEquals(Number(value), 5, 1e-3);
    assertEquals(unit, "V");
    assertMatch(String(raw), /^\+\d\.\d{8}E\+00$/);
  }
});

Deno.test("Driver lets the instrument request service when a poll is done, then fetches", async () => {
  await using running = await run(new VirtualMultimeter(), {
    "poll": "INIT",
    "poll-interval-ms": 100,
    "service-request": true,
    "unit": "V",
  });
  await running.clock.advance(1_000);
  const readings = running.named("reading");
  const requests = running.named("service-request");
  assertGreater(readings.length, 8);
  // The last one may not be served yet.
  assert(requests.length - readings.length <= 1);
  // RQS and ESB; nothing else was enabled.
  for (const { statusByte } of requests) assertEquals(statusByte, 0x60);
  assertEquals(running.named("error"), []);
});

Deno.test("Driver reads the answer of a polled query when service is requested", async () => {
  await using running = await run(new VirtualMultimeter(), {
    "poll": "READ?",
    "poll-interval-ms": 100,
    "service-request": true,
  });
  await running.clock.advance(1_000);
  assertGreater(running.named("reading").length, 8);
  assertEquals(running.named("error"), []);
});

Deno.test("Driver tells what the instrument's error queue holds", async () => {
  await using running = await run(new VirtualMultimeter(), {
    "service-request": true,
  });
  await running.command("write", { command: "NONSENSE" });
  await running.clock.advance(100);
  assertEquals(running.named("error"), [
    { number: -113, message: "Undefined header" },
  ]);
  assertEquals(running.named("service-request").length, 1);
});

Deno.test("Driver goes on after a command that times out", async () => {
  await using running = await run(new VirtualMultimeter(), {
    "timeout-ms": 200,
  });
  const error = await assertRejects(
    () => running.command("read"),
    UsbError,
  );
  assertEquals(error.code, "timedOut");
  assertEquals(await running.command("query", { command: "*OPC?" }), "1");
  assert(running.lines.some((line) => line.includes("after abort")));
});

Deno.test("Driver gets back into step after a command whose deadline passed", async () => {
  await using running = await run(new VirtualMultimeter(), {
    "timeout-ms": 8_000,
  });
  await running.command("write", {
    command: ":VOLT:NPLC 100;:SAMP:COUN 9",
  });
  const error = await assertRejects(
    () =>
      settled(
        running.clock,
        running.session.command("query", { command: "READ?" }, {
          timeoutMs: 500,
        }),
      ),
    UsbError,
  );
  assertEquals(error.code, "timedOut");
  assertEquals(await running.command("query", { command: "*ESE?" }), "0");
});

Deno.test("Driver gives the front panel back when it stops", async () => {
  const meter = new VirtualMultimeter();
  const running = await run(meter);
  await using _ = running;
  await running.command("lockout");
  assertEquals(meter.panel, "lockout");
  await running.stop();
  const end = await running.session.ended;
  assertEquals([end.class, end.safeState.result], ["clean", "done"]);
  assertEquals(meter.panel, "local");
});

Deno.test("Driver ends as gone when the instrument is unplugged in the middle of a poll", async () => {
  const meter = new VirtualMultimeter();
  await using running = await run(meter, {
    "poll": "READ?",
    "poll-interval-ms": 100,
    "service-request": true,
  });
  await running.clock.advance(510);
  running.bus.unplug(meter);
  const end = await settled(running.clock, running.session.ended);
  assertEquals(end.class, "device-gone");
});

Deno.test("Driver survives faults of the bus and goes on measuring", async () => {
  await using running = await run(new VirtualMultimeter(), {
    "poll": "MEAS:VOLT?",
    "poll-interval-ms": 100,
    "timeout-ms": 300,
  });
  const { faults } = running.plugged.device;
  for (const endpoint of [0x01, 0x82] as const) {
    const kinds = ["stall", "silent", "status"] as const;
    for (const kind of kinds) {
      faults.add({
        endpoint: endpoint as never,
        after: 3,
        fault: kind === "status" ? { kind, errno: "PROTO" } : { kind },
      });
    }
  }
  await running.clock.advance(20_000);
  assertEquals(faults.injected, 6);
  const before = running.named("reading").length;
  await running.clock.advance(1_000);
  assertGreater(running.named("reading").length, before + 5);
});
