/**
 * The words of the USB specification: numbers with a meaning, descriptors,
 * requests. Names are the specification's without their Hungarian prefix; the
 * original stands in each doc comment.
 *
 * @module
 */

/** A number that only its checked function makes; `Name` exists for the compiler alone. */
export type Brand<Name extends string> = number & {
  /** Never there at run time. */
  readonly " brand": Name;
};

/** `bEndpointAddress`: bit 7 direction, bits 3..0 number. USB 2.0, table 9-13. */
export type EndpointAddress = Brand<"EndpointAddress">;
/** `bInterfaceNumber`, 0..255; not an index. USB 2.0, table 9-12. */
export type InterfaceNumber = Brand<"InterfaceNumber">;
/** `bAlternateSetting`, 0..255; not an index. USB 2.0, table 9-12. */
export type AlternateSetting = Brand<"AlternateSetting">;
/** `bConfigurationValue`, 1..255; 0 means not configured. USB 2.0, table 9-10. */
export type ConfigurationValue = Brand<"ConfigurationValue">;
/** `idVendor`. USB 2.0, table 9-8. */
export type VendorId = Brand<"VendorId">;
/** `idProduct`. USB 2.0, table 9-8. */
export type ProductId = Brand<"ProductId">;

/**
 * Checks an endpoint address.
 *
 * @throws {RangeError} When it is not a byte with bits 6..4 clear.
 */
export function endpointAddress(value: number): EndpointAddress {
  checkByte(value, "an endpoint address");
  if ((value & 0x70) !== 0) {
    throw new RangeError(
      `Cannot use ${
        hex(value, 2)
      } as an endpoint address: bits 6..4 are reserved`,
    );
  }
  return value as EndpointAddress;
}

/**
 * Checks an interface number.
 *
 * @throws {RangeError} When the value is not 0..255.
 */
export function interfaceNumber(value: number): InterfaceNumber {
  return checkByte(value, "an interface number") as InterfaceNumber;
}

/**
 * Checks an alternate setting.
 *
 * @throws {RangeError} When the value is not 0..255.
 */
export function alternateSetting(value: number): AlternateSetting {
  return checkByte(value, "an alternate setting") as AlternateSetting;
}

/**
 * Checks a configuration value.
 *
 * @throws {RangeError} When the value is not 0..255.
 */
export function configurationValue(value: number): ConfigurationValue {
  return checkByte(value, "a configuration value") as ConfigurationValue;
}

/**
 * Checks a vendor id.
 *
 * @throws {RangeError} When the value is not 0..65535.
 */
export function vendorId(value: number): VendorId {
  return checkInteger(value, "a vendor id", 0xffff) as VendorId;
}

/**
 * Checks a product id.
 *
 * @throws {RangeError} When the value is not 0..65535.
 */
export function productId(value: number): ProductId {
  return checkInteger(value, "a product id", 0xffff) as ProductId;
}

/** Direction of a transfer, seen from the host. */
export type Direction = "in" | "out";
/** `bmAttributes` bits 1..0. USB 2.0, table 9-13. */
export type TransferType = "control" | "isochronous" | "bulk" | "interrupt";
/** Speed of a device on the bus. USB 2.0, 4.2.1; USB 3.2, 3.2. */
export type Speed =
  | "unknown"
  | "low"
  | "full"
  | "high"
  | "super"
  | "super+"
  | "super+x2";

/** Direction of an endpoint. USB 2.0, table 9-13, bit 7. */
export function directionOf(address: EndpointAddress): Direction {
  return (address & 0x80) !== 0 ? "in" : "out";
}

/** Endpoint number, 0..15. USB 2.0, table 9-13, bits 3..0. */
export function endpointNumberOf(address: EndpointAddress): number {
  return address & 0x0f;
}

/** Device descriptor. USB 2.0, table 9-8. */
export interface DeviceDescriptor {
  /** `bcdUSB`, binary-coded decimal 0xJJMN. */
  readonly usbVersion: number;
  /** `bDeviceClass`. */
  readonly deviceClass: number;
  /** `bDeviceSubClass`. */
  readonly deviceSubclass: number;
  /** `bDeviceProtocol`. */
  readonly deviceProtocol: number;
  /** `bMaxPacketSize0`, in bytes (for SuperSpeed the exponent, as sent). */
  readonly maxPacketSize0: number;
  /** `idVendor`. */
  readonly vendorId: VendorId;
  /** `idProduct`. */
  readonly productId: ProductId;
  /** `bcdDevice`, binary-coded decimal 0xJJMN. */
  readonly deviceVersion: number;
  /** `iManufacturer`; 0 = none. */
  readonly manufacturerIndex: number;
  /** `iProduct`; 0 = none. */
  readonly productIndex: number;
  /** `iSerialNumber`; 0 = none. */
  readonly serialNumberIndex: number;
  /** `bNumConfigurations`, as the device claims. */
  readonly configurationCount: number;
}

