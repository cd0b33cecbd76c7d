/**
 * The root hub of a virtual bus. libusb looks up every device's parent by name,
 * so there has to be one; nothing ever drives it, but `lsusb -v` asks it what
 * hangs on its ports.
 *
 * @module
 */

import type { DecodedSetup, Speed } from "../usb.ts";
import {
  type ControlReply,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "./virtual_device.ts";

/** What the root hub says it has; a bus takes more devices, which no program minds. */
export const ROOT_HUB_PORTS = 15;

/** Hub class requests. USB 2.0, table 11-16. */
const GET_STATUS = 0;
const GET_DESCRIPTOR = 6;
const HUB_DESCRIPTOR = 0x29;

/** Bits of `wPortStatus`. USB 2.0, table 11-21. */
const PORT = {
  connection: 1 << 0,
  enable: 1 << 1,
  power: 1 << 8,
  lowSpeed: 1 << 9,
  highSpeed: 1 << 10,
} as const;

/** A high speed root hub: Linux Foundation 1d6b:0002. */
export class RootHub extends VirtualDevice {
  readonly #speedAt: (port: number) => Speed | undefined;
  override readonly descriptors: VirtualDescriptors = {
    speed: "high",
    // deno-fmt-ignore
    device: Uint8Array.of(
      18, 1, 0x00, 0x02, 9, 0, 1, 64,
      0x6b, 0x1d, 0x02, 0x00, 0x06, 0x06, 3, 2, 1, 1,
    ),
    // deno-fmt-ignore
    configurations: [Uint8Array.of(
      9, 2, 25, 0, 1, 1, 0, 0xe0, 0,
      9, 4, 0, 0, 1, 9, 0, 0, 0,
      7, 5, 0x81, 3, 4, 0, 12,
    )],
    strings: ["virtual:00.0", "Virtual Host Controller", "Driver Space"],
    kernelDrivers: { 0: "hub" },
  };

  /** `speedAt` tells the speed of the device at a port, if there is one. */
  constructor(speedAt: (port: number) => Speed | undefined) {
    super();
    this.#speedAt = speedAt;
  }

  override control(setup: DecodedSetup): ControlReply {
    const { requestType, recipient, request, value, index, direction } = setup;
    if (requestType !== "class" || direction !== "in") return STALL;
    if (recipient === "device" && request === GET_DESCRIPTOR) {
      return value >> 8 === HUB_DESCRIPTOR ? hubDescriptor() : STALL;
    }
    if (request !== GET_STATUS) return STALL;
    if (recipient === "device") return new Uint8Array(4);
    const isPort = recipient === "other" && index >= 1 &&
      index <= ROOT_HUB_PORTS;
    return isPort ? portStatus(this.#speedAt(index)) : STALL;
  }
}

/** USB 2.0, table 11-13: ports powered one by one, nothing built in. */
function hubDescriptor(): Uint8Array {
  const maskBytes = Math.ceil((ROOT_HUB_PORTS + 1) / 8);
  const bytes = new Uint8Array(7 + 2 * maskBytes);
  const PER_PORT_POWER = 0x01;
  bytes.set([bytes.length, HUB_DESCRIPTOR, ROOT_HUB_PORTS, PER_PORT_POWER]);
  bytes.fill(0xff, 7 + maskBytes); // PortPwrCtrlMask, of old: all ones
  return bytes;
}

function portStatus(speed: Speed | undefined): Uint8Array {
  let status = PORT.power;
  if (speed !== undefined) status |= PORT.connection | PORT.enable;
  if (speed === "low") status |= PORT.lowSpeed;
  if (speed !== undefined && speed !== "low" && speed !== "full") {
    status |= PORT.highSpeed;
  }
  return Uint8Array.of(status & 0xff, status >> 8, 0, 0);
}
