/**
 * Which devices a program asked for. Validity goes by presence: 0 is a value.
 * WebUSB, section "Enumeration".
 *
 * @module
 */

import { type DeviceMatch, matches } from "../match.ts";
import type { DeviceInfo } from "../port.ts";
import {
  dictionary,
  domString,
  octet,
  sequence,
  unsignedShort,
} from "./idl.ts";

/** A filter of `requestDevice`. */
export interface USBDeviceFilter {
  /** `idVendor`. */
  readonly vendorId?: number | undefined;
  /** `idProduct`; needs `vendorId`. */
  readonly productId?: number | undefined;
  /** `bDeviceClass` or `bInterfaceClass`. */
  readonly classCode?: number | undefined;
  /** Needs `classCode`. */
  readonly subclassCode?: number | undefined;
  /** Needs `subclassCode`. */
  readonly protocolCode?: number | undefined;
  /** Exact serial number. */
  readonly serialNumber?: string | undefined;
}

/** Members in the order in which Web IDL reads them, each with its conversion. */
const MEMBERS = [
  ["classCode", "interfaceClass", octet],
  ["productId", "productId", unsignedShort],
  ["protocolCode", "interfaceProtocol", octet],
  ["serialNumber", "serialNumber", domString],
  ["subclassCode", "interfaceSubclass", octet],
  ["vendorId", "vendorId", unsignedShort],
] as const;

/** What a member needs beside it. */
const NEEDS = [
  ["productId", "vendorId"],
  ["interfaceSubclass", "interfaceClass"],
  ["interfaceProtocol", "interfaceSubclass"],
] as const;

/**
 * Checks and converts a list of filters.
 *
 * @throws {TypeError} When a member lacks what it needs, or is of the wrong type.
 */
export function convertFilters(
  value: unknown,
  what: string,
): readonly DeviceMatch[] {
  const filters = sequence(value, what).map((item) => convert(item, what));
  for (const filter of filters) {
    for (const [member, needed] of NEEDS) {
      if (filter[member] !== undefined && filter[needed] === undefined) {
        throw new TypeError(`${what}: ${member} needs ${needed}`);
      }
    }
  }
  return filters;
}

function convert(item: unknown, what: string): DeviceMatch {
  const filter = dictionary(item, `an item of ${what}`);
  const match: Partial<Record<keyof DeviceMatch, number | string>> = {};
  for (const [from, to, conversion] of MEMBERS) {
    const value = filter[from];
    if (value !== undefined) match[to] = conversion(value, from);
  }
  return match as DeviceMatch;
}

/** Whether any filter accepts the device. */
export function accepts(
  filters: readonly DeviceMatch[],
  device: DeviceInfo,
): boolean {
  return filters.some((filter) => matches(device, filter));
}
