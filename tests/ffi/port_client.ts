/**
 * A program that uses the port over libusb, for tests: it runs in a process of
 * its own, on a virtual bus, with exactly the permissions the test gives it.
 * Prints one line of JSON for what it found, or fails.
 */

import { openSync } from "node:fs";
import type { DevicePort } from "../../driver/port.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { LOOPBACK_REQUEST } from "../../driver/sim/devices/loopback.ts";
import {
  endpointAddress,
  interfaceNumber,
  type SetupPacket,
} from "../../driver/usb.ts";
import { UsbError } from "../../driver/errors.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";

const ECHO_OUT = endpointAddress(0x01);
const ECHO_IN = endpointAddress(0x81);
const REPORTS = endpointAddress(0x82);
const NODE = "/dev/bus/usb/001/002";
/** What half a second of waiting may cost, in ticks of 10 ms. */
const IDLE_TICKS_MAX = 10;

const commands: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  /** Everything once, after the permission is given back. */
  async confined(path): Promise<unknown> {
    await using port = await LibusbPort.open({ libraryPath: path });
    Deno.permissions.revokeSync({ name: "ffi" });
    const [info] = await port.devices();
    assert(info !== undefined);
    const device = await port.open(info);
    await useDevice(device);
    const { product, serialNumber } = device.info;
    const configurations = info.configurations.map(({ bytes }) => [...bytes]);
    return { product, serialNumber, configurations };
  },

  async inherited(path): Promise<unknown> {
    await using port = await LibusbPort.open({
      libraryPath: path,
      discovery: false,
    });
    await assertRefused("state", () => port.devices());
    const device = await port.openDescriptor(openSync(NODE, "r+"), {
      busNumber: 1,
      portPath: "1-1",
      nodePath: NODE,
    });
    await useDevice(device);
    const { product, serialNumber, configurations, id } = device.info;
    const raw = configurations.map(({ bytes }) => [...bytes]);
    return { id, product, serialNumber, configurations: raw };
  },

  /** The parent says what it knows: nothing of it is asked again. */
  async told(path): Promise<unknown> {
    await using port = await LibusbPort.open({
      libraryPath: path,
      discovery: false,
    });
    const device = await port.openDescriptor(openSync(NODE, "r+"), {
      strings: { product: "as told" },
    });
    await useDevice(device);
    const { manufacturer, product } = device.info;
    const { configurationValue } = device.configuration ?? {};
    return { manufacturer: manufacturer ?? null, product, configurationValue };
  },

  async refused(path): Promise<unknown> {
    await using port = await LibusbPort.open({ libraryPath: path });
    const [info] = await port.devices();
    assert(info !== undefined);
    try {
      await port.open(info);
    } catch (error) {
      assert(error instanceof UsbError && error.code === "access");
      return error.message;
    }
    throw new Error("It was opened");
  },

  /** Nothing is closed, and yet nothing keeps the process. */
  async leftOpen(path): Promise<unknown> {
    const port = await LibusbPort.open({ libraryPath: path });
    const [info] = await port.devices();
    assert(info !== undefined);
    await useDevice(await port.open(info));
    return "left";
  },

  /**
   * A pending read for half a second: how much processor time does it cost, once
   * the runtime has done what it does beside every start?
   */
  async idle(path): Promise<unknown> {
    await using port = await LibusbPort.open({ libraryPath: path });
    const [info] = await port.devices();
    assert(info !== undefined);
    const device = await port.open(info);
    await device.claimInterface(interfaceNumber(0));
    const ring = device.openInput({
      endpoint: REPORTS,
      transfersInFlight: 2,
      sink: () => true,
      onEnd: () => {},
    });
    let used = Infinity;
    for (let look = 0; look < 20 && used > IDLE_TICKS_MAX; look++) {
      const before = ticks();
      await rest(500);
      used = ticks() - before;
    }
    await ring.stop();
    return used;
  },

  /** Interval timers keep time while a device floods us. */
  async flooded(path): Promise<unknown> {
    await using port = await LibusbPort.open({ libraryPath: path });
    const [info] = await port.devices();
    assert(info !== undefined);
    const device = await port.open(info);
    await device.claimInterface(interfaceNumber(0));
    let reports = 0;
    const ring = device.openInput({
      endpoint: endpointAddress(0x83),
      transfersInFlight: 16,
      sink: () => ++reports > 0,
      onEnd: () => {},
    });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    while (turns < 50 || reports < 50) await rest(5);
    clearInterval(timer);
    await ring.stop();
    const { submitted, completed, inFlight } = ring.counters;
    assertEquals([submitted, inFlight], [completed, 0]);
    return true;
  },

  /** The pump ends by itself, and starts again, many times. */
  async restarts(path): Promise<unknown> {
    await using port = await LibusbPort.open({ libraryPath: path });
    const [info] = await port.devices();
    assert(info !== undefined);
    for (let round = 0; round < 20; round++) {
      const device = await port.open(info);
      await useDevice(device);
      await device.close();
      await device.close();
      await assertRefused("state", () => device.claimInterface(FACE));
    }
    return true;
  },
};

const FACE = interfaceNumber(0);

async function useDevice(device: DevicePort): Promise<void> {
  await device.claimInterface(FACE);
  const sent = Uint8Array.from({ length: 700 }, (_, n) => n & 0xff);
  const out = await device.transfer({
    type: "out",
    endpoint: ECHO_OUT,
    data: sent,
  });
  assertEquals([out.status, out.actualLengthBytes], ["completed", 700]);
  const back = await device.transfer({
    type: "in",
    endpoint: ECHO_IN,
    lengthBytes: 1024,
    timeoutMs: 5_000,
  });
  assertEquals(back.data, sent);
  const counters = await device.transfer({
    type: "controlIn",
    setup: vendor(LOOPBACK_REQUEST.counters),
    lengthBytes: 32,
  });
  assertEquals(counters.actualLengthBytes, 32);
  const late = await device.transfer({
    type: "in",
    endpoint: ECHO_IN,
    lengthBytes: 512,
    timeoutMs: 20,
  });
  assertEquals(late.status, "timedOut");
  await device.releaseInterface(FACE);
}

function vendor(request: number): SetupPacket {
  return {
    requestType: "vendor",
    recipient: "device",
    request,
    value: 0,
    index: 0,
  };
}

async function assertRefused(
  code: string,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    assert(error instanceof UsbError, String(error));
    assertEquals<string>(error.code, code);
    return;
  }
  throw new Error(`It must be refused with ${code}`);
}

/** Processor time of this process in ticks of 10 ms, all threads. */
function ticks(): number {
  const fields = Deno.readTextFileSync("/proc/self/stat").split(") ")[1];
  const [user = NaN, system = NaN] = (fields ?? "").split(" ").slice(11, 13)
    .map(Number);
  return user + system;
}

function rest(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

const [command = "", path = ""] = Deno.args;
const run = commands[command];
assert(run !== undefined, `No command ${command}`);
console.log(JSON.stringify(await run(path)));
