/**
 * Which devices a program asked for. Validity goes by presence: 0 is a value.
 * WebUSB, section "Enumeration".
 *
 * @module
 */

import { type DeviceMatch, matches } from "../match.ts";
import type { DeviceInfo } from "../port.ts";
import { dictionary, octet, sequence, unsignedShort } from "./idl.ts";

/** A filter of `requestDevice`. */
export interface USBDeviceFilter {
  /** `idVendor`. */
  readonly vendorId?: number;
  /** `idProduct`; needs `vendorId`. */
  readonly productId?: number;
  /** `bDeviceClass` or `bInterfaceClass`. */
  readonly classCode?: number;
  /** Needs `classCode`. */
  readonly subclassCode?: number;
  /** Needs `subclassCode`. */
  readonly protocolCode?: number;
  /** Exact serial number. */
  readonly serialNumber?: string;
}

/** What each member needs beside it. */
const NEEDS = [
  ["productId", "vendorId"],
  ["subclassCode", "classCode"],
  ["protocolCode", "subclassCode"],
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
  return sequence(value, what).map((item) => {
    const filter = dictionary(item, `an item of ${what}`);
    for (const [member, needed] of NEEDS) {
      if (filter[member] !== undefined && filter[needed] === undefined) {
        throw new TypeError(`${what}: ${member} needs ${needed}`);
      }
    }
    return convert(filter);
  });
}

function convert(filter: Readonly<Record<string, unknown>>): DeviceMatch {
  const optional = <T>(
    from: string,
    { to, by }: {
      readonly to: keyof DeviceMatch;
      readonly by: (value: unknown, what: string) => T;
    },
  ): Partial<Record<keyof DeviceMatch, T>> =>
    filter[from] === undefined ? {} : { [to]: by(filter[from], from) };
  const text = (value: unknown): string => String(value);
  return {
    ...optional("vendorId", { to: "vendorId", by: unsignedShort }),
    ...optional("productId", { to: "productId", by: unsignedShort }),
    ...optional("classCode", { to: "interfaceClass", by: octet }),
    ...optional("subclassCode", { to: "interfaceSubclass", by: octet }),
    ...optional("protocolCode", { to: "interfaceProtocol", by: octet }),
    ...optional("serialNumber", { to: "serialNumber", by: text }),
  } as DeviceMatch;
}

/** Whether any filter accepts the device; an empty list accepts every device, as browsers do. */
export function accepts(
  filters: readonly DeviceMatch[],
  device: DeviceInfo,
): boolean {
  return filters.length === 0 ||
    filters.some((filter) => matches(device, filter));
}
