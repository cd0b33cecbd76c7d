/**
 * A device's part of sysfs and its udev properties, as libudev, libusb, lsusb
 * and nusb read them. Linux, Documentation/ABI/testing/sysfs-bus-usb.
 *
 * @module
 */

import type { Speed } from "../usb.ts";
import type { BusDevice } from "./bus_device.ts";
import type { TreeEntry } from "./usbfs_contract.ts";
import { ROOT_HUB_PORTS } from "./root_hub.ts";

/** Where a device is. */
export interface SysfsPlace {
  /** `BUSNUM`. */
  readonly busNumber: number;
  /** `DEVNUM`. */
  readonly deviceAddress: number;
  /** `usb1` or `1-4.2`. */
  readonly name: string;
  /** Below /sys: `/devices/pci0000:00/0000:00:14.0/usb1/1-4`. */
  readonly devicePath: string;
}

/** Major number of USB device nodes. Linux, Documentation/admin-guide/devices.txt. */
export const USB_DEVICE_MAJOR = 189;
/** The controller the bus pretends to be behind. */
export const CONTROLLER_PATH = "/devices/pci0000:00/0000:00:14.0";

/** Directories every client needs, before the first device. */
export const SYSFS_ROOT: readonly TreeEntry[] = [
  { kind: "directory", path: "/sys" },
  { kind: "directory", path: "/sys/bus" },
  { kind: "directory", path: "/sys/bus/usb" },
  { kind: "directory", path: "/sys/bus/usb/devices" },
  { kind: "directory", path: "/sys/class" },
  { kind: "directory", path: "/sys/devices" },
  { kind: "directory", path: "/sys/devices/pci0000:00" },
  { kind: "directory", path: `/sys${CONTROLLER_PATH}` },
];

/** Minor number of a device node. */
export function minorOf(busNumber: number, deviceAddress: number): number {
  return (busNumber - 1) * 128 + deviceAddress - 1;
}

/** `/dev/bus/usb/001/002`. */
export function nodePathOf(busNumber: number, deviceAddress: number): string {
  return `/dev/bus/usb/${pad(busNumber)}/${pad(deviceAddress)}`;
}

/** udev properties of a device, without ACTION and SEQNUM. */
export function propertiesOf(
  place: SysfsPlace,
): Readonly<Record<string, string>> {
  const { busNumber, deviceAddress } = place;
  return {
    DEVPATH: place.devicePath,
    SUBSYSTEM: "usb",
    DEVTYPE: "usb_device",
    DRIVER: "usb",
    MAJOR: String(USB_DEVICE_MAJOR),
    MINOR: String(minorOf(busNumber, deviceAddress)),
    BUSNUM: pad(busNumber),
    DEVNUM: pad(deviceAddress),
    DEVNAME: nodePathOf(busNumber, deviceAddress),
  };
}

/** A device's entries, parents first. */
export function treeOf(
  device: BusDevice,
  place: SysfsPlace,
): readonly TreeEntry[] {
  const directory = `/sys${place.devicePath}`;
  const file = (name: string, content: string | Uint8Array): TreeEntry => ({
    kind: "file",
    path: `${directory}/${name}`,
    content,
  });
  const attributes = Object.entries(attributesOf(device, place));
  return [
    { kind: "directory", path: directory },
    file("uevent", ueventOf(place)),
    ...attributes.map(([name, value]) => file(name, `${value}\n`)),
    file("descriptors", concatenated(device)),
    {
      kind: "link",
      path: `${directory}/subsystem`,
      target: `${"../".repeat(depthOf(place.devicePath))}bus/usb`,
    },
    ...interfacesOf(device, place),
    {
      kind: "link",
      path: `/sys/bus/usb/devices/${place.name}`,
      target: `../../..${place.devicePath}`,
    },
  ];
}

/** Path of the attribute that follows SET_CONFIGURATION. */
export function configurationPathOf(place: SysfsPlace): string {
  return `/sys${place.devicePath}/bConfigurationValue`;
}

