/**
 * The devices on the bus, listed without opening any.
 *
 * @module
 */

import {
  DEVICE_DESCRIPTOR_BYTES,
  parseConfigurations,
  parseDeviceDescriptor,
} from "../driver/descriptors.ts";
import { UsbError } from "../driver/errors.ts";
import type { DeviceInfo } from "../driver/port.ts";
import {
  type ConfigurationDescriptor,
  configurationValue,
  type Speed,
} from "../driver/usb.ts";
import { LIBUSB_CLASS_HUB, MAX_PORT_DEPTH } from "./libusb_constants.ts";
import { libusbError } from "./libusb_errors.ts";
import { CONFIG_DESCRIPTOR } from "./libusb_structs.ts";
import type { Library } from "./library.ts";
import { nativeBytes, type Pointer } from "./memory.ts";
import { configurationsFromTree, SysfsDevice } from "./raw_descriptors.ts";

/** A device, with libusb's reference to it. */
export interface ListedDevice {
  readonly info: DeviceInfo;
  /** A `libusb_device` with one reference held by the list. */
  readonly pointer: Pointer;
  /** When it was first listed, on the list's clock; -Infinity if it was there at the start. */
  readonly arrivedAtMs: number;
}

/** 127 addresses on each of at most 255 buses; more is not a list. */
const MAX_DEVICES = 127 * 255;

/** Devices of one context. What was read of a device is kept until it leaves. */
export class DeviceList {
  readonly #library: Library;
  readonly #context: Pointer;
  readonly #nowMs: () => number;
  readonly #known = new Map<bigint, ListedDevice>();
  #isFirstLook = true;

  /** For one context with device discovery. */
  constructor(
    library: Library,
    options: { readonly context: Pointer; readonly nowMs: () => number },
  ) {
    this.#library = library;
    this.#context = options.context;
    this.#nowMs = options.nowMs;
  }

  /**
   * What is there now, hubs left out, in order of bus and port.
   *
   * @throws {UsbError} When libusb cannot list.
   */
  list(): readonly ListedDevice[] {
    const { symbols } = this.#library;
    const present = this.#addresses();
    this.#isFirstLook = false;
    for (const [address, device] of this.#known) {
      if (present.has(address)) continue;
      this.#known.delete(address);
      // SAFETY: our reference from below; nobody uses the pointer any more.
      symbols.libusb_unref_device(device.pointer);
    }
    const devices = [...this.#known.values()].filter(({ info }) =>
      info.descriptor.deviceClass !== LIBUSB_CLASS_HUB
    );
    return devices.sort(inOrderOfPorts);
  }

  /** The device an info belongs to, if it is still there. */
  find(info: DeviceInfo): ListedDevice | undefined {
    return this.list().find((device) => device.info.id === info.id);
  }

  /** Gives all references back. */
  close(): void {
    for (const { pointer } of this.#known.values()) {
      // SAFETY: as in `list`.
      this.#library.symbols.libusb_unref_device(pointer);
    }
    this.#known.clear();
  }