/** A descriptor we do not interpret: class-specific, vendor or unknown. */
export interface RawDescriptor {
  /** `bDescriptorType`. */
  readonly descriptorType: number;
  /** The whole descriptor, `bLength` included. */
  readonly bytes: Uint8Array;
}

/** SuperSpeed endpoint companion. USB 3.2, table 9-29. */
export interface SuperSpeedCompanion {
  /** `bMaxBurst`: packets per burst less one. */
  readonly maxBurst: number;
  /** `bmAttributes`: streams (bulk) or mult (isochronous). */
  readonly attributes: number;
  /** `wBytesPerInterval`. */
  readonly bytesPerInterval: number;
}

/** Endpoint descriptor. USB 2.0, table 9-13. */
export interface EndpointDescriptor {
  /** `bEndpointAddress`. */
  readonly endpointAddress: EndpointAddress;
  /** Seen from the host: bit 7 of `bEndpointAddress`. */
  readonly direction: Direction;
  /** `bmAttributes` bits 1..0. */
  readonly transferType: TransferType;
  /** `bmAttributes`, whole. */
  readonly attributes: number;
  /** `wMaxPacketSize` bits 10..0, in bytes. */
  readonly maxPacketSize: number;
  /** Transactions per microframe, 1..3: `wMaxPacketSize` bits 12..11 plus one. USB 2.0, 9.6.6. */
  readonly transactionsPerMicroframe: number;
  /** `bInterval`, as sent. */
  readonly interval: number;
  /** Present on SuperSpeed devices only. */
  readonly superSpeedCompanion?: SuperSpeedCompanion;
  /** Class-specific and unknown descriptors behind this one. */
  readonly extra: readonly RawDescriptor[];
}

/** Interface descriptor: one alternate setting. USB 2.0, table 9-12. */
export interface AlternateInterfaceDescriptor {
  /** `bInterfaceNumber`. */
  readonly interfaceNumber: InterfaceNumber;
  /** `bAlternateSetting`. */
  readonly alternateSetting: AlternateSetting;
  /** `bInterfaceClass`. */
  readonly interfaceClass: number;
  /** `bInterfaceSubClass`. */
  readonly interfaceSubclass: number;
  /** `bInterfaceProtocol`. */
  readonly interfaceProtocol: number;
  /** `iInterface`; 0 = none. */
  readonly interfaceIndex: number;
  /** In order of appearance, at most MAX_ENDPOINTS. */
  readonly endpoints: readonly EndpointDescriptor[];
  /** Class-specific and unknown descriptors of this alternate setting. */
  readonly extra: readonly RawDescriptor[];
}

/** One interface with all its alternate settings, in order of appearance. */
export interface InterfaceDescriptor {
  /** `bInterfaceNumber`. */
  readonly interfaceNumber: InterfaceNumber;
  /** At least one. */
  readonly alternates: readonly AlternateInterfaceDescriptor[];
}

/** Interface association. USB 2.0 ECN, table 9-Z. */
export interface InterfaceAssociation {
  /** `bFirstInterface`. */
  readonly firstInterface: InterfaceNumber;
  /** `bInterfaceCount`. */
  readonly interfaceCount: number;
  /** `bFunctionClass`. */
  readonly functionClass: number;
  /** `bFunctionSubClass`. */
  readonly functionSubclass: number;
  /** `bFunctionProtocol`. */
  readonly functionProtocol: number;
  /** `iFunction`; 0 = none. */
  readonly functionIndex: number;
}

