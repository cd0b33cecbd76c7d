/**
 * The device of a bundle as a driver gets to know it: from its descriptors,
 * which may say anything.
 *
 * @module
 */

import { parseConfigurationDescriptor } from "../../descriptors.ts";
import { UsbError } from "../../errors.ts";
import type { DeviceInfo } from "../../port.ts";
import {
  type ConfigurationDescriptor,
  productId,
  vendorId,
} from "../../usb.ts";
import type { BundledDevice } from "./crash_bundle.ts";

/**
 * Makes it.
 *
 * @throws {RangeError} When its ids are none.
 */
export function bundledDeviceInfo(device: BundledDevice): DeviceInfo {
  const { descriptor, configurations, port } = device;
  const field = (name: string): number => descriptor[name] ?? 0;
  return {
    id: `${port}#0`,
    busNumber: 0,
    deviceAddress: 0,
    portPath: port,
    speed: device.speed,
    descriptor: {
      usbVersion: field("usbVersion"),
      deviceClass: field("deviceClass"),
      deviceSubclass: field("deviceSubclass"),
      deviceProtocol: field("deviceProtocol"),
      maxPacketSize0: field("maxPacketSize0"),
      vendorId: vendorId(field("vendorId")),
      productId: productId(field("productId")),
      deviceVersion: field("deviceVersion"),
      manufacturerIndex: field("manufacturerIndex"),
      productIndex: field("productIndex"),
      serialNumberIndex: field("serialNumberIndex"),
      configurationCount: field("configurationCount"),
    },
    manufacturer: device.manufacturer,
    product: device.product,
    serialNumber: device.serial,
    configurations: configurations.flatMap(configurationOf),
    configurationValue: configurations.flatMap(configurationOf)
      .find(({ configurationValue }) =>
        configurationValue === device.configuration_value
      )?.configurationValue,
    nodePath: undefined,
  };
}

/** What cannot be read is left out, as it is of a device on a bus. */
function configurationOf(hex: string): ConfigurationDescriptor[] {
  const bytes = Uint8Array.from(
    hex.match(/[0-9a-f]{2}/g) ?? [],
    (digits) => parseInt(digits, 16),
  );
  try {
    return [parseConfigurationDescriptor(bytes)];
  } catch (error) {
    if (error instanceof UsbError) return [];
    throw error;
  }
}
