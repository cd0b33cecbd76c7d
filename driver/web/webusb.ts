/**
 * WebUSB for Deno: the API that browsers have, over libusb or any other port.
 *
 * @module
 */

import * as objects from "./objects.ts";
import * as results from "./results.ts";
import { USB, USBConnectionEvent } from "./usb.ts";
import { USBDevice } from "./usb_device.ts";

export type { USBDeviceFilter } from "./filters.ts";
export {
  USBAlternateInterface,
  USBConfiguration,
  type USBDirection,
  USBEndpoint,
  type USBEndpointType,
  USBInterface,
} from "./objects.ts";
export { PROTECTED_CLASSES, type WebUsbPolicy } from "./policy.ts";
export {
  USBInTransferResult,
  USBIsochronousInTransferPacket,
  USBIsochronousInTransferResult,
  USBIsochronousOutTransferPacket,
  USBIsochronousOutTransferResult,
  USBOutTransferResult,
  type USBTransferStatus,
} from "./results.ts";
export {
  createWebUsb,
  type DeviceChooser,
  USB,
  USBConnectionEvent,
  type USBDeviceRequestOptions,
  type WebUsbOptions,
} from "./usb.ts";
export {
  type TransferExtension,
  type USBControlTransferParameters,
  USBDevice,
} from "./usb_device.ts";

/** Interface objects, as a browser has them on its global object. */
const INTERFACES: Readonly<Record<string, unknown>> = {
  USB,
  USBAlternateInterface: objects.USBAlternateInterface,
  USBConfiguration: objects.USBConfiguration,
  USBConnectionEvent,
  USBDevice,
  USBEndpoint: objects.USBEndpoint,
  USBInTransferResult: results.USBInTransferResult,
  USBInterface: objects.USBInterface,
  USBIsochronousInTransferPacket: results.USBIsochronousInTransferPacket,
  USBIsochronousInTransferResult: results.USBIsochronousInTransferResult,
  USBIsochronousOutTransferPacket: results.USBIsochronousOutTransferPacket,
  USBIsochronousOutTransferResult: results.USBIsochronousOutTransferResult,
  USBOutTransferResult: results.USBOutTransferResult,
};

/**
 * Puts `navigator.usb` and the interface objects on a global object, for
 * libraries that expect to find them there. Gives a function that takes them off
 * again.
 *
 * @throws {TypeError} When there is a `navigator.usb` already.
 */
export function installWebUsb(scope: object, usb: USB): () => void {
  const target = scope as Record<string, unknown>;
  const navigator = (target.navigator ??= {}) as object;
  if ("usb" in navigator) {
    throw new TypeError("There is a navigator.usb already");
  }
  Object.defineProperty(navigator, "usb", {
    value: usb,
    configurable: true,
    enumerable: true,
  });
  for (const [name, value] of Object.entries(INTERFACES)) {
    Object.defineProperty(target, name, {
      value,
      configurable: true,
      writable: true,
    });
  }
  return () => {
    Reflect.deleteProperty(navigator, "usb");
    for (const name of Object.keys(INTERFACES)) {
      Reflect.deleteProperty(target, name);
    }
  };
}
