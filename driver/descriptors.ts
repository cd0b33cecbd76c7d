/**
 * Reads raw descriptors. The bytes come from a device and may say anything:
 * every length is checked before it is used, every step makes progress, and
 * what is kept is bounded. Where Linux refuses a part, it is left out here too,
 * for the kernel would not let it be used.
 *
 * @module
 */

import {
  byte,
  ConfigurationBuilder,
  descriptorsOf,
  DescriptorType,
  word,
} from "./configuration_builder.ts";
import { UsbError } from "./errors.ts";
import { MAX_CONFIGURATION_BYTES, MAX_CONFIGURATIONS } from "./limits.ts";
import {
  type ConfigurationDescriptor,
  configurationValue,
  type DeviceCapability,
  type DeviceDescriptor,
  hex,
  productId,
  vendorId,
} from "./usb.ts";

export { DescriptorType } from "./configuration_builder.ts";

/** `bLength` of a device descriptor. USB 2.0, table 9-8. */
export const DEVICE_DESCRIPTOR_BYTES = 18;
/** `bLength` of a configuration descriptor without what follows it. USB 2.0, table 9-10. */
export const CONFIGURATION_DESCRIPTOR_BYTES = 9;
/** The head of a binary object store. USB 3.2, table 9-13. */
export const BOS_DESCRIPTOR_BYTES = 5;

const CAPABILITY_DESCRIPTOR_BYTES = 3;
/**
 * Reads a device descriptor. USB 2.0, table 9-8.
 *
 * @throws {UsbError} `protocol` when it is cut short or of another type.
 */
export function parseDeviceDescriptor(bytes: Uint8Array): DeviceDescriptor {
  const view = head(bytes, {
    name: "device descriptor",
    type: DescriptorType.device,
    lengthBytes: DEVICE_DESCRIPTOR_BYTES,
  });
  return {
    usbVersion: view.getUint16(2, true),
    deviceClass: view.getUint8(4),
    deviceSubclass: view.getUint8(5),
    deviceProtocol: view.getUint8(6),
    maxPacketSize0: view.getUint8(7),
    vendorId: vendorId(view.getUint16(8, true)),
    productId: productId(view.getUint16(10, true)),
    deviceVersion: view.getUint16(12, true),
    manufacturerIndex: view.getUint8(14),
    productIndex: view.getUint8(15),
    serialNumberIndex: view.getUint8(16),
    configurationCount: view.getUint8(17),
  };
}

/**
 * Reads a configuration with all it contains. USB 2.0, table 9-10. Reads at most
 * `wTotalLength` bytes, and stops at the first descriptor whose length makes no
 * sense; what stands before it is kept.
 *
 * @throws {UsbError} `protocol` when its first nine bytes are not a configuration descriptor.
 */
export function parseConfigurationDescriptor(
  bytes: Uint8Array,
): ConfigurationDescriptor {
  return parseOne(bytes).configuration;
}

/**
 * Reads configurations that follow one another, as the kernel gives them behind
 * the device descriptor, in sysfs (holes closed) and usbfs (holes left) alike.
 * Those that cannot be read are left out; never throws.
 */
export function parseConfigurations(
  bytes: Uint8Array,
  count: number,
): readonly ConfigurationDescriptor[] {
  const found: ConfigurationDescriptor[] = [];
  const max = Math.min(count, MAX_CONFIGURATIONS);
  let rest = bytes;
  while (found.length < max && isConfiguration(rest, 0)) {
    const { configuration, nextOffset } = parseOne(rest);
    found.push(configuration);
    rest = rest.subarray(nextOffset);
  }
  return found;
}

/**
 * Reads the capabilities of a binary object store. USB 3.2, table 9-13.
 *
 * @throws {UsbError} `protocol` when its first five bytes are not a BOS descriptor.
 */
export function parseCapabilities(bos: Uint8Array): DeviceCapability[] {
  const view = head(bos, {
    name: "binary object store",
    type: DescriptorType.bos,
    lengthBytes: BOS_DESCRIPTOR_BYTES,
  });
  const max = view.getUint8(4);
  const whole = bos.slice(0, view.getUint16(2, true));
  const found: DeviceCapability[] = [];
  for (const descriptor of descriptorsOf(whole, BOS_DESCRIPTOR_BYTES)) {
    if (found.length === max) break;
    if (
      descriptor[1] !== DescriptorType.deviceCapability ||
      descriptor.length < CAPABILITY_DESCRIPTOR_BYTES
    ) continue;
    found.push({ capabilityType: byte(descriptor, 2), bytes: descriptor });
  }
  return found;
}

