/**
 * Puts the parts of a configuration together: each descriptor belongs to the
 * endpoint, interface or configuration that stands before it. USB 2.0, 9.4.3.
 *
 * @module
 */

import {
  MAX_ALTERNATE_SETTINGS,
  MAX_ENDPOINTS,
  MAX_INTERFACES,
} from "./limits.ts";
import {
  type AlternateInterfaceDescriptor,
  alternateSetting,
  directionOf,
  endpointAddress,
  type EndpointDescriptor,
  type InterfaceAssociation,
  type InterfaceDescriptor,
  type InterfaceNumber,
  interfaceNumber,
  type RawDescriptor,
  type SuperSpeedCompanion,
  type TransferType,
} from "./usb.ts";

/** `bDescriptorType` values. USB 2.0, table 9-5; USB 3.2, table 9-6. */
export const DescriptorType = {
  device: 0x01,
  configuration: 0x02,
  string: 0x03,
  interface: 0x04,
  endpoint: 0x05,
  deviceQualifier: 0x06,
  otherSpeedConfiguration: 0x07,
  interfaceAssociation: 0x0b,
  bos: 0x0f,
  deviceCapability: 0x10,
  superSpeedCompanion: 0x30,
} as const;

const INTERFACE_DESCRIPTOR_BYTES = 9;
const ENDPOINT_DESCRIPTOR_BYTES = 7;
const ASSOCIATION_DESCRIPTOR_BYTES = 8;
const COMPANION_DESCRIPTOR_BYTES = 6;
/** 64 KiB of two-byte descriptors would be 32,000 objects; the largest known audio device has under 300. */
const MAX_RAW_DESCRIPTORS = 1024;

const TRANSFER_TYPES: readonly TransferType[] = [
  "control",
  "isochronous",
  "bulk",
  "interrupt",
];

interface OpenAlternate {
  readonly descriptor: AlternateInterfaceDescriptor;
  readonly endpoints: OpenEndpoint[];
  readonly extra: RawDescriptor[];
  readonly endpointsMax: number;
}

type OpenEndpoint = EndpointDescriptor & {
  superSpeedCompanion?: SuperSpeedCompanion;
  readonly extra: RawDescriptor[];
};

/** Takes descriptors one by one, in order. */
export class ConfigurationBuilder {
  /** In order of first appearance. */
  readonly interfaces: InterfaceDescriptor[] = [];
  /** In order. */
  readonly associations: InterfaceAssociation[] = [];
  /** What stands before the first interface. */
  readonly extra: RawDescriptor[] = [];
  readonly #alternates = new Map<
    InterfaceNumber,
    AlternateInterfaceDescriptor[]
  >();
  #alternate: OpenAlternate | undefined;
  #endpoint: OpenEndpoint | undefined;
  /** Behind an interface descriptor that was left out: so is what belongs to it. */
  #isSkipping = false;
  #rawCount = 0;

