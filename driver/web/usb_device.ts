/**
 * `USBDevice` of WebUSB over any port. Preconditions are checked in this order:
 * arguments, device gone, change pending, open, configured, the method's own.
 * Failures reject; nothing throws synchronously.
 *
 * @module
 */

import type { TransferOptions } from "../port.ts";
import type { Direction } from "../usb.ts";
import {
  bytesOf,
  dictionary,
  enumeration,
  exposeInterface,
  octet,
  sequence,
  unsignedLong,
  unsignedShort,
} from "./idl.ts";
import type { DeviceCore } from "./device_core.ts";
import { DeviceTransfers } from "./device_transfers.ts";
import { registerDevice, USBConfiguration } from "./objects.ts";
import type {
  USBInTransferResult,
  USBIsochronousInTransferResult,
  USBIsochronousOutTransferResult,
  USBOutTransferResult,
} from "./results.ts";

/** Setup of a control transfer. WebUSB, `USBControlTransferParameters`. */
export interface USBControlTransferParameters {
  readonly requestType: "standard" | "class" | "vendor";
  readonly recipient: "device" | "interface" | "endpoint" | "other";
  /** `bRequest`. */
  readonly request: number;
  /** `wValue`. */
  readonly value: number;
  /** `wIndex`. */
  readonly index: number;
}

/** An extension of ours: a transfer may be cancelled and may have a time limit. */
export type TransferExtension = Pick<TransferOptions, "signal" | "timeoutMs">;

/** Only this module's factory may make devices. */
const TOKEN: unique symbol = Symbol("USBDevice");

/** A device, as WebUSB shows it. */
export class USBDevice {
  readonly #core: DeviceCore;
  readonly #transfers: DeviceTransfers;
  readonly #configurations: readonly USBConfiguration[];

  /** @throws {TypeError} Always, from outside: devices come from `getDevices` and `requestDevice`. */
  constructor(token?: symbol, core?: DeviceCore) {
    if (token !== TOKEN || core === undefined) {
      throw new TypeError("Illegal constructor");
    }
    this.#core = core;
    this.#transfers = new DeviceTransfers(core);
    registerDevice(this, core);
    this.#configurations = Object.freeze(
      core.configurations.map((c) =>
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
  get configurations(): readonly USBConfiguration[] {
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
    return this.#core.info.manufacturer ?? null;
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
    return this.#core.info.product ?? null;
  }

  /** Null where the device has none. */
  get serialNumber(): string | null {
    return this.#core.info.serialNumber ?? null;
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
    const number = octet(interfaceNumber, "interfaceNumber");
    await this.#core.claimInterface(number);
  }

  /** Clears the halt of an endpoint at both ends, data toggle included. */
  async clearHalt(
    direction: Direction,
    endpointNumber: number,
  ): Promise<undefined> {
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
  async controlTransferIn(
    setup: USBControlTransferParameters,
    length: number,
    extension: TransferExtension = {},
  ): Promise<USBInTransferResult> {
    const request = controlParameters(setup);
    const lengthBytes = unsignedShort(length, "length");
    return await this.#transfers.controlIn(request, { lengthBytes, extension });
  }

  /** Writes by a control transfer; the data are copied when called. */
  async controlTransferOut(
    setup: USBControlTransferParameters,
    data?: BufferSource,
    extension: TransferExtension = {},
  ): Promise<USBOutTransferResult> {
    const request = controlParameters(setup);
    const bytes = data === undefined ? new Uint8Array() : bytesOf(data, "data");
    return await this.#transfers.controlOut(request, {
      data: bytes,
      extension,
    });
  }

  /** Drops the permission and closes the device. A second call does the same. */
  async forget(): Promise<undefined> {
    await this.#core.forget();
  }

  /** Reads isochronous packets of the lengths given. */
  async isochronousTransferIn(
    endpointNumber: number,
    packetLengths: readonly number[],
    extension: TransferExtension = {},
  ): Promise<USBIsochronousInTransferResult> {
    const number = octet(endpointNumber, "endpointNumber");
    const lengths = lengthsOf(packetLengths);
    return await this.#transfers.isochronousIn(number, { lengths, extension });
  }

  /** Writes isochronous packets; `data` is their concatenation, copied when called. */
  async isochronousTransferOut(
    endpointNumber: number,
    data: BufferSource,
    packetLengths: readonly number[],
    extension: TransferExtension = {},
  ): Promise<USBIsochronousOutTransferResult> {
    const number = octet(endpointNumber, "endpointNumber");
    const bytes = bytesOf(data, "data");
    const lengths = lengthsOf(packetLengths);
    return await this.#transfers.isochronousOut(number, {
      data: bytes,
      lengths,
      extension,
    });
  }

  /** Opens the device; a no-op if open. */
  async open(): Promise<undefined> {
    await this.#core.open();
  }

  /** Gives an interface back, aborting its transfers; a no-op if not claimed. */
  async releaseInterface(interfaceNumber: number): Promise<undefined> {
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
    const number = octet(interfaceNumber, "interfaceNumber");
    const setting = octet(alternateSetting, "alternateSetting");
    await this.#core.selectAlternate(number, setting);
  }

  /** Selects a configuration; the current one is left as it is. */
  async selectConfiguration(configurationValue: number): Promise<undefined> {
    const value = octet(configurationValue, "configurationValue");
    await this.#core.selectConfiguration(value);
  }

  /** Reads from a bulk or interrupt endpoint; no time limit; many may be pending. */
  async transferIn(
    endpointNumber: number,
    length: number,
    extension: TransferExtension = {},
  ): Promise<USBInTransferResult> {
    const number = octet(endpointNumber, "endpointNumber");
    const lengthBytes = unsignedLong(length, "length");
    return await this.#transfers.transferIn(number, { lengthBytes, extension });
  }

  /** Writes to a bulk or interrupt endpoint; the data are copied when called. */
  async transferOut(
    endpointNumber: number,
    data: BufferSource,
    extension: TransferExtension = {},
  ): Promise<USBOutTransferResult> {
    const number = octet(endpointNumber, "endpointNumber");
    const bytes = bytesOf(data, "data");
    return await this.#transfers.transferOut(number, {
      data: bytes,
      extension,
    });
  }
}

exposeInterface(USBDevice);

/** Makes the object for a device. */
export function makeDevice(core: DeviceCore): USBDevice {
  return new USBDevice(TOKEN, core);
}

const REQUEST_TYPES = ["standard", "class", "vendor"] as const;
const RECIPIENTS = ["device", "interface", "endpoint", "other"] as const;

/** Web IDL converts members in alphabetical order; all are required. */
function controlParameters(value: unknown): USBControlTransferParameters {
  const setup = dictionary(value, "setup");
  const required = (member: string): unknown => {
    if (setup[member] === undefined) {
      throw new TypeError(`setup.${member} is required`);
    }
    return setup[member];
  };
  return {
    index: unsignedShort(required("index"), "setup.index"),
    recipient: enumeration(required("recipient"), {
      what: "USBRecipient",
      values: RECIPIENTS,
    }),
    request: octet(required("request"), "setup.request"),
    requestType: enumeration(required("requestType"), {
      what: "USBRequestType",
      values: REQUEST_TYPES,
    }),
    value: unsignedShort(required("value"), "setup.value"),
  };
}

function lengthsOf(value: unknown): readonly number[] {
  return sequence(value, "packetLengths").map((length) =>
    unsignedLong(length, "a packet length")
  );
}
