/**
 * Descriptors of virtual devices as a tree, read the way the kernel reads them:
 * what is broken is left out, never an exception, every loop makes progress.
 *
 * @module
 */

import {
  MAX_ALTERNATE_SETTINGS,
  MAX_CONFIGURATION_BYTES,
  MAX_ENDPOINTS,
  MAX_INTERFACES,
} from "../limits.ts";
import {
  type AlternateInterfaceDescriptor,
  alternateSetting,
  type ConfigurationDescriptor,
  configurationValue,
  type DeviceDescriptor,
  directionOf,
  endpointAddress,
  type EndpointDescriptor,
  type InterfaceAssociation,
  type InterfaceDescriptor,
  interfaceNumber,
  productId,
  type RawDescriptor,
  type SuperSpeedCompanion,
  type TransferType,
  vendorId,
} from "../usb.ts";

/** `bDescriptorType`. USB 2.0, table 9-5; USB 3.2, table 9-6. */
export const DESCRIPTOR_TYPE = {
  device: 1,
  configuration: 2,
  string: 3,
  interface: 4,
  endpoint: 5,
  deviceQualifier: 6,
  otherSpeedConfiguration: 7,
  interfaceAssociation: 11,
  binaryObjectStore: 15,
  superSpeedCompanion: 48,
} as const;

const TRANSFER_TYPES: readonly TransferType[] = [
  "control",
  "isochronous",
  "bulk",
  "interrupt",
];

/** Reads a device descriptor; missing bytes read as zero. USB 2.0, table 9-8. */
export function readDeviceDescriptor(bytes: Uint8Array): DeviceDescriptor {
  return {
    usbVersion: u16(bytes, 2),
    deviceClass: u8(bytes, 4),
    deviceSubclass: u8(bytes, 5),
    deviceProtocol: u8(bytes, 6),
    maxPacketSize0: u8(bytes, 7),
    vendorId: vendorId(u16(bytes, 8)),
    productId: productId(u16(bytes, 10)),
    deviceVersion: u16(bytes, 12),
    manufacturerIndex: u8(bytes, 14),
    productIndex: u8(bytes, 15),
    serialNumberIndex: u8(bytes, 16),
    configurationCount: u8(bytes, 17),
  };
}

/**
 * Reads a configuration with all it contains; `undefined` when the bytes do not
 * begin with a configuration descriptor.
 */
export function readConfiguration(
  bytes: Uint8Array,
): ConfigurationDescriptor | undefined {
  if (bytes.length < 9 || u8(bytes, 1) !== DESCRIPTOR_TYPE.configuration) {
    return undefined;
  }
  const totalBytes = Math.min(
    u16(bytes, 2),
    bytes.length,
    MAX_CONFIGURATION_BYTES,
  );
  const reader = new TreeReader();
  for (const descriptor of split(bytes.subarray(u8(bytes, 0), totalBytes))) {
    reader.take(descriptor);
  }
  return {
    configurationValue: configurationValue(u8(bytes, 5)),
    configurationIndex: u8(bytes, 6),
    attributes: u8(bytes, 7),
    maxPowerMilliamperes: 2 * u8(bytes, 8),
    interfaces: reader.interfaces(),
    associations: reader.associations,
    extra: reader.extra,
    bytes,
  };
}