  /** Takes the next descriptor, at least two bytes. */
  add(bytes: Uint8Array): void {
    const type = byte(bytes, 1);
    if (
      type === DescriptorType.interface &&
      bytes.length >= INTERFACE_DESCRIPTOR_BYTES
    ) return this.#addInterface(bytes);
    if (
      type === DescriptorType.interfaceAssociation &&
      bytes.length >= ASSOCIATION_DESCRIPTOR_BYTES
    ) return this.#addAssociation(bytes);
    if (this.#isSkipping) return;
    if (this.#takeEndpoint(type, bytes)) return;
    if (this.#takeCompanion(type, bytes)) return;
    this.#addRaw(type, bytes);
  }

  #addInterface(bytes: Uint8Array): void {
    const number = interfaceNumber(byte(bytes, 2));
    const setting = alternateSetting(byte(bytes, 3));
    const alternates = this.#alternatesOf(number);
    this.#endpoint = undefined;
    this.#alternate = undefined;
    this.#isSkipping = alternates === undefined ||
      alternates.length === MAX_ALTERNATE_SETTINGS ||
      alternates.some((a) => a.alternateSetting === setting);
    if (alternates === undefined || this.#isSkipping) return;
    const endpoints: OpenEndpoint[] = [];
    const extra: RawDescriptor[] = [];
    const descriptor: AlternateInterfaceDescriptor = {
      interfaceNumber: number,
      alternateSetting: setting,
      interfaceClass: byte(bytes, 5),
      interfaceSubclass: byte(bytes, 6),
      interfaceProtocol: byte(bytes, 7),
      interfaceIndex: byte(bytes, 8),
      endpoints,
      extra,
    };
    alternates.push(descriptor);
    const endpointsMax = Math.min(byte(bytes, 4), MAX_ENDPOINTS);
    this.#alternate = { descriptor, endpoints, extra, endpointsMax };
  }

  #alternatesOf(
    number: InterfaceNumber,
  ): AlternateInterfaceDescriptor[] | undefined {
    const known = this.#alternates.get(number);
    if (known !== undefined) return known;
    if (this.interfaces.length === MAX_INTERFACES) return undefined;
    const alternates: AlternateInterfaceDescriptor[] = [];
    this.#alternates.set(number, alternates);
    this.interfaces.push({ interfaceNumber: number, alternates });
    return alternates;
  }

  #addAssociation(bytes: Uint8Array): void {
    if (this.associations.length === MAX_INTERFACES) return;
    this.associations.push({
      firstInterface: interfaceNumber(byte(bytes, 2)),
      interfaceCount: byte(bytes, 3),
      functionClass: byte(bytes, 4),
      functionSubclass: byte(bytes, 5),
      functionProtocol: byte(bytes, 6),
      functionIndex: byte(bytes, 7),
    });
  }

  /** Endpoints with an impossible address, twice the same, or more than `bNumEndpoints` stay raw. */
  #takeEndpoint(type: number, bytes: Uint8Array): boolean {
    const alternate = this.#alternate;
    if (
      type !== DescriptorType.endpoint ||
      bytes.length < ENDPOINT_DESCRIPTOR_BYTES || alternate === undefined ||
      alternate.endpoints.length >= alternate.endpointsMax
    ) return false;
    const address = byte(bytes, 2);
    if ((address & 0x70) !== 0 || (address & 0x0f) === 0) return false;
    if (alternate.endpoints.some((e) => e.endpointAddress === address)) {
      return false;
    }
    this.#endpoint = endpointOf(bytes);
    alternate.endpoints.push(this.#endpoint);
    return true;
  }

  #takeCompanion(type: number, bytes: Uint8Array): boolean {
    const endpoint = this.#endpoint;
    if (
      type !== DescriptorType.superSpeedCompanion ||
      bytes.length < COMPANION_DESCRIPTOR_BYTES || endpoint === undefined ||
      endpoint.superSpeedCompanion !== undefined
    ) return false;
    endpoint.superSpeedCompanion = {
      maxBurst: byte(bytes, 2),
      attributes: byte(bytes, 3),
      bytesPerInterval: word(bytes, 4),
    };
    return true;
  }

  #addRaw(type: number, bytes: Uint8Array): void {
    if (this.#rawCount === MAX_RAW_DESCRIPTORS) return;
    this.#rawCount++;
    const place = this.#endpoint?.extra ?? this.#alternate?.extra ?? this.extra;
    place.push({ descriptorType: type, bytes });
  }
}

function endpointOf(bytes: Uint8Array): OpenEndpoint {
  const address = endpointAddress(byte(bytes, 2));
  const attributes = byte(bytes, 3);
  const size = word(bytes, 4);
  return {
    endpointAddress: address,
    direction: directionOf(address),
    transferType: TRANSFER_TYPES[attributes & 3] ?? "control",
    attributes,
    maxPacketSize: size & 0x7ff,
    // The value 3 is reserved, and Linux reads it as three transactions.
    transactionsPerMicroframe: Math.min((size >> 11 & 3) + 1, 3),
    interval: byte(bytes, 6),
    extra: [],
  };
}

/** Cuts bytes into descriptors; stops at the first whose length makes no sense. */
export function* descriptorsOf(
  bytes: Uint8Array,
  startOffset: number,
): Generator<Uint8Array> {
  let offset = startOffset;
  while (offset + 2 <= bytes.length) {
    const length = byte(bytes, offset);
    if (length < 2 || offset + length > bytes.length) return;
    yield bytes.subarray(offset, offset + length);
    offset += length;
  }
}

/** Callers have checked the length; 0 where they have not. */
export function byte(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

/** A 16-bit number as USB sends it, low byte first. */
export function word(bytes: Uint8Array, offset: number): number {
  return byte(bytes, offset) | byte(bytes, offset + 1) << 8;
}
