/**
 * Devices as `list` and `doctor` show them: names, driver that matches, who
 * holds each interface, what stands in the way. Opens nothing.
 *
 * @module
 */

import type { Driver } from "../driver.ts";
import { matches } from "../match.ts";
import type { DeviceInfo } from "../port.ts";
import { formatIds, hex } from "../usb.ts";
import { type AccessProblem, accessProblem } from "./node_access.ts";
import type { SystemReader } from "./system_reader.ts";
import type { UsbNames } from "./usb_ids.ts";

/** An interface of the active configuration. */
export interface InterfaceRow {
  readonly number: number;
  /** `fe/03/01`: class, subclass, protocol. */
  readonly class: string;
  /** Kernel driver that holds it, if any. */
  readonly kernelDriver: string | undefined;
}

/** One device. */
export interface DeviceRow {
  readonly ids: string;
  readonly portPath: string;
  readonly speed: string;
  readonly vendor: string | undefined;
  readonly product: string | undefined;
  readonly serialNumber: string | undefined;
  readonly nodePath: string | undefined;
  readonly interfaces: readonly InterfaceRow[];
  /** Names of the drivers that match. */
  readonly drivers: readonly string[];
  readonly access: AccessProblem | undefined;
}

/** What rows are made with. */
export interface DeviceRowTools {
  readonly names: UsbNames;
  readonly drivers: readonly Pick<Driver, "name" | "match">[];
  readonly system: SystemReader;
}

/** Makes a device's row. What the device says of itself comes before usb.ids. */
export function deviceRow(
  device: DeviceInfo,
  tools: DeviceRowTools,
): DeviceRow {
  const { descriptor } = device;
  const ids = formatIds(descriptor.vendorId, descriptor.productId);
  return {
    ids,
    portPath: device.portPath,
    speed: device.speed,
    vendor: device.manufacturer ?? tools.names.vendor(descriptor.vendorId),
    product: device.product ??
      tools.names.product(descriptor.vendorId, descriptor.productId),
    serialNumber: device.serialNumber,
    nodePath: device.nodePath,
    interfaces: interfaceRows(device, tools.system),
    drivers: tools.drivers
      .filter((driver) => driver.match.some((match) => matches(device, match)))
      .map((driver) => driver.name),
    access: device.nodePath === undefined
      ? undefined
      : accessProblem(tools.system, device.nodePath, ids),
  };
}

/** The configuration that is active, or the first where that is not known. */
function activeConfiguration(
  device: DeviceInfo,
): DeviceInfo["configurations"][number] | undefined {
  return device.configurations.find((configuration) =>
    configuration.configurationValue === device.configurationValue
  ) ?? device.configurations[0];
}

function interfaceRows(
  device: DeviceInfo,
  system: SystemReader,
): InterfaceRow[] {
  const configuration = activeConfiguration(device);
  if (configuration === undefined) return [];
  return configuration.interfaces.map((entry) => {
    const first = entry.alternates[0];
    const codes = [
      first?.interfaceClass ?? 0,
      first?.interfaceSubclass ?? 0,
      first?.interfaceProtocol ?? 0,
    ];
    const folder = `/sys/bus/usb/devices/${device.portPath}:` +
      `${configuration.configurationValue}.${entry.interfaceNumber}`;
    return {
      number: entry.interfaceNumber,
      class: codes.map((code) => hex(code).slice(2)).join("/"),
      kernelDriver: system.linkName(`${folder}/driver`),
    };
  });
}
