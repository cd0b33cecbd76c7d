/**
 * Descriptors that lie, on purpose and by seed: what cheap firmware, broken
 * flash and hostile devices send.
 *
 * @module
 */

import { DescriptorType } from "../descriptors.ts";
import type { VirtualDescriptors } from "./virtual_device.ts";

/** Ways to lie. */
export const MALFORMATIONS = [
  /** The device descriptor ends in the middle. */
  "shortDevice",
  /** `bNumConfigurations` says more than there are. */
  "configurationCount",
  /** A configuration ends in the middle, its `wTotalLength` does not know. */
  "truncated",
  /** `wTotalLength` says more, or less, than there is. */
  "totalLength",
  /** `bNumInterfaces` says more, or none. */
  "interfaceCount",
  /** A `bNumEndpoints` says more than there are. */
  "endpointCount",
  /** A `bLength` is 0: a loop that trusts it never ends. */
  "lengthZero",
  /** A `bLength` is 1: not even a type fits. */
  "lengthOne",
  /** A `bLength` is 255: it reaches behind the end. */
  "lengthMax",
  /** A `wMaxPacketSize` is 0. */
  "packetSizeZero",
  /** Two interfaces have the same number and setting. */
  "sameInterface",
  /** Bits are flipped here and there. */
  "bitFlips",
  /** The configuration is noise. */
  "noise",
] as const;

/** A way to lie. */
export type Malformation = typeof MALFORMATIONS[number];

/** The same descriptors with one lie in them. `random` gives 0 up to 1. */
export function malformed(
  descriptors: VirtualDescriptors,
  kind: Malformation,
  random: () => number,
): VirtualDescriptors {
  const pick = (count: number): number => Math.floor(random() * count);
  const device = descriptors.device.slice();
  const configurations = descriptors.configurations.map((c) => c.slice());
  const victim = pick(configurations.length);
  const configuration = configurations[victim] ?? new Uint8Array();
  const changed = changeDevice(kind, device, pick);
  configurations[victim] = changeConfiguration(kind, configuration, pick);
  return { ...descriptors, device: changed, configurations };
}

type Pick = (count: number) => number;

function changeDevice(
  kind: Malformation,
  device: Uint8Array<ArrayBuffer>,
  pick: Pick,
): Uint8Array<ArrayBuffer> {
  switch (kind) {
    case "shortDevice":
      return device.subarray(0, pick(device.length));
    case "configurationCount":
      device[17] = 2 + pick(254);
      return device;
    case "bitFlips":
      // The ids stay, so that a test finds the device.
      if (pick(4) === 0) flip(device, [0, 1, 4, 5, 6, 7, 17], pick);
      return device;
    default:
      return device;
  }
}

function changeConfiguration(
  kind: Malformation,
  bytes: Uint8Array<ArrayBuffer>,
  pick: Pick,
): Uint8Array<ArrayBuffer> {
  const any = offsetsOf(bytes).slice(1);
  const interfaces = offsetsOf(bytes, DescriptorType.interface);
  const endpoints = offsetsOf(bytes, DescriptorType.endpoint);
  const put = (
    offsets: readonly number[],
    field: number,
    value: number,
  ): void => {
    const at = offsets[pick(offsets.length)];
    if (at !== undefined) bytes[at + field] = value;
  };
  switch (kind) {
    case "truncated":
      return bytes.subarray(0, pick(bytes.length));
    case "totalLength":
      bytes[2] = pick(256);
      bytes[3] = pick(3) === 0 ? pick(256) : 0;
      break;
    case "interfaceCount":
      bytes[4] = pick(2) === 0 ? 0 : 3 + pick(253);
      break;
    case "endpointCount":
      put(interfaces, 4, 6 + pick(250));
      break;
    case "lengthZero":
      put(any, 0, 0);
      break;
    case "lengthOne":
      put(any, 0, 1);
      break;
    case "lengthMax":
      put(any, 0, 255);
      break;
    case "packetSizeZero":
      for (const field of [4, 5]) {
        for (const at of endpoints) bytes[at + field] = 0;
      }
      break;
    case "sameInterface":
      for (const at of interfaces) bytes.fill(0, at + 2, at + 4);
      break;
    case "bitFlips":
      flip(bytes, [...bytes.keys()], pick);
      break;
    case "noise":
      for (let at = 4; at < bytes.length; at++) bytes[at] = pick(256);
      break;
    default:
      break;
  }
  return bytes;
}

function flip(
  bytes: Uint8Array,
  offsets: readonly number[],
  pick: Pick,
): void {
  const flips = 1 + pick(8);
  for (let done = 0; done < flips; done++) {
    const at = offsets[pick(offsets.length)] ?? 0;
    bytes[at] = (bytes[at] ?? 0) ^ 1 << pick(8);
  }
}

function offsetsOf(bytes: Uint8Array, type?: number): number[] {
  const offsets: number[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const lengthBytes = bytes[at] ?? 0;
    if (lengthBytes < 2) break;
    if (type === undefined || bytes[at + 1] === type) offsets.push(at);
    at += lengthBytes;
  }
  return offsets;
}
