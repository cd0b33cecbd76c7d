/**
 * Which device a driver is for, as data, and the text people type for one:
 * `0957:1755`, `0957:1755:MY12345678`, `0957:1755@1-4.2`.
 *
 * @module
 */

import type { DeviceInfo } from "./port.ts";
import {
  formatIds,
  type ProductId,
  productId,
  type VendorId,
  vendorId,
} from "./usb.ts";

/** A device matches when every member given does. Presence counts: 0 is a value. */
export interface DeviceMatch {
  /** `idVendor`. */
  readonly vendorId?: number;
  /** `idProduct`. */
  readonly productId?: number;
  /** Exact text of the serial number string. */
  readonly serialNumber?: string;
  /** Port path as Linux writes it, `1-4.2`. */
  readonly portPath?: string;
  /** The three class codes must be met by one interface together, or by the device. */
  readonly interfaceClass?: number;
  /** `bInterfaceSubClass`. */
  readonly interfaceSubclass?: number;
  /** `bInterfaceProtocol`. */
  readonly interfaceProtocol?: number;
}

/** The device a person asked for. */
export interface DeviceSelector {
  /** `idVendor`. */
  readonly vendorId: VendorId;
  /** `idProduct`. */
  readonly productId: ProductId;
  /** Absent: any. */
  readonly serialNumber?: string;
  /** Port path as Linux writes it, `1-4.2`; absent: any. */
  readonly portPath?: string;
}

/**
 * Reads `VID:PID`, `VID:PID:SERIAL` or `VID:PID@PORT`, hexadecimal ids. The
 * serial number is the rest of the text, colons included; the port is a path
 * such as `1-4.2`, for devices whose serial numbers are equal or absent.
 *
 * @throws {SyntaxError} When the text is none of them.
 */
export function parseDeviceSelector(text: string): DeviceSelector {
  const found = SELECTOR.exec(text);
  if (found === null) {
    throw new SyntaxError(
      `Cannot read ${
        JSON.stringify(text)
      } as a device: expected VID:PID, VID:PID:SERIAL or VID:PID@PORT, ` +
        "four hexadecimal digits each, for example 0957:1755",
    );
  }
  const [, vendor = "", product = "", serialNumber, portPath] = found;
  return {
    vendorId: vendorId(parseInt(vendor, 16)),
    productId: productId(parseInt(product, 16)),
    ...(serialNumber === undefined ? {} : { serialNumber }),
    ...(portPath === undefined ? {} : { portPath }),
  };
}

/** Ids, then a serial number of any letters, or a bus and its ports. */
const SELECTOR =
  /^([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+)|@(\d+-\d+(?:\.\d+)*))?$/s;

/** `0957:1755@1-4`: the label of a device in messages and logs. */
export function deviceLabel(device: DeviceInfo): string {
  const ids = formatIds(
    device.descriptor.vendorId,
    device.descriptor.productId,
  );
  return `${ids}@${device.portPath === "" ? device.id : device.portPath}`;
}

/** Whether a device meets a match. */
export function matches(device: DeviceInfo, match: DeviceMatch): boolean {
  const { descriptor } = device;
  return same(match.vendorId, descriptor.vendorId) &&
    same(match.productId, descriptor.productId) &&
    same(match.serialNumber, device.serialNumber) &&
    same(match.portPath, device.portPath) &&
    matchesClass(device, match);
}

function same<T>(wanted: T | undefined, actual: T): boolean {
  return wanted === undefined || wanted === actual;
}

function matchesClass(device: DeviceInfo, match: DeviceMatch): boolean {
  const { descriptor } = device;
  const codes = [
    match.interfaceClass,
    match.interfaceSubclass,
    match.interfaceProtocol,
  ] as const;
  if (codes.every((code) => code === undefined)) return true;
  const meets = (actual: readonly number[]): boolean =>
    codes.every((code, index) => code === undefined || code === actual[index]);
  const interfaces = device.configurations.flatMap((c) => c.interfaces).flatMap(
    (i) => i.alternates,
  );
  return interfaces.some((i) =>
    meets([i.interfaceClass, i.interfaceSubclass, i.interfaceProtocol])
  ) ||
    meets([
      descriptor.deviceClass,
      descriptor.deviceSubclass,
      descriptor.deviceProtocol,
    ]);
}