/** Configuration descriptor with all it contains. USB 2.0, table 9-10. */
export interface ConfigurationDescriptor {
  /** `bConfigurationValue`. */
  readonly configurationValue: ConfigurationValue;
  /** `iConfiguration`; 0 = none. */
  readonly configurationIndex: number;
  /** `bmAttributes`: bit 6 self powered, bit 5 remote wakeup. */
  readonly attributes: number;
  /** `bMaxPower` in milliamperes (2 mA units; 8 mA units above high speed are not applied here). */
  readonly maxPowerMilliamperes: number;
  /** By interface number, in order of first appearance. */
  readonly interfaces: readonly InterfaceDescriptor[];
  /** Groups of interfaces that belong to one function. */
  readonly associations: readonly InterfaceAssociation[];
  /** Class-specific and unknown descriptors before the first interface. */
  readonly extra: readonly RawDescriptor[];
  /** The bytes it was parsed from. */
  readonly bytes: Uint8Array;
}

/** A device capability of the BOS descriptor. USB 3.2, 9.6.2. */
export interface DeviceCapability {
  /** `bDevCapabilityType`. */
  readonly capabilityType: number;
  /** The whole capability descriptor, `bLength` included. */
  readonly bytes: Uint8Array;
}

/** The type bits of `bmRequestType`. USB 2.0, table 9-2, bits 6..5. */
export type RequestType = "standard" | "class" | "vendor";
/** The recipient bits of `bmRequestType`. USB 2.0, table 9-2, bits 4..0. */
export type Recipient = "device" | "interface" | "endpoint" | "other";

/** A control request without its direction and length. USB 2.0, table 9-2. */
export interface SetupPacket {
  /** `bmRequestType` bits 6..5. */
  readonly requestType: RequestType;
  /** `bmRequestType` bits 4..0. */
  readonly recipient: Recipient;
  /** `bRequest`. */
  readonly request: number;
  /** `wValue`. */
  readonly value: number;
  /** `wIndex`. */
  readonly index: number;
}

const REQUEST_TYPES: readonly RequestType[] = ["standard", "class", "vendor"];
const RECIPIENTS: readonly Recipient[] = [
  "device",
  "interface",
  "endpoint",
  "other",
];

/**
 * The eight bytes of a setup stage. USB 2.0, table 9-2.
 *
 * @throws {RangeError} When `request` is not a byte or another member not 16 bits.
 */
export function encodeSetup(
  setup: SetupPacket,
  direction: Direction,
  lengthBytes: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  bytes[0] = (direction === "in" ? 0x80 : 0) |
    REQUEST_TYPES.indexOf(setup.requestType) << 5 |
    RECIPIENTS.indexOf(setup.recipient);
  bytes[1] = checkByte(setup.request, "bRequest");
  view.setUint16(2, checkInteger(setup.value, "wValue", 0xffff), true);
  view.setUint16(4, checkInteger(setup.index, "wIndex", 0xffff), true);
  view.setUint16(6, checkInteger(lengthBytes, "wLength", 0xffff), true);
  return bytes;
}

/** A setup stage taken apart. */
export interface DecodedSetup extends SetupPacket {
  /** `bmRequestType` bit 7. */
  readonly direction: Direction;
  /** `wLength`, in bytes. */
  readonly lengthBytes: number;
}

/**
 * Takes a setup stage apart; `undefined` where the type or recipient bits are
 * reserved. USB 2.0, table 9-2.
 *
 * @throws {RangeError} When there are fewer than eight bytes.
 */
export function decodeSetup(bytes: Uint8Array): DecodedSetup | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bmRequestType = view.getUint8(0);
  const requestType = REQUEST_TYPES[bmRequestType >> 5 & 3];
  const recipient = RECIPIENTS[bmRequestType & 0x1f];
  if (requestType === undefined || recipient === undefined) return undefined;
  return {
    requestType,
    recipient,
    direction: (bmRequestType & 0x80) !== 0 ? "in" : "out",
    request: view.getUint8(1),
    value: view.getUint16(2, true),
    index: view.getUint16(4, true),
    lengthBytes: view.getUint16(6, true),
  };
}

/** A number as the specification writes it: `0x81`. */
export function hex(value: number, digits = 2): string {
  return "0x" + value.toString(16).padStart(digits, "0");
}

/** `0957:1755`, as lsusb writes it. */
export function formatIds(vendor: number, product: number): string {
  return `${hex(vendor, 4).slice(2)}:${hex(product, 4).slice(2)}`;
}

function checkByte(value: number, what: string): number {
  return checkInteger(value, what, 0xff);
}

function checkInteger(value: number, what: string, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(
      `Cannot use ${value} as ${what}: it must be an integer from 0 to ${max}`,
    );
  }
  return value;
}
