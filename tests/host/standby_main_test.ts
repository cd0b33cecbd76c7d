/** What a standby does by itself, in virtual time: by what its device was told, in order. */

import {
  standBy,
  type StandbyOutcome,
} from "../../driver/host/standby_main.ts";
import {
  decodeParked,
  encodeStandbyOrder,
  ORPHAN_CLAIM_MS,
} from "../../driver/host/standby_words.ts";
import { decodeSafeStateFrame } from "../../driver/host/safe_state_frame.ts";
import { UsbError } from "../../driver/errors.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { findInterface } from "../../driver/loop/selectors.ts";
import type { DevicePort } from "../../driver/port.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { Heater } from "./safe_state/heater.ts";
import driver from "./safe_state/heater_driver.ts";
import { MADE_SAFE } from "./safe_state/heater_lab.ts";

const SANDBOX = { mode: "sandboxed", layers: { "stage 2": true } } as const;
const TEXT = new TextEncoder();

/** A standby on a bus of the test's, with its host's pipe in the test's hands. */
class Parked {
  readonly clock = new VirtualClock();
  readonly heater = new Heater();
  readonly bus = new VirtualBus({ clock: this.clock, random: () => 0.5 });
  readonly lines: Uint8Array[] = [];
  readonly logged: Record<string, unknown>[] = [];
  readonly host: WritableStreamDefaultWriter<Uint8Array>;
  readonly outcome: Promise<StandbyOutcome>;
  opens = 0;
  isHostThere = true;
  openError: UsbError | undefined;

  constructor() {
    this.bus.plug(this.heater);
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    this.host = pipe.writable.getWriter();
    this.outcome = standBy({
      driver,
      config: {
        instance: "heater",
        boot: "boot",
        mode: "sandboxed",
        library: "/lib/libusb.so",
        nodePath: "/dev/bus/usb/001/002",
        portPath: "1-1",
        busNumber: 1,
        options: {},
      },
      clock: this.clock,
      logSink: {
        write: (bytes) => {
          this.logged.push(JSON.parse(new TextDecoder().decode(bytes)));
          return bytes.length;
        },
      },
      input: pipe.readable,
      output: (line) => {
        this.lines.push(line.slice(0, -1));
        return Promise.resolve();
      },
      pid: 1,
      park: () =>
        Promise.resolve({
          sandbox: SANDBOX,
          open: async () => {
            if (this.openError !== undefined) throw this.openError;
            this.opens++;
            const device = await this.#open();
            return { device, sandbox: SANDBOX, versions: {} };
          },
          bindToHost: () => this.isHostThere,
        }),
    });
  }

  /** As the driver that serves has it. */
  async driverClaims(): Promise<DevicePort> {
    const device = await this.#open();
    for (const selector of driver.interfaces) {
      const { interfaceNumber } = findInterface(device, selector);
      await device.claimInterface(interfaceNumber);
    }
    return device;
  }

  async order(...orders: ("safe" | "go" | "stop")[]): Promise<void> {
    for (const order of orders) {
      void this.host.write(encodeStandbyOrder(order));
    }
    await this.clock.advance(0);
  }

  async hostDies(): Promise<void> {
    void this.host.close();
    await this.clock.advance(0);
  }

  async #open(): Promise<DevicePort> {
    const port = new SimulatedPort(this.bus);
    const [info] = await port.devices();
    assert(info !== undefined, "It is plugged");
    return await port.open(info);
  }
}

Deno.test("A standby says that it waits and touches nothing until it is told", async () => {
  const parked = new Parked();
  await parked.clock.advance(60_000);
  assertEquals(parked.lines.map(decodeParked), [SANDBOX]);
  assertEquals([parked.opens, parked.heater.told], [0, []]);
  await parked.order("stop");
  assertEquals(await parked.outcome, { code: 0 });
  assertEquals([parked.opens, parked.heater.told], [0, []]);
});

