/**
 * A heater as a lab has one: it heats until somebody turns it off, and tells
 * its temperature 50 times a second. It remembers when it was switched, which
 * is how a drill knows that the safe state was reached.
 */

import type { Timer } from "../../driver/loop/clock.ts";
import { type DecodedSetup, endpointAddress } from "../../driver/usb.ts";
import {
  configurationDescriptor,
  deviceDescriptor,
  endpointDescriptor,
  interfaceDescriptor,
} from "../../driver/sim/descriptor_bytes.ts";
import {
  type ControlReply,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "../../driver/sim/virtual_device.ts";

/** `bRequest` of the one vendor request: `wValue` 1 heats, 0 does not. */
export const SWITCH = 1;
/** Of a report, little-endian: u32 number, i16 hundredths of a degree Celsius, u8 on. */
export const REPORT_BYTES = 8;

const REPORTS = endpointAddress(0x81);
const INTERVAL_MS = 20;
/** As the memory of a small device: what is older is gone. */
const FIFO_REPORTS = 8;
const ROOM_CELSIUS = 20;

/** A heater. */
export class Heater extends VirtualDevice {
  /** What it says it is. */
  override readonly descriptors: VirtualDescriptors = DESCRIPTORS;
  #timer: Timer | undefined;
  readonly #fifo: Uint8Array[] = [];
  #isWanted = false;
  #isOn = false;
  #celsius = ROOM_CELSIUS;
  #made = 0;
  #overwritten = 0;
  #offAtMs = 0;

  /** Whether it heats. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** When it was last turned off, by the bus's clock. */
  get offAtMs(): number {
    return this.#offAtMs;
  }

  /** Reports it made, and those that nobody fetched in time. */
  override observed(): Readonly<Record<string, number>> {
    return { made: this.#made, overwritten: this.#overwritten };
  }

  /** Measures from now on. */
  override configured(value: number): void {
    this.#timer?.cancel();
    if (value !== 0) this.#arm();
  }

  /** Without power nothing heats. */
  override unplugged(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isWanted = false;
    this.#fifo.length = 0;
    this.#turn(false);
    super.unplugged();
  }

  /** The switch. */
  override control(setup: DecodedSetup): ControlReply {
    const isSwitch = setup.requestType === "vendor" &&
      setup.direction === "out" && setup.request === SWITCH;
    if (!isSwitch || setup.value > 1) return STALL;
    this.#turn(setup.value === 1);
  }

  /** The host asks. */
  override wanted(): void {
    this.#isWanted = true;
    this.#serve();
  }

  #turn(isOn: boolean): void {
    if (this.#isOn && !isOn) this.#offAtMs = this.host.clock.nowMs();
    this.#isOn = isOn;
  }

  #arm(): void {
    this.#timer = this.host.clock.setTimer(INTERVAL_MS, () => {
      this.#measure();
      this.#arm();
    });
  }

  #measure(): void {
    const WARMER = 0.05;
    this.#celsius += this.#isOn ? WARMER : -WARMER;
    this.#celsius = Math.min(90, Math.max(ROOM_CELSIUS, this.#celsius));
    const report = new DataView(new ArrayBuffer(REPORT_BYTES));
    report.setUint32(0, this.#made++, true);
    report.setInt16(4, Math.round(this.#celsius * 100), true);
    report.setUint8(6, this.#isOn ? 1 : 0);
    if (this.#fifo.length === FIFO_REPORTS) {
      this.#fifo.shift();
      this.#overwritten++;
    }
    this.#fifo.push(new Uint8Array(report.buffer));
    this.#serve();
  }

  #serve(): void {
    const report = this.#isWanted ? this.#fifo.shift() : undefined;
    if (report === undefined) return;
    this.#isWanted = false;
    if (!this.host.send(REPORTS, report)) this.#overwritten++;
  }
}

const DESCRIPTORS: VirtualDescriptors = {
  speed: "full",
  device: deviceDescriptor({
    vendorId: 0x1209,
    productId: 0x0010,
    maxPacketSize0: 8,
  }),
  configurations: [
    configurationDescriptor(
      { value: 1, interfaceCount: 1 },
      interfaceDescriptor({ number: 0, endpointCount: 1, class: [255, 0, 0] }),
      endpointDescriptor({
        address: REPORTS,
        type: "interrupt",
        packetSize: REPORT_BYTES,
        interval: 10,
      }),
    ),
  ],
  strings: ["Driver Space", "Heater", "H0001"],
};