function ueventOf(place: SysfsPlace): string {
  const { DEVPATH: _, ...properties } = propertiesOf(place);
  return Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

function attributesOf(
  device: BusDevice,
  place: SysfsPlace,
): Record<string, string | number> {
  const { deviceDescriptor: d, descriptors, activeConfiguration } = device;
  const text = (index: number): string | undefined =>
    descriptors.strings[index - 1];
  const [, ports = "0"] = place.name.split("-");
  const optional = {
    manufacturer: text(d.manufacturerIndex),
    product: text(d.productIndex),
    serial: text(d.serialNumberIndex),
  };
  return {
    busnum: place.busNumber,
    devnum: place.deviceAddress,
    devpath: ports,
    speed: SPEED_TEXT[descriptors.speed],
    version: ` ${(d.usbVersion >> 8).toString(16)}.${
      hex2(d.usbVersion & 0xff)
    }`,
    bConfigurationValue: activeConfiguration?.configurationValue ?? "",
    bNumInterfaces: ` ${activeConfiguration?.interfaces.length ?? 0}`,
    bmAttributes: hex2(activeConfiguration?.attributes ?? 0),
    bMaxPower: `${activeConfiguration?.maxPowerMilliamperes ?? 0}mA`,
    idVendor: hex4(d.vendorId),
    idProduct: hex4(d.productId),
    bcdDevice: hex4(d.deviceVersion),
    bDeviceClass: hex2(d.deviceClass),
    bDeviceSubClass: hex2(d.deviceSubclass),
    bDeviceProtocol: hex2(d.deviceProtocol),
    bMaxPacketSize0: d.maxPacketSize0,
    bNumConfigurations: d.configurationCount,
    maxchild: place.name.startsWith("usb") ? ROOT_HUB_PORTS : 0,
    rx_lanes: 1,
    tx_lanes: 1,
    authorized: 1,
    ...Object.fromEntries(
      Object.entries(optional).filter((entry): entry is [string, string] =>
        entry[1] !== undefined
      ),
    ),
  };
}

/** Interface folders, which `lsusb -t` walks; those of the configuration at plug. */
function interfacesOf(
  device: BusDevice,
  place: SysfsPlace,
): readonly TreeEntry[] {
  const configuration = device.activeConfiguration;
  if (configuration === undefined) return [];
  const base = place.name.startsWith("usb")
    ? `${place.busNumber}-0`
    : place.name;
  return configuration.interfaces.flatMap(({ alternates }) => {
    const [first] = alternates;
    if (first === undefined) return [];
    const name = `${base}:${configuration.configurationValue}.` +
      first.interfaceNumber;
    const directory = `/sys${place.devicePath}/${name}`;
    const driver = device.claims.driver(first.interfaceNumber);
    const attributes = {
      bInterfaceNumber: hex2(first.interfaceNumber),
      bAlternateSetting: ` ${first.alternateSetting}`,
      bNumEndpoints: hex2(first.endpoints.length),
      bInterfaceClass: hex2(first.interfaceClass),
      bInterfaceSubClass: hex2(first.interfaceSubclass),
      bInterfaceProtocol: hex2(first.interfaceProtocol),
    };
    const lines = ["DEVTYPE=usb_interface"];
    if (driver !== undefined) lines.push(`DRIVER=${driver}`);
    return [
      { kind: "directory", path: directory },
      {
        kind: "file",
        path: `${directory}/uevent`,
        content: lines.map((line) => `${line}\n`).join(""),
      },
      ...Object.entries(attributes).map(([key, value]): TreeEntry => ({
        kind: "file",
        path: `${directory}/${key}`,
        content: `${value}\n`,
      })),
      {
        kind: "link",
        path: `${directory}/subsystem`,
        target: `${"../".repeat(depthOf(place.devicePath) + 1)}bus/usb`,
      },
    ];
  });
}

function concatenated(device: BusDevice): Uint8Array {
  const parts = [
    device.descriptors.device,
    ...device.descriptors.configurations.map(kept),
  ];
  const bytes = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * What Linux keeps of a configuration: all up to the first descriptor whose
 * length cannot be. drivers/usb/core/config.c, usb_parse_configuration. Readers
 * rely on it: libusb 1.0.26 never ends on a length of 0 before another
 * configuration.
 */
function kept(configuration: Uint8Array): Uint8Array {
  let end = 0;
  while (configuration.length - end >= 2) {
    const lengthBytes = configuration[end] ?? 0;
    if (lengthBytes < 2 || lengthBytes > configuration.length - end) break;
    end += lengthBytes;
  }
  return configuration.subarray(0, end);
}

const SPEED_TEXT: Readonly<Record<Speed, string>> = {
  unknown: "480",
  low: "1.5",
  full: "12",
  high: "480",
  super: "5000",
  "super+": "10000",
  "super+x2": "20000",
};

function depthOf(devicePath: string): number {
  return devicePath.split("/").length - 1;
}

function pad(value: number): string {
  return String(value).padStart(3, "0");
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, "0");
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, "0");
}
