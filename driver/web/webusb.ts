/**
 * WebUSB for Deno: the API that browsers have, over libusb or any other port.
 *
 * ```ts ignore
 * import { LibusbPort } from "@driverspace/usb";
 * import { createWebUsb } from "@driverspace/usb/webusb";
 *
 * await using port = await LibusbPort.open();
 * await using usb = createWebUsb({ port });
 * const device = await usb.requestDevice({ filters: [{ vendorId: 0x0957 }] });
 * await device.open();
 * ```
 *
 * @module
 */

import * as objects from "./objects.ts";
import * as results from "./results.ts";
import { USB, USBConnectionEvent } from "./usb.ts";
import { USBDevice } from "./usb_device.ts";

export type * from "../port.ts";
export type * from "../usb.ts";
export type { USBDeviceFilter } from "./filters.ts";
export {
  deviceInfo,
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
  type ConnectionHandler,
  type ConnectionListener,
  createWebUsb,
  type DeviceChooser,
  USB,
  USBConnectionEvent,
  type USBDeviceRequestOptions,
  type WebUsbOptions,
} from "./usb.ts";
export type {
  TransferExtension,
  USBControlTransferParameters,
} from "./transfer_arguments.ts";
export { USBDevice } from "./usb_device.ts";

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
 * libraries that expect to find them there. Gives a function that puts back what
 * was there before.
 *
 * @throws {TypeError} When there is a `navigator.usb` already.
 */
export function installWebUsb(scope: object, usb: USB): () => void {
  const target = scope as { navigator?: object };
  const hadNavigator = target.navigator !== undefined;
  const navigator = target.navigator ??= {};
  if ("usb" in navigator) {
    throw new TypeError("There is a navigator.usb already");
  }
  const undo = [
    put(navigator, "usb", { value: usb, enumerable: true }),
    ...Object.entries(INTERFACES).map(([name, value]) =>
      put(scope, name, { value, writable: true })
    ),
  ];
  return () => {
    for (const restore of undo) restore();
    if (!hadNavigator) Reflect.deleteProperty(target, "navigator");
  };
}

/** Defines a property; gives what restores the one that was there. */
function put(
  target: object,
  name: string,
  property: PropertyDescriptor,
): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, {
    enumerable: false,
    ...property,
    configurable: true,
  });
  return () => {
    if (before === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, before);
  };
}