/** Takes a run of descriptors apart; ends at the first that cannot be one. */
export function* split(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at + 2 <= bytes.length;) {
    const lengthBytes = u8(bytes, at);
    if (lengthBytes < 2 || at + lengthBytes > bytes.length) return;
    yield bytes.subarray(at, at + lengthBytes);
    at += lengthBytes;
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface OpenEndpoint extends Mutable<Omit<EndpointDescriptor, "extra">> {
  readonly extra: RawDescriptor[];
}
interface OpenAlternate
  extends Omit<AlternateInterfaceDescriptor, "endpoints" | "extra"> {
  readonly endpoints: OpenEndpoint[];
  readonly extra: RawDescriptor[];
}

/** Collects descriptors in order; class-specific ones belong to what stands before them. */
class TreeReader {
  readonly extra: RawDescriptor[] = [];
  readonly associations: InterfaceAssociation[] = [];
  readonly #alternates = new Map<number, OpenAlternate[]>();
  #alternate: OpenAlternate | undefined;
  #endpoint: OpenEndpoint | undefined;

  take(bytes: Uint8Array): void {
    const descriptorType = u8(bytes, 1);
    if (descriptorType === DESCRIPTOR_TYPE.interface && bytes.length >= 9) {
      this.#interface(bytes);
    } else if (
      descriptorType === DESCRIPTOR_TYPE.endpoint && bytes.length >= 7
    ) {
      this.#takeEndpoint(bytes);
    } else if (
      descriptorType === DESCRIPTOR_TYPE.superSpeedCompanion &&
      this.#endpoint !== undefined
    ) {
      this.#endpoint.superSpeedCompanion = companion(bytes);
    } else if (
      descriptorType === DESCRIPTOR_TYPE.interfaceAssociation &&
      bytes.length >= 8
    ) {
      this.associations.push(association(bytes));
    } else {
      const owner = this.#endpoint ?? this.#alternate ?? this;
      owner.extra.push({ descriptorType, bytes });
    }
  }

  interfaces(): readonly InterfaceDescriptor[] {
    return [...this.#alternates].map(([number, alternates]) => ({
      interfaceNumber: interfaceNumber(number),
      alternates,
    }));
  }

  #interface(bytes: Uint8Array): void {
    this.#endpoint = undefined;
    this.#alternate = openAlternate(bytes);
    const number = u8(bytes, 2);
    const alternates = this.#alternates.get(number);
    if (alternates === undefined) {
      if (this.#alternates.size < MAX_INTERFACES) {
        this.#alternates.set(number, [this.#alternate]);
      }
    } else if (
      alternates.length < MAX_ALTERNATE_SETTINGS &&
      !alternates.some((a) => a.alternateSetting === u8(bytes, 3))
    ) {
      alternates.push(this.#alternate);
    }
  }

  #takeEndpoint(bytes: Uint8Array): void {
    const address = u8(bytes, 2);
    // Endpoint 0 has no descriptor; Linux leaves such ones out too.
    if ((address & 0x0f) === 0 || this.#alternate === undefined) return;
    const { endpoints } = this.#alternate;
    if (endpoints.length >= MAX_ENDPOINTS) return;
    this.#endpoint = openEndpoint(bytes);
    endpoints.push(this.#endpoint);
  }
}

function openAlternate(bytes: Uint8Array): OpenAlternate {
  return {
    interfaceNumber: interfaceNumber(u8(bytes, 2)),
    alternateSetting: alternateSetting(u8(bytes, 3)),
    interfaceClass: u8(bytes, 5),
    interfaceSubclass: u8(bytes, 6),
    interfaceProtocol: u8(bytes, 7),
    interfaceIndex: u8(bytes, 8),
    endpoints: [],
    extra: [],
  };
}

function openEndpoint(bytes: Uint8Array): OpenEndpoint {
  const address = endpointAddress(u8(bytes, 2) & 0x8f);
  const attributes = u8(bytes, 3);
  const packetSize = u16(bytes, 4);
  return {
    endpointAddress: address,
    direction: directionOf(address),
    transferType: TRANSFER_TYPES[attributes & 3] ?? "bulk",
    attributes,
    maxPacketSize: packetSize & 0x7ff,
    transactionsPerMicroframe: Math.min(3, (packetSize >> 11 & 3) + 1),
    interval: u8(bytes, 6),
    extra: [],
  };
}

function companion(bytes: Uint8Array): SuperSpeedCompanion {
  return {
    maxBurst: u8(bytes, 2),
    attributes: u8(bytes, 3),
    bytesPerInterval: u16(bytes, 4),
  };
}

function association(bytes: Uint8Array): InterfaceAssociation {
  return {
    firstInterface: interfaceNumber(u8(bytes, 2)),
    interfaceCount: u8(bytes, 3),
    functionClass: u8(bytes, 4),
    functionSubclass: u8(bytes, 5),
    functionProtocol: u8(bytes, 6),
    functionIndex: u8(bytes, 7),
  };
}

function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function u16(bytes: Uint8Array, at: number): number {
  return u8(bytes, at) | u8(bytes, at + 1) << 8;
}