Deno.test("A standby makes the device safe before any code of the driver runs, tells it and logs it", async () => {
  const parked = new Parked();
  await parked.order("safe");
  assertEquals(parked.heater.told, [...MADE_SAFE]);
  const [, line] = parked.lines;
  assert(line !== undefined, "It told");
  const { result, stepsDone, sandbox } = decodeSafeStateFrame(line);
  assertEquals([result, stepsDone, sandbox], ["done", 2, SANDBOX]);
  assertEquals(parked.logged[0]?.["event"], "driver.safe_state");
  await parked.order("go");
  const outcome = await parked.outcome;
  assert("open" in outcome, "It is the driver");
  await outcome.open();
  assertEquals(parked.opens, 1, "The device is the one that was made safe");
});

Deno.test("What the host sends behind its order is the driver's, to the byte", async () => {
  const parked = new Parked();
  const go = new TextDecoder().decode(encodeStandbyOrder("go"));
  void parked.host.write(TEXT.encode(`${go}{"type":"st`));
  void parked.host.write(TEXT.encode('op"}\n'));
  void parked.host.close();
  const outcome = await parked.outcome;
  assert("input" in outcome, "It is the driver");
  let text = "";
  for await (const piece of outcome.input) {
    text += new TextDecoder().decode(piece);
  }
  assertEquals(text, '{"type":"stop"}\n');
});

Deno.test("A standby whose host dies makes the device safe at once, when the driver has let go of it", async () => {
  const parked = new Parked();
  const dying = await parked.driverClaims();
  await parked.hostDies();
  await parked.clock.advance(300);
  assertEquals(parked.heater.told, [], "Not beside a driver that lives");
  await dying.close();
  await parked.clock.advance(20);
  assertEquals(await parked.outcome, { code: 0 });
  assertEquals(parked.heater.told, [...MADE_SAFE]);
  assertEquals(parked.lines.length, 1, "There is nobody to tell");
  assertEquals(parked.logged[0]?.["result"], "done");
});

Deno.test("A standby waits for a driver that does not let go as long as one may take to stop, then does what it can", async () => {
  const parked = new Parked();
  await parked.driverClaims();
  await parked.hostDies();
  await parked.clock.advance(ORPHAN_CLAIM_MS - 20);
  assertEquals(parked.heater.told, []);
  await parked.clock.advance(10_000);
  assertEquals(await parked.outcome, { code: 70 });
  assertEquals(parked.logged[0]?.["result"], "failed");
  // What is sent to the device needs no interface.
  assertEquals(parked.heater.told, ["alarm 1,2"]);
});

Deno.test("A standby whose host is gone when it is told to go makes the device safe and ends", async () => {
  const parked = new Parked();
  parked.isHostThere = false;
  await parked.order("go");
  assertEquals(await parked.outcome, { code: 0 });
  assertEquals(parked.heater.told, [...MADE_SAFE]);
});

Deno.test("A standby that made the device safe does not do so again when its host dies", async () => {
  const parked = new Parked();
  await parked.order("safe");
  await parked.hostDies();
  assertEquals(await parked.outcome, { code: 0 });
  assertEquals(parked.heater.told, [...MADE_SAFE]);
});

Deno.test("A standby takes garbage for a host that is gone", async () => {
  const parked = new Parked();
  void parked.host.write(TEXT.encode('{"type":"fly"}\n'));
  await parked.clock.advance(0);
  assertEquals(await parked.outcome, { code: 0 });
  assertEquals(parked.heater.told, [...MADE_SAFE]);
});

Deno.test("A standby that cannot open the device ends without a report, unless the device is gone", async () => {
  const refused = new Parked();
  const operation = "open it";
  refused.openError = new UsbError({ code: "access", operation, reason: "no" });
  await refused.order("safe");
  assertEquals(await refused.outcome, { code: 77 });
  assertEquals(refused.lines.length, 1);
  const gone = new Parked();
  gone.openError = new UsbError({ code: "noDevice", operation, reason: "no" });
  await gone.order("safe");
  const { result, reason } = decodeSafeStateFrame(
    gone.lines[1] ?? new Uint8Array(),
  );
  assertEquals([result, reason], ["impossible", "device gone"]);
  await gone.order("stop");
  assertEquals(await gone.outcome, { code: 0 });
});
