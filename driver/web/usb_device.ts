/**
 * `USBDevice` of WebUSB over any port. Preconditions are checked in this order:
 * arguments, device gone, change pending, open, configured, the method's own.
 * Failures reject; nothing throws synchronously.
 *
 * @module
 */

import type { ConfigurationDescriptor, Direction } from "../usb.ts";
import {
  bytesOf,
  enumeration,
  exposeInterface,
  octet,
  requireArguments,
  unsignedLong,
  unsignedShort,
} from "./idl.ts";
import { DeviceCore } from "./device_core.ts";
import { DeviceTransfers } from "./device_transfers.ts";
import { frozen, registerDevice, USBConfiguration } from "./objects.ts";
import type {
  USBInTransferResult,
  USBIsochronousInTransferResult,
  USBIsochronousOutTransferResult,
  USBOutTransferResult,
} from "./results.ts";
import {
  abortable,
  controlParameters,
  extensionOf,
  lengthsOf,
  type TransferExtension,
  type USBControlTransferParameters,
} from "./transfer_arguments.ts";

/** Only this module's factory may make devices. */
const TOKEN: unique symbol = Symbol("USBDevice");

/** A device, as WebUSB shows it. */
export class USBDevice {
  readonly #core: DeviceCore;
  readonly #transfers: DeviceTransfers;
  readonly #configurations: USBConfiguration[];

