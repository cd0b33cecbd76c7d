/**
 * A HID boot mouse: three buttons, two axes, reports of three bytes. Moves by
 * script, or wanders by the bus's seeded chance. HID 1.11, appendix B.2.
 *
 * @module
 */

import type { Timer } from "../../loop/clock.ts";
import { type DecodedSetup, endpointAddress } from "../../usb.ts";
import {
  configurationDescriptor,
  deviceDescriptor,
  endpointDescriptor,
  interfaceDescriptor,
  u16,
} from "../descriptor_bytes.ts";
import {
  type ControlReply,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "../virtual_device.ts";

/** One move, as the report carries it. */
export interface MouseMove {
  /** Bit 0 left, 1 right, 2 middle. */
  readonly buttons: number;
  /** -127 to 127. */
  readonly dx: number;
  /** -127 to 127. */
  readonly dy: number;
  /** Since the move before. Default: the mouse's interval. */
  readonly afterMs?: number;
}

/** What can be chosen. */
export interface BootMouseOptions {
  /** Moves to make, once. Absent: it wanders by chance. */
  readonly script?: readonly MouseMove[];
  /** Milliseconds from move to move. Default 10. */
  readonly intervalMs?: number;
  /** Moves of a wandering mouse; absent: without end. */
  readonly moves?: number;
  /** Default `0001`. */
  readonly serialNumber?: string;
  /** Kernel drivers bound at plug, by interface number. */
  readonly kernelDrivers?: Readonly<Record<number, string>>;
}

/** HID class requests. HID 1.11, 7.2. */
const HID_REQUEST = {
  getReport: 0x01,
  getIdle: 0x02,
  getProtocol: 0x03,
  setReport: 0x09,
  setIdle: 0x0a,
  setProtocol: 0x0b,
} as const;

/** `bDescriptorType` of a report descriptor. HID 1.11, 7.1. */
const REPORT_DESCRIPTOR = 0x22;
/** `bDescriptorType` of the HID descriptor. */
const HID_DESCRIPTOR = 0x21;
/** A mouse reports 100 times a second. */
const INTERVAL_MS = 10;
/** The furthest a wandering mouse goes at once. */
const WANDER_MAX = 8;

const REPORTS = endpointAddress(0x81);

/** The boot mouse's report descriptor. HID 1.11, E.10. */
// deno-fmt-ignore
export const MOUSE_REPORT_DESCRIPTOR: Uint8Array = Uint8Array.of(
  0x05, 0x01,       // Usage Page (Generic Desktop)
  0x09, 0x02,       // Usage (Mouse)
  0xa1, 0x01,       // Collection (Application)
  0x09, 0x01,       //   Usage (Pointer)
  0xa1, 0x00,       //   Collection (Physical)
  0x05, 0x09,       //     Usage Page (Button)
  0x19, 0x01,       //     Usage Minimum (1)
  0x29, 0x03,       //     Usage Maximum (3)
  0x15, 0x00,       //     Logical Minimum (0)
  0x25, 0x01,       //     Logical Maximum (1)
  0x95, 0x03,       //     Report Count (3)
  0x75, 0x01,       //     Report Size (1)
  0x81, 0x02,       //     Input (Data, Variable, Absolute)
  0x95, 0x01,       //     Report Count (1)
  0x75, 0x05,       //     Report Size (5)
  0x81, 0x01,       //     Input (Constant)
  0x05, 0x01,       //     Usage Page (Generic Desktop)
  0x09, 0x30,       //     Usage (X)
  0x09, 0x31,       //     Usage (Y)
  0x15, 0x81,       //     Logical Minimum (-127)
  0x25, 0x7f,       //     Logical Maximum (127)
  0x75, 0x08,       //     Report Size (8)
  0x95, 0x02,       //     Report Count (2)
  0x81, 0x06,       //     Input (Data, Variable, Relative)
  0xc0,             //   End Collection
  0xc0,             // End Collection
);

/** A boot mouse. */
export class BootMouse extends VirtualDevice {
  /** What it says it is. */
  override readonly descriptors: VirtualDescriptors;
  readonly #options: BootMouseOptions;
  #timer: Timer | undefined;
  #made = 0;
  #dropped = 0;
  #isBootProtocol = false;
  #idleRate = 0;
  #last: Uint8Array<ArrayBuffer> = new Uint8Array(3);

  /** Makes one; plug it into a bus. */
  constructor(options: BootMouseOptions = {}) {
    super();
    this.#options = options;
    this.descriptors = describe(options);
  }

  /** Moves made, and reports that found the queue full. */
  override observed(): Readonly<Record<string, number>> {
    return { moves: this.#made, dropped: this.#dropped };
  }

  /** Starts to move, from the beginning. */
  override configured(value: number): void {
    this.#stop();
    this.#made = 0;
    if (value !== 0) this.#arm();
  }

  /** Back to report protocol. */
  override reset(): void {
    // Report protocol is the default after a reset. HID 1.11, 7.2.6.
    this.#isBootProtocol = false;
    this.#idleRate = 0;
  }

  /** Stops moving. */
  override unplugged(): void {
    this.#stop();
    super.unplugged();
  }

  /** HID requests and descriptors. */
  override control(setup: DecodedSetup, data: Uint8Array): ControlReply {
    if (setup.recipient !== "interface" || setup.index !== 0) return STALL;
    if (setup.requestType === "standard") return this.#descriptor(setup);
    if (setup.requestType !== "class") return STALL;
    switch (setup.request) {
      case HID_REQUEST.getReport:
        return this.#last.slice();
      case HID_REQUEST.getIdle:
        return Uint8Array.of(this.#idleRate);
      case HID_REQUEST.setIdle:
        this.#idleRate = setup.value >> 8;
        return;
      case HID_REQUEST.getProtocol:
        return Uint8Array.of(this.#isBootProtocol ? 0 : 1);
      case HID_REQUEST.setProtocol:
        if (setup.value > 1 || data.length > 0) return STALL;
        this.#isBootProtocol = setup.value === 0;
        return;
      default:
        return STALL;
    }
  }

  #descriptor(setup: DecodedSetup): ControlReply {
    const GET_DESCRIPTOR = 6;
    if (setup.direction !== "in" || setup.request !== GET_DESCRIPTOR) {
      return STALL;
    }
    switch (setup.value >> 8) {
      case REPORT_DESCRIPTOR:
        return MOUSE_REPORT_DESCRIPTOR;
      case HID_DESCRIPTOR:
        return hidDescriptor();
      default:
        return STALL;
    }
  }

  #arm(): void {
    const move = this.#next();
    if (move === undefined) return;
    const delayMs = move.afterMs ?? this.#options.intervalMs ?? INTERVAL_MS;
    const timer = this.host.clock.setTimer(delayMs, () => {
      this.#report(move);
      this.#made++;
      // The report may have been the last: a fault can unplug us right there.
      if (this.#timer === timer) this.#arm();
    });
    this.#timer = timer;
  }

  #next(): MouseMove | undefined {
    const { script, moves } = this.#options;
    if (script !== undefined) return script[this.#made];
    if (moves !== undefined && this.#made >= moves) return undefined;
    const step = (): number =>
      Math.floor(this.host.random() * (2 * WANDER_MAX + 1)) - WANDER_MAX;
    return { buttons: 0, dx: step(), dy: step() };
  }

  #report(move: MouseMove): void {
    const report = Uint8Array.of(
      move.buttons & 0x07,
      move.dx & 0xff,
      move.dy & 0xff,
    );
    this.#last = report;
    if (!this.host.send(REPORTS, report)) this.#dropped++;
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

function describe(options: BootMouseOptions): VirtualDescriptors {
  return {
    speed: "full",
    device: deviceDescriptor({
      vendorId: 0x1209,
      productId: 0x0004,
      maxPacketSize0: 8,
    }),
    configurations: [
      configurationDescriptor(
        { value: 1, interfaceCount: 1, attributes: 0xa0 },
        // HID, boot, mouse. HID 1.11, 4.2 and 4.3.
        interfaceDescriptor({ number: 0, endpointCount: 1, class: [3, 1, 2] }),
        hidDescriptor(),
        endpointDescriptor({
          address: REPORTS,
          type: "interrupt",
          packetSize: 4,
          interval: 10,
        }),
      ),
    ],
    strings: ["Driver Space", "Boot Mouse", options.serialNumber ?? "0001"],
    ...(options.kernelDrivers === undefined
      ? {}
      : { kernelDrivers: options.kernelDrivers }),
  };
}

/** HID 1.11, 6.2.1. */
function hidDescriptor(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(
    9,
    HID_DESCRIPTOR,
    ...u16(0x0111),
    0,
    1,
    REPORT_DESCRIPTOR,
    ...u16(MOUSE_REPORT_DESCRIPTOR.length),
  );
}
