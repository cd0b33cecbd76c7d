/**
 * WebUSB's interfaces as data: the IDL of the specification (with `forget` and
 * `exclusionFilters`, which came later), as the shape test reads it.
 */

/** One interface of the IDL. */
export interface IdlInterface {
  readonly name: string;
  /** Required arguments of the constructor; absent: it cannot be constructed. */
  readonly constructorLength?: number;
  readonly parent?: "EventTarget" | "Event";
  /** Read-only attributes. */
  readonly attributes: readonly string[];
  /** Attributes that can be set. */
  readonly writable?: readonly string[];
  /** Operations with the number of their required arguments. All give promises. */
  readonly operations?: Readonly<Record<string, number>>;
}

/** All of them. */
export const INTERFACES: readonly IdlInterface[] = [
  {
    name: "USB",
    parent: "EventTarget",
    attributes: [],
    writable: ["onconnect", "ondisconnect"],
    operations: { getDevices: 0, requestDevice: 1 },
  },
  {
    name: "USBConnectionEvent",
    parent: "Event",
    constructorLength: 2,
    attributes: ["device"],
  },
  {
    name: "USBDevice",
    attributes: [
      ...["usbVersionMajor", "usbVersionMinor", "usbVersionSubminor"],
      ...["deviceClass", "deviceSubclass", "deviceProtocol"],
      ...["vendorId", "productId"],
      ...["deviceVersionMajor", "deviceVersionMinor", "deviceVersionSubminor"],
      ...["manufacturerName", "productName", "serialNumber"],
      ...["configuration", "configurations", "opened"],
    ],
    operations: {
      open: 0,
      close: 0,
      forget: 0,
      selectConfiguration: 1,
      claimInterface: 1,
      releaseInterface: 1,
      selectAlternateInterface: 2,
      controlTransferIn: 2,
      controlTransferOut: 1,
      clearHalt: 2,
      transferIn: 2,
      transferOut: 2,
      isochronousTransferIn: 2,
      isochronousTransferOut: 3,
      reset: 0,
    },
  },
  {
    name: "USBInTransferResult",
    constructorLength: 1,
    attributes: ["data", "status"],
  },
  {
    name: "USBOutTransferResult",
    constructorLength: 1,
    attributes: ["bytesWritten", "status"],
  },
  {
    name: "USBIsochronousInTransferPacket",
    constructorLength: 1,
    attributes: ["data", "status"],
  },
  {
    name: "USBIsochronousInTransferResult",
    constructorLength: 1,
    attributes: ["data", "packets"],
  },
  {
    name: "USBIsochronousOutTransferPacket",
    constructorLength: 1,
    attributes: ["bytesWritten", "status"],
  },
  {
    name: "USBIsochronousOutTransferResult",
    constructorLength: 1,
    attributes: ["packets"],
  },
  {
    name: "USBConfiguration",
    constructorLength: 2,
    attributes: ["configurationValue", "configurationName", "interfaces"],
  },
  {
    name: "USBInterface",
    constructorLength: 2,
    attributes: ["interfaceNumber", "alternate", "alternates", "claimed"],
  },
  {
    name: "USBAlternateInterface",
    constructorLength: 2,
    attributes: [
      ...["alternateSetting", "interfaceClass", "interfaceSubclass"],
      ...["interfaceProtocol", "interfaceName", "endpoints"],
    ],
  },
  {
    name: "USBEndpoint",
    constructorLength: 3,
    attributes: ["endpointNumber", "direction", "type", "packetSize"],
  },
];
