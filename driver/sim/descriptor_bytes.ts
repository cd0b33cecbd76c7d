/**
 * Descriptors as bytes, for authors of virtual devices: fields in, bytes out.
 *
 * @module
 */

import { DescriptorType } from "../descriptors.ts";

/** Fields of a device descriptor; what is left out is 0, or as said. USB 2.0, table 9-8. */
export interface DeviceFields {
  /** `idVendor`. */
  readonly vendorId: number;
  /** `idProduct`. */
  readonly productId: number;
  /** `bcdUSB`. Default 0x0200. */
  readonly usbVersion?: number;
  /** `bDeviceClass`, `bDeviceSubClass`, `bDeviceProtocol`. Default 0: the interfaces say. */
  readonly deviceClass?: readonly [number, number, number];
  /** Default 64. */
  readonly maxPacketSize0?: number;
  /** `bcdDevice`. Default 0x0100. */
  readonly deviceVersion?: number;
  /** Indices of manufacturer, product and serial number. Default 1, 2, 3. */
  readonly strings?: readonly [number, number, number];
  /** Default 1. */
  readonly configurationCount?: number;
}

/** A device descriptor. */
export function deviceDescriptor(
  fields: DeviceFields,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(
    18,
    DescriptorType.device,
    ...u16(fields.usbVersion ?? 0x0200),
    ...(fields.deviceClass ?? [0, 0, 0]),
    fields.maxPacketSize0 ?? 64,
    ...u16(fields.vendorId),
    ...u16(fields.productId),
    ...u16(fields.deviceVersion ?? 0x0100),
    ...(fields.strings ?? [1, 2, 3]),
    fields.configurationCount ?? 1,
  );
}

/** Fields of a configuration descriptor. USB 2.0, table 9-10. */
export interface ConfigurationFields {
  /** `bConfigurationValue`. */
  readonly value: number;
  /** `bNumInterfaces`. */
  readonly interfaceCount: number;
  /** `bmAttributes`. Default 0x80: bus powered. */
  readonly attributes?: number;
  /** Default 100. */
  readonly maxPowerMilliamperes?: number;
  /** `iConfiguration`. */
  readonly stringIndex?: number;
}

/** A whole configuration: the head, and what follows it. */
export function configurationDescriptor(
  fields: ConfigurationFields,
  ...parts: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const lengthBytes = parts.reduce((sum, part) => sum + part.length, 9);
  const bytes = new Uint8Array(lengthBytes);
  bytes.set([
    9,
    DescriptorType.configuration,
    ...u16(lengthBytes),
    fields.interfaceCount,
    fields.value,
    fields.stringIndex ?? 0,
    fields.attributes ?? 0x80,
    (fields.maxPowerMilliamperes ?? 100) / 2,
  ]);
  let at = 9;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Fields of an interface descriptor. USB 2.0, table 9-12. */
export interface InterfaceFields {
  /** `bInterfaceNumber`. */
  readonly number: number;
  /** `bAlternateSetting`. Default 0. */
  readonly alternate?: number;
  /** `bNumEndpoints`. */
  readonly endpointCount: number;
  /** Class, subclass, protocol. */
  readonly class: readonly [number, number, number];
  /** `iInterface`, `iConfiguration`. Default 0: none. */
  readonly stringIndex?: number;
}

/** An interface descriptor. */
export function interfaceDescriptor(
  fields: InterfaceFields,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(
    9,
    DescriptorType.interface,
    fields.number,
    fields.alternate ?? 0,
    fields.endpointCount,
    ...fields.class,
    fields.stringIndex ?? 0,
  );
}

/** Fields of an endpoint descriptor. USB 2.0, table 9-13. */
export interface EndpointFields {
  /** `bEndpointAddress`. */
  readonly address: number;
  /** `bmAttributes` bits 1..0. */
  readonly type: "isochronous" | "bulk" | "interrupt";
  /** `wMaxPacketSize`, whole. */
  readonly packetSize: number;
  /** `bInterval`. Default 0. */
  readonly interval?: number;
}

/** An endpoint descriptor. */
export function endpointDescriptor(
  fields: EndpointFields,
): Uint8Array<ArrayBuffer> {
  const attributes = { isochronous: 1, bulk: 2, interrupt: 3 }[fields.type];
  return Uint8Array.of(
    7,
    DescriptorType.endpoint,
    fields.address,
    attributes,
    ...u16(fields.packetSize),
    fields.interval ?? 0,
  );
}

/** A SuperSpeed endpoint companion without bursts. USB 3.2, table 9-29. */
export function companionDescriptor(
  bytesPerInterval = 0,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(
    6,
    DescriptorType.superSpeedCompanion,
    0,
    0,
    ...u16(bytesPerInterval),
  );
}

/** Sixteen bits, little endian. */
export function u16(value: number): [number, number] {
  return [value & 0xff, value >> 8 & 0xff];
}