/**
 * Reads a string descriptor, other than number 0. USB 2.0, table 9-16. Half
 * characters at the end are dropped, unpaired surrogates become U+FFFD.
 *
 * @throws {UsbError} `protocol` when it is cut short or of another type.
 */
export function parseStringDescriptor(bytes: Uint8Array): string {
  return String.fromCharCode(...units(bytes)).toWellFormed();
}

/**
 * Reads string descriptor 0: the languages of the others. USB 2.0, table 9-15.
 *
 * @throws {UsbError} `protocol` when it is cut short or of another type.
 */
export function parseLanguageIds(bytes: Uint8Array): number[] {
  return units(bytes);
}

interface ParsedConfiguration {
  readonly configuration: ConfigurationDescriptor;
  /** Where the next configuration begins. */
  readonly nextOffset: number;
}

function parseOne(bytes: Uint8Array): ParsedConfiguration {
  const view = head(bytes, {
    name: "configuration descriptor",
    type: DescriptorType.configuration,
    lengthBytes: CONFIGURATION_DESCRIPTOR_BYTES,
  });
  const totalBytes = Math.max(
    Math.min(view.getUint16(2, true), bytes.length, MAX_CONFIGURATION_BYTES),
    CONFIGURATION_DESCRIPTOR_BYTES,
  );
  const endOffset = endOfConfiguration(bytes, totalBytes);
  const whole = bytes.slice(0, endOffset);
  const builder = new ConfigurationBuilder();
  for (const descriptor of descriptorsOf(whole, firstLength(whole))) {
    builder.add(descriptor);
  }
  return {
    nextOffset: endOffset,
    configuration: {
      configurationValue: configurationValue(view.getUint8(5)),
      configurationIndex: view.getUint8(6),
      attributes: view.getUint8(7),
      maxPowerMilliamperes: view.getUint8(8) * 2,
      interfaces: builder.interfaces,
      associations: builder.associations,
      extra: builder.extra,
      bytes: whole,
    },
  };
}

/**
 * A configuration ends at its `wTotalLength`, or where the next one begins:
 * sysfs cuts off what the kernel could not read but leaves `wTotalLength` alone.
 */
function endOfConfiguration(bytes: Uint8Array, totalBytes: number): number {
  let offset = firstLength(bytes);
  while (offset < totalBytes && !isConfiguration(bytes, offset)) {
    const length = byte(bytes, offset);
    if (length < 2 || offset + length > totalBytes) return totalBytes;
    offset += length;
  }
  return Math.min(offset, totalBytes);
}

function isConfiguration(bytes: Uint8Array, offset: number): boolean {
  return bytes.length - offset >= CONFIGURATION_DESCRIPTOR_BYTES &&
    byte(bytes, offset) >= CONFIGURATION_DESCRIPTOR_BYTES &&
    byte(bytes, offset + 1) === DescriptorType.configuration;
}

/** The kernel lets a first descriptor be longer than it need be, and skips the rest of it. */
function firstLength(bytes: Uint8Array): number {
  return Math.min(
    Math.max(byte(bytes, 0), CONFIGURATION_DESCRIPTOR_BYTES),
    bytes.length,
  );
}

/** The UTF-16 units behind the two bytes of a string descriptor's head. */
function units(bytes: Uint8Array): number[] {
  head(bytes, {
    name: "string descriptor",
    type: DescriptorType.string,
    lengthBytes: 2,
  });
  const end = Math.min(byte(bytes, 0), bytes.length);
  const found: number[] = [];
  for (let at = 2; at + 2 <= end; at += 2) found.push(word(bytes, at));
  return found;
}

interface Head {
  readonly name: string;
  readonly type: number;
  readonly lengthBytes: number;
}

function head(bytes: Uint8Array, expected: Head): DataView {
  const { name, type, lengthBytes } = expected;
  if (bytes.length < lengthBytes) {
    throw malformed(name, `it has ${bytes.length} of ${lengthBytes} bytes`);
  }
  if (bytes[1] !== type) {
    throw malformed(name, `its type is ${hex(byte(bytes, 1))}`);
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(name: string, reason: string): UsbError {
  return new UsbError({ code: "protocol", operation: `read ${name}`, reason });
}