  /**
   * Not for programs: devices come from `getDevices` and `requestDevice`.
   *
   * @throws {TypeError} Always, from outside.
   */
  constructor(...parts: never[]) {
    const [token, core] = parts as readonly unknown[];
    if (token !== TOKEN || !(core instanceof DeviceCore)) {
      throw new TypeError("Illegal constructor");
    }
    this.#core = core;
    this.#transfers = new DeviceTransfers(core);
    registerDevice(this, core);
    this.#configurations = frozen(
      distinct(core.configurations).map((c) =>
        new USBConfiguration(this, c.configurationValue)
      ),
    );
  }

  /** The active configuration, one of `configurations`; null when not configured. */
  get configuration(): USBConfiguration | null {
    const active = this.#core.activeConfigurationValue;
    return this.#configurations.find((c) => c.configurationValue === active) ??
      null;
  }

  /** All configurations; frozen, the same array each time. */
  get configurations(): USBConfiguration[] {
    return this.#configurations;
  }

  /** `bDeviceClass`. */
  get deviceClass(): number {
    return this.#core.descriptor.deviceClass;
  }

  /** `bDeviceProtocol`. */
  get deviceProtocol(): number {
    return this.#core.descriptor.deviceProtocol;
  }

  /** `bDeviceSubClass`. */
  get deviceSubclass(): number {
    return this.#core.descriptor.deviceSubclass;
  }

  /** High byte of `bcdDevice`. */
  get deviceVersionMajor(): number {
    return this.#core.descriptor.deviceVersion >> 8;
  }

  /** Bits 7..4 of `bcdDevice`. */
  get deviceVersionMinor(): number {
    return this.#core.descriptor.deviceVersion >> 4 & 0xf;
  }

  /** Bits 3..0 of `bcdDevice`. */
  get deviceVersionSubminor(): number {
    return this.#core.descriptor.deviceVersion & 0xf;
  }

  /** Null where the device names none. */
  get manufacturerName(): string | null {
    return this.#core.info.manufacturer || null;
  }

  /** Whether this program has it open. */
  get opened(): boolean {
    return this.#core.isOpen;
  }

  /** `idProduct`. */
  get productId(): number {
    return this.#core.descriptor.productId;
  }

  /** Null where the device names none. */
  get productName(): string | null {
    return this.#core.info.product || null;
  }

  /** Null where the device has none. */
  get serialNumber(): string | null {
    return this.#core.info.serialNumber || null;
  }

  /** High byte of `bcdUSB`. */
  get usbVersionMajor(): number {
    return this.#core.descriptor.usbVersion >> 8;
  }

  /** Bits 7..4 of `bcdUSB`. */
  get usbVersionMinor(): number {
    return this.#core.descriptor.usbVersion >> 4 & 0xf;
  }

  /** Bits 3..0 of `bcdUSB`. */
  get usbVersionSubminor(): number {
    return this.#core.descriptor.usbVersion & 0xf;
  }

  /** `idVendor`. */
  get vendorId(): number {
    return this.#core.descriptor.vendorId;
  }

  /** Claims an interface; a no-op if it is ours. */
  async claimInterface(interfaceNumber: number): Promise<undefined> {
    requireArguments(arguments, 1);
    const number = octet(interfaceNumber, "interfaceNumber");
    await this.#core.claimInterface(number);
  }

  /** Clears the halt of an endpoint at both ends, data toggle included. */
  async clearHalt(
    direction: Direction,
    endpointNumber: number,
  ): Promise<undefined> {
    requireArguments(arguments, 2);
    const way = enumeration(direction, {
      what: "USBDirection",
      values: ["in", "out"] as const,
    });
    await this.#core.clearHalt(way, octet(endpointNumber, "endpointNumber"));
  }

  /** Aborts every transfer, releases every interface; a no-op if closed. */
  async close(): Promise<undefined> {
    await this.#core.close();
  }

  /** Reads by a control transfer; `length` is `wLength`. */
  controlTransferIn(
    setup: USBControlTransferParameters,
    length: number,
    extension: TransferExtension = {},
  ): Promise<USBInTransferResult> {
    return abortable(() => {
      const transfers = this.#transfers;
      requireArguments(arguments, 2);
      const request = controlParameters(setup);
      const lengthBytes = unsignedShort(length, "length");
      return transfers.controlIn(request, {
        lengthBytes,
        extension: extensionOf(extension),
      });
    });
  }

  /** Writes by a control transfer; the data are copied when called. */
  controlTransferOut(
    setup: USBControlTransferParameters,
    data: BufferSource | undefined = undefined,
    extension: TransferExtension = {},
  ): Promise<USBOutTransferResult> {
    return abortable(() => {
      const transfers = this.#transfers;
      requireArguments(arguments, 1);
      const request = controlParameters(setup);
      const bytes = data === undefined
        ? new Uint8Array()
        : bytesOf(data, "data");
      return transfers.controlOut(request, {
        data: bytes,
        extension: extensionOf(extension),
      });
    });
  }

  /** Drops the permission and closes the device. A second call does the same. */
  async forget(): Promise<undefined> {
    await this.#core.forget();
  }

  /** Reads isochronous packets of the lengths given. */
  isochronousTransferIn(
    endpointNumber: number,
    packetLengths: readonly number[],
    extension: TransferExtension = {},
  ): Promise<USBIsochronousInTransferResult> {
    return abortable(() => {
      const transfers = this.#transfers;
      requireArguments(arguments, 2);
      const number = octet(endpointNumber, "endpointNumber");
      return transfers.isochronousIn(number, {
        lengths: lengthsOf(packetLengths),
        extension: extensionOf(extension),
      });
    });
  }

  /** Writes isochronous packets; `data` is their concatenation, copied when called. */
  isochronousTransferOut(
    endpointNumber: number,
    data: BufferSource,
    packetLengths: readonly number[],
    extension: TransferExtension = {},
  ): Promise<USBIsochronousOutTransferResult> {
    return abortable(() => {
      const transfers = this.#transfers;
      requireArguments(arguments, 3);
      const number = octet(endpointNumber, "endpointNumber");
      const bytes = bytesOf(data, "data");
      return transfers.isochronousOut(number, {
        data: bytes,
        lengths: lengthsOf(packetLengths),
        extension: extensionOf(extension),
      });
    });
  }

  /** Opens the device; a no-op if open. */
  async open(): Promise<undefined> {
    await this.#core.open();
  }

  /** Gives an interface back, aborting its transfers; a no-op if not claimed. */
  async releaseInterface(interfaceNumber: number): Promise<undefined> {
    requireArguments(arguments, 1);
    const number = octet(interfaceNumber, "interfaceNumber");
    await this.#core.releaseInterface(number);
  }

  /** Resets the port; transfers abort, the device stays open and this object the same. */
  async reset(): Promise<undefined> {
    await this.#core.reset();
  }

  /** Selects an alternate setting by its `bAlternateSetting`, aborting the interface's transfers. */
  async selectAlternateInterface(
    interfaceNumber: number,
    alternateSetting: number,
  ): Promise<undefined> {
    requireArguments(arguments, 2);
    const number = octet(interfaceNumber, "interfaceNumber");
    const setting = octet(alternateSetting, "alternateSetting");
    await this.#core.selectAlternate(number, setting);
  }

  /** Selects a configuration; the current one is left as it is. */
  async selectConfiguration(configurationValue: number): Promise<undefined> {
    requireArguments(arguments, 1);
    const value = octet(configurationValue, "configurationValue");
    await this.#core.selectConfiguration(value);
  }

  /** Reads from a bulk or interrupt endpoint; no time limit; many may be pending. */
  transferIn(
    endpointNumber: number,
    length: number,
    extension: TransferExtension = {},
  ): Promise<USBInTransferResult> {
    return abortable(() => {
      const transfers = this.#transfers;
      requireArguments(arguments, 2);
      const number = octet(endpointNumber, "endpointNumber");
      return transfers.transferIn(number, {
        lengthBytes: unsignedLong(length, "length"),
        extension: extensionOf(extension),
      });
    });
  }

  /** Writes to a bulk or interrupt endpoint; the data are copied when called. */
  transferOut(
    endpointNumber: number,
    data: BufferSource,
    extension: TransferExtension = {},
  ): Promise<USBOutTransferResult> {
    return abortable(() => {
      const transfers = this.#transfers;
      requireArguments(arguments, 2);
      const number = octet(endpointNumber, "endpointNumber");
      return transfers.transferOut(number, {
        data: bytesOf(data, "data"),
        extension: extensionOf(extension),
      });
    });
  }
}

exposeInterface(USBDevice);

/** Makes the object for a device. */
export function makeDevice(core: DeviceCore): USBDevice {
  return new USBDevice(...[TOKEN, core] as unknown as never[]);
}

/** Each value once: a hostile device may repeat one. */
function distinct(
  configurations: readonly ConfigurationDescriptor[],
): ConfigurationDescriptor[] {
  return configurations.filter((c, index) =>
    configurations.findIndex((other) =>
      other.configurationValue === c.configurationValue
    ) === index
  );
}
