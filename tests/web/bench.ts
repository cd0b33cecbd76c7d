/**
 * What the tests of the WebUSB face run on: virtual devices on a bus in virtual
 * time, a simulated port, and a `USB` object over it.
 */

import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  Loopback,
  LOOPBACK_REQUEST,
} from "../../driver/sim/devices/loopback.ts";
import type { FaultRule } from "../../driver/sim/faults.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import {
  type PlugOptions,
  seededRandom,
  VirtualBus,
} from "../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../driver/sim/virtual_device.ts";
import { fail } from "../../driver/std.ts";
import {
  createWebUsb,
  type USB,
  type USBControlTransferParameters,
  type USBDevice,
  type WebUsbOptions,
} from "../../driver/web/webusb.ts";

/** One line of the checklist and the test that holds us to it. */
export interface Row {
  /** Of the checklist: `3.3`. */
  readonly section: string;
  /** What it is about, and what is expected. */
  readonly item: string;
  readonly run: () => Promise<void>;
}

/** Virtual time a promise may take. */
const PATIENCE_MS = 20_000;

/** A bus with its port and its `USB` object. */
export class WebBench implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly bus = new VirtualBus({
    clock: this.clock,
    random: seededRandom(1),
  });
  readonly port = new SimulatedPort(this.bus);
  readonly usb: USB;
  readonly #more: USB[] = [];

  /** Everything is permitted unless `options` say otherwise. */
  constructor(options: Partial<WebUsbOptions> = {}) {
    this.usb = createWebUsb({
      port: this.port,
      allowedDevices: [{}],
      ...options,
    });
    this.#more.push(this.usb);
  }

  /** Another `USB` object over the same port. */
  another(options: Partial<WebUsbOptions> = {}): USB {
    const usb = createWebUsb({ port: this.port, ...options });
    this.#more.push(usb);
    return usb;
  }

  /** Plugs a device in and gives its object. */
  async plug(
    device: VirtualDevice,
    options: PlugOptions = {},
  ): Promise<USBDevice> {
    const { place } = this.bus.plug(device, options);
    const id = `${place.name}#${place.deviceAddress}`;
    const infos = await this.port.devices();
    const devices = await this.usb.getDevices();
    const found = devices[infos.findIndex((info) => info.id === id)];
    return found ?? fail("The device is not listed");
  }

  /** A loopback device, opened, with these interfaces claimed. */
  async loopback(
    claim: readonly number[] = [0],
  ): Promise<{ readonly virtual: Loopback; readonly device: USBDevice }> {
    const virtual = new Loopback();
    const device = await this.plug(virtual);
    await this.within(device.open());
    for (const number of claim) {
      await this.within(device.claimInterface(number));
    }
    return { virtual, device };
  }

  /** The port's own view of a device. */
  fault(device: VirtualDevice, rule: FaultRule): void {
    const plugged = this.bus.find(device) ?? fail("It is not plugged in");
    plugged.device.faults.add(rule);
  }

  /** Waits for a promise while virtual time passes. */
  async within<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const settled = promise.finally(() => isDone = true);
    settled.catch(() => {});
    for (let ms = 0; ms < PATIENCE_MS && !isDone; ms += 5) {
      await this.clock.advance(5);
    }
    return isDone ? settled : fail("Waited in vain for a promise");
  }

  /** How a promise ends: `ok`, or the error's name. */
  async ending(promise: Promise<unknown>): Promise<string> {
    try {
      await this.within(promise);
      return "ok";
    } catch (error) {
      return nameOf(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const usb of this.#more) {
      await this.within(usb[Symbol.asyncDispose]());
    }
    await this.within(this.port.close());
    this.bus.close();
  }
}

/** `NotFoundError` of a `DOMException`, `TypeError` and the like; a bug of ours is thrown on. */
export function nameOf(error: unknown): string {
  const isExpected = error instanceof DOMException ||
    error instanceof TypeError || error instanceof RangeError;
  if (!isExpected) throw error;
  return error.name;
}

/** What a function throws synchronously: its error's name, or `nothing`. */
export function thrownBy(work: () => unknown): string {
  try {
    work();
    return "nothing";
  } catch (error) {
    return nameOf(error);
  }
}

/** A vendor request to the loopback device. */
export function vendor(
  request: keyof typeof LOOPBACK_REQUEST,
  value = 0,
  index = 0,
): USBControlTransferParameters {
  return {
    requestType: "vendor",
    recipient: "device",
    request: LOOPBACK_REQUEST[request],
    value,
    index,
  };
}

/** The bytes of a view. */
export function bytesIn(view: DataView | undefined): Uint8Array {
  if (view === undefined || view === null) return fail("There is no data");
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Bytes that tell where they came from. */
export function sample(
  lengthBytes: number,
  seed = 1,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    { length: lengthBytes },
    (_, at) => at * 31 + seed & 0xff,
  );
}
