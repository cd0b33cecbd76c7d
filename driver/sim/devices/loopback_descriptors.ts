/**
 * What the loopback device says it is, at each speed.
 *
 * @module
 */

import type { Speed } from "../../usb.ts";
import {
  companionDescriptor,
  configurationDescriptor,
  deviceDescriptor,
  endpointDescriptor,
  type EndpointFields,
  interfaceDescriptor,
} from "../descriptor_bytes.ts";
import { type Malformation, malformed } from "../malformed.ts";
import { seededRandom } from "../seeded_random.ts";
import type { VirtualDescriptors } from "../virtual_device.ts";

/** Speeds the device can have; low speed has no bulk endpoints. */
export type LoopbackSpeed = Extract<Speed, "full" | "high" | "super">;

/** What can be chosen. */
export interface LoopbackOptions {
  /** Default `high`. */
  readonly speed?: LoopbackSpeed;
  /** Default `0001`. */
  readonly serialNumber?: string;
  /** Leaves the bus at a reset and comes back, as devices do that change their firmware. */
  readonly leavesOnReset?: boolean;
  /** A lie in its descriptors, by seed. */
  readonly malformation?: {
    readonly kind: Malformation;
    readonly seed: number;
  };
  /** Kernel drivers bound at plug, by interface number. */
  readonly kernelDrivers?: Readonly<Record<number, string>>;
}

/** Ids of the loopback device, of pid.codes' range for tests. */
export const LOOPBACK_VENDOR_ID = 0x1209;
/** `idProduct`. */
export const LOOPBACK_PRODUCT_ID = 0x0001;

/** What a loopback device says it is. */
export function loopbackDescriptors(
  options: LoopbackOptions,
): VirtualDescriptors {
  const { malformation } = options;
  const honest = honestDescriptors(options);
  return malformation === undefined ? honest : malformed(
    honest,
    malformation.kind,
    seededRandom(malformation.seed),
  );
}

function honestDescriptors(options: LoopbackOptions): VirtualDescriptors {
  const speed = options.speed ?? "high";
  const isSuper = speed === "super";
  return {
    speed,
    device: deviceDescriptor({
      vendorId: LOOPBACK_VENDOR_ID,
      productId: LOOPBACK_PRODUCT_ID,
      usbVersion: isSuper ? 0x0300 : 0x0200,
      // For SuperSpeed the exponent. USB 3.2, table 9-11.
      maxPacketSize0: isSuper ? 9 : 64,
      configurationCount: 2,
    }),
    configurations: configurations(speed),
    strings: ["Driver Space", "Loopback", options.serialNumber ?? "0001"],
    ...(isSuper ? { bos: SUPER_SPEED_BOS } : {}),
    ...(options.kernelDrivers === undefined
      ? {}
      : { kernelDrivers: options.kernelDrivers }),
  };
}

function configurations(speed: LoopbackSpeed): Uint8Array[] {
  const packetSize = { full: 64, high: 512, super: 1024 }[speed];
  const interval = speed === "full" ? 1 : 4;
  const endpoints = (...all: readonly EndpointFields[]): Uint8Array[] =>
    all.flatMap((fields) =>
      speed === "super"
        ? [endpointDescriptor(fields), companionDescriptor()]
        : [endpointDescriptor(fields)]
    );
  const bulk = (address: number): EndpointFields => ({
    address,
    type: "bulk",
    packetSize,
  });
  const interrupt = (address: number, bytes: number): EndpointFields => ({
    address,
    type: "interrupt",
    packetSize: bytes,
    interval,
  });
  const isochronous = (address: number): EndpointFields => ({
    address,
    type: "isochronous",
    packetSize: 256,
    interval: 1,
  });
  return [
    configurationDescriptor(
      { value: 1, interfaceCount: 2 },
      face(0, 0, 5),
      ...endpoints(
        bulk(0x01),
        bulk(0x81),
        interrupt(0x82, 8),
        bulk(0x83),
        bulk(0x03),
      ),
      face(0, 1, 2),
      ...endpoints(interrupt(0x05, 64), interrupt(0x85, 64)),
      face(1, 0, 0),
      face(1, 1, 2),
      ...endpoints(isochronous(0x84), isochronous(0x04)),
    ),
    configurationDescriptor(
      { value: 2, interfaceCount: 1 },
      face(0, 0, 2),
      ...endpoints(bulk(0x01), bulk(0x81)),
    ),
  ];
}

/** A vendor specific interface. */
function face(
  number: number,
  alternate: number,
  endpointCount: number,
): Uint8Array {
  const vendor = [0xff, 0, 0] as const;
  return interfaceDescriptor({
    number,
    alternate,
    endpointCount,
    class: vendor,
  });
}

/** BOS with the two capabilities that SuperSpeed devices have to have. USB 3.2, 9.6.2. */
// deno-fmt-ignore
const SUPER_SPEED_BOS = Uint8Array.of(
  5, 15, 22, 0, 2,
  7, 16, 2, 0x02, 0, 0, 0,
  10, 16, 3, 0x00, 0x0e, 0x00, 1, 10, 0xff, 0x07,
);
