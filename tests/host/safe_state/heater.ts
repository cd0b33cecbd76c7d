/** A heater: a device that must not be left as it is. Records what it was told. */

import {
  configurationDescriptor,
  deviceDescriptor,
  endpointDescriptor,
  interfaceDescriptor,
} from "../../../driver/sim/descriptor_bytes.ts";
import {
  type ControlReply,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "../../../driver/sim/virtual_device.ts";
import type { DecodedSetup } from "../../../driver/usb.ts";

/** Requests of the class that the heater makes up, to its second interface. */
export const HEATER = {
  vendorId: 0x1209,
  productId: 0x00f5,
  interfaceClass: 0xff,
  interfaceSubclass: 0x48,
  /** OUT to the interface: `wValue` percent. */
  power: 1,
  /** OUT to the interface: `wValue` degrees. */
  target: 2,
  /** OUT to the device, two bytes. */
  alarm: 3,
  /** IN from the interface: degrees, one byte. */
  temperature: 4,
  /** Interrupt IN, of the same interface: what the drill's heater reports. */
  reports: 0x81,
  reportBytes: 8,
} as const;

/** The interface beside it is there so that numbers are no indexes. */
const INTERFACE = 1;

/** What it does with a request besides obeying. */
export type Mischief = "stall" | "silence" | "leave";

/** The device. */
export class Heater extends VirtualDevice {
  override readonly descriptors: VirtualDescriptors = {
    speed: "full",
    device: deviceDescriptor(HEATER),
    configurations: [
      configurationDescriptor(
        { value: 1, interfaceCount: 2 },
        interfaceDescriptor({
          number: 0,
          endpointCount: 0,
          class: [0xff, 0, 0],
        }),
        interfaceDescriptor({
          number: INTERFACE,
          endpointCount: 1,
          class: [HEATER.interfaceClass, HEATER.interfaceSubclass, 0],
        }),
        endpointDescriptor({
          address: HEATER.reports,
          type: "interrupt",
          packetSize: HEATER.reportBytes,
          interval: 10,
        }),
      ),
    ],
    strings: ["Driver Space", "Heater", "H1"],
  };
  /** `power 80`, `alarm 1,2`: in order, all of its life. */
  readonly told: string[] = [];
  /** When each was told, on the bus's clock. */
  readonly toldAtMs: number[] = [];
  /** By what it is told: `power 0`. */
  readonly mischief = new Map<string, Mischief>();
  /** By what it is told: how long its answer takes. */
  readonly delayMs = new Map<string, number>();
  /** By what it is told: what happens, once, before it answers. */
  readonly before = new Map<string, () => void>();
  #power = 0;
  #offAtMs = 0;

  /** Percent of what it can. */
  get power(): number {
    return this.#power;
  }

  /** When it was last turned off, on the bus's clock. */
  get offAtMs(): number {
    return this.#offAtMs;
  }

  /** Without power nothing heats. */
  override unplugged(): void {
    this.#turn(0);
    super.unplugged();
  }

  override async control(
    setup: DecodedSetup,
    data: Uint8Array,
  ): Promise<ControlReply> {
    const word = wordOf(setup, data);
    if (word === undefined) return STALL;
    if (word === "temperature") return Uint8Array.of(21);
    this.told.push(word);
    this.toldAtMs.push(this.host.clock.nowMs());
    const { clock } = this.host;
    const delayMs = this.delayMs.get(word) ?? 0;
    if (delayMs > 0) {
      await new Promise<void>((resolve) => clock.setTimer(delayMs, resolve));
    }
    const happens = this.before.get(word);
    this.before.delete(word);
    happens?.();
    switch (this.mischief.get(word)) {
      case "stall":
        return STALL;
      case "silence":
        return await new Promise(() => {});
      case "leave":
        this.host.unplug();
        return STALL;
    }
    if (setup.request === HEATER.power) this.#turn(setup.value);
  }

  #turn(power: number): void {
    if (this.#power > 0 && power === 0) {
      this.#offAtMs = this.host.clock.nowMs();
    }
    this.#power = power;
  }
}

function wordOf(setup: DecodedSetup, data: Uint8Array): string | undefined {
  const { request, value, index, recipient } = setup;
  const isToInterface = recipient === "interface" && index === INTERFACE;
  if (request === HEATER.alarm && recipient === "device") {
    return `alarm ${data.join()}`;
  }
  if (!isToInterface) return undefined;
  if (request === HEATER.power) return `power ${value}`;
  if (request === HEATER.target) return `target ${value}`;
  return request === HEATER.temperature ? "temperature" : undefined;
}
