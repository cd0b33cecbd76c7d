/**
 * Gets a driver its device: the one it is given, or the one on the port that it
 * matches. Several are reported, never guessed between.
 *
 * @module
 */

import type { AnyDriver } from "../driver.ts";
import { UsbError } from "../errors.ts";
import { deviceLabel, matches } from "../match.ts";
import type { DeviceInfo, DevicePort, UsbPort } from "../port.ts";
import { findInterface } from "./selectors.ts";

/** Where a device comes from. */
export interface DeviceSource {
  readonly device?: DevicePort;
  readonly port?: UsbPort;
  readonly deviceInfo?: DeviceInfo;
}

/**
 * Opens the device of a driver.
 *
 * @throws {UsbError} `noDevice` when none matches, `notFound` when several do, or as `UsbPort.open`.
 * @throws {TypeError} When there is neither a device nor a port.
 */
export async function openDevice(
  driver: AnyDriver,
  source: DeviceSource,
): Promise<DevicePort> {
  if (source.device !== undefined) return source.device;
  const { port } = source;
  if (port === undefined) {
    throw new TypeError("Cannot open a device: no device and no port given");
  }
  const info = source.deviceInfo ?? await findDevice(driver, port);
  return await port.open(info, {
    kernelDriver: driver.kernelDriver ?? "detach",
  });
}

/**
 * Claims the interfaces a driver asks for.
 *
 * @throws {UsbError} `notFound`, `busy`, `access`, `noDevice`.
 */
export async function claimInterfaces(
  driver: AnyDriver,
  device: DevicePort,
): Promise<void> {
  for (const selector of driver.interfaces) {
    const found = findInterface(device, selector);
    await device.claimInterface(found.interfaceNumber);
  }
}

async function findDevice(
  driver: AnyDriver,
  port: UsbPort,
): Promise<DeviceInfo> {
  const devices = await port.devices();
  const [found, second] = devices.filter((device) =>
    driver.match.some((match) => matches(device, match))
  );
  if (found === undefined) {
    throw new UsbError({
      code: "noDevice",
      operation: `find a device for driver ${driver.name}`,
      reason: "none is connected",
    });
  }
  if (second !== undefined) {
    throw new UsbError({
      code: "notFound",
      operation: `choose a device for driver ${driver.name}`,
      reason: `${deviceLabel(found)} and ${deviceLabel(second)} both match`,
      advice: "Name one of them, with its serial number or its port",
    });
  }
  return found;
}