  /** Takes in what is new; gives the addresses of all that is there. */
  #addresses(): ReadonlySet<bigint> {
    const { symbols, memory } = this.#library;
    const out = nativeBytes(8);
    // SAFETY: an array of references, freed with them below.
    const count = Number(symbols.libusb_get_device_list(this.#context, out));
    if (count < 0) throw libusbError(count, { operation: "list devices" });
    const array = memory.out(out);
    const present = new Set<bigint>();
    if (array === null) return present;
    const view = memory.readView(array, Math.min(count, MAX_DEVICES) * 8);
    for (let n = 0; n < Math.min(count, MAX_DEVICES); n++) {
      const address = view.getBigUint64(n * 8, true);
      if (this.#known.has(address) || this.#take(address)) {
        present.add(address);
      }
    }
    // SAFETY: our own references of `#take` stay.
    symbols.libusb_free_device_list(array, 1);
    return present;
  }

  /** Keeps a device; `false` when it has no descriptor, because it is leaving. */
  #take(address: bigint): boolean {
    const { symbols, memory } = this.#library;
    const pointer = memory.pointer(address);
    if (pointer === null) return false;
    const info = describeDevice(this.#library, pointer);
    if (info === undefined) return false;
    // SAFETY: our reference, so that the address is not used for another device.
    symbols.libusb_ref_device(pointer);
    const arrivedAtMs = this.#isFirstLook ? -Infinity : this.#nowMs();
    this.#known.set(address, { info, pointer, arrivedAtMs });
    return true;
  }
}

/** What a caller knows that libusb may not: an inherited descriptor tells no port. */
export interface KnownPlace {
  /** Bus number. */
  readonly busNumber?: number;
  /** Port path as Linux writes it, `1-4.2`. */
  readonly portPath?: string;
  /** The device node. */
  readonly nodePath?: string;
  /** Device descriptor and configurations, read elsewhere. */
  readonly descriptors?: Uint8Array;
  /** What the device calls itself; then nothing is looked up for it. */
  readonly strings?: Partial<
    Pick<DeviceInfo, "manufacturer" | "product" | "serialNumber">
  >;
}

/** Reads all there is to know without opening. SAFETY: `device` is referenced by someone. */
export function describeDevice(
  library: Library,
  device: Pointer,
  place: KnownPlace = {},
): DeviceInfo | undefined {
  const { symbols } = library;
  const deviceBytes = nativeBytes(DEVICE_DESCRIPTOR_BYTES);
  // SAFETY: 18 bytes, written during the call.
  if (symbols.libusb_get_device_descriptor(device, deviceBytes) !== 0) {
    return undefined;
  }
  const descriptor = parseDeviceDescriptor(deviceBytes.with(1, 1));
  // SAFETY: these read the struct only.
  const busNumber = place.busNumber ?? symbols.libusb_get_bus_number(device);
  const deviceAddress = symbols.libusb_get_device_address(device);
  const portPath = place.portPath ??
    portPathOf(library, { device, busNumber });
  const isKnown = place.descriptors !== undefined &&
    place.strings !== undefined;
  const sysfs = isKnown ? undefined : sysfsOf(library, portPath, deviceBytes);
  const raw = place.descriptors ?? sysfs?.descriptors();
  return {
    id: `${portPath === "" ? busNumber : portPath}#${deviceAddress}`,
    busNumber,
    deviceAddress,
    portPath,
    speed: SPEEDS[symbols.libusb_get_device_speed(device)] ?? "unknown",
    descriptor,
    manufacturer: attribute(sysfs, "manufacturer"),
    product: attribute(sysfs, "product"),
    serialNumber: attribute(sysfs, "serial"),
    ...place.strings,
    configurations: configurationsOf(library, {
      device,
      raw,
      count: descriptor.configurationCount,
    }),
    configurationValue: activeConfiguration(library, device),
    nodePath: place.nodePath ?? nodePath(busNumber, deviceAddress),
  };
}

const SPEEDS: readonly Speed[] = [
  "unknown",
  "low",
  "full",
  "high",
  "super",
  "super+",
  "super+x2",
];

function attribute(
  sysfs: SysfsDevice | undefined,
  name: string,
): string | undefined {
  return sysfs?.attribute(name);
}

/** The device's directory in sysfs, if it is this device's: the descriptor must be the same. */
function sysfsOf(
  library: Library,
  portPath: string,
  deviceBytes: Uint8Array,
): SysfsDevice | undefined {
  if (portPath === "" || Deno.build.os !== "linux") return undefined;
  const sysfs = new SysfsDevice(library, portPath);
  const shown = sysfs.descriptors();
  const isSame = shown !== undefined &&
    shown.length >= DEVICE_DESCRIPTOR_BYTES &&
    deviceBytes.every((byte, n) => byte === shown[n]);
  return isSame ? sysfs : undefined;
}

function configurationsOf(
  library: Library,
  from: {
    readonly device: Pointer;
    readonly raw: Uint8Array | undefined;
    readonly count: number;
  },
): readonly ConfigurationDescriptor[] {
  const bytes = from.raw?.subarray(DEVICE_DESCRIPTOR_BYTES) ??
    configurationsFromTree(library, from.device, from.count);
  return parseConfigurations(bytes, from.count);
}

function activeConfiguration(
  library: Library,
  device: Pointer,
): DeviceInfo["configurationValue"] {
  const out = nativeBytes(8);
  // SAFETY: the tree is ours until freed; on Linux libusb asks sysfs, not the device.
  const result = library.symbols.libusb_get_active_config_descriptor(
    device,
    out,
  );
  const tree = result === 0 ? library.memory.out(out) : null;
  if (tree === null) return undefined;
  const view = library.memory.readView(tree, CONFIG_DESCRIPTOR.sizeBytes);
  const { bConfigurationValue } = CONFIG_DESCRIPTOR.fields;
  const value = view.getUint8(bConfigurationValue[0]);
  // SAFETY: the value was copied.
  library.symbols.libusb_free_config_descriptor(tree);
  return value === 0 ? undefined : configurationValue(value);
}

function portPathOf(
  library: Library,
  of: { readonly device: Pointer; readonly busNumber: number },
): string {
  const ports = nativeBytes(MAX_PORT_DEPTH);
  // SAFETY: as long as said.
  const count = library.symbols.libusb_get_port_numbers(
    of.device,
    ports,
    MAX_PORT_DEPTH,
  );
  if (count <= 0) return "";
  return `${of.busNumber}-${[...ports.subarray(0, count)].join(".")}`;
}

function nodePath(bus: number, address: number): string | undefined {
  if (Deno.build.os !== "linux" || bus === 0) return undefined;
  const digits = (value: number): string => String(value).padStart(3, "0");
  return `/dev/bus/usb/${digits(bus)}/${digits(address)}`;
}

function inOrderOfPorts(one: ListedDevice, other: ListedDevice): number {
  const [a, b] = [one.info, other.info];
  return a.busNumber - b.busNumber ||
    a.portPath.localeCompare(b.portPath, "en", { numeric: true }) ||
    a.deviceAddress - b.deviceAddress;
}

/** The error for a device that is not on the bus any more. */
export function goneError(operation: string, label: string): UsbError {
  return new UsbError({
    code: "noDevice",
    operation,
    device: label,
    reason: "it is not on the bus",
    advice: "Plug it in, or list the devices again",
  });
}
