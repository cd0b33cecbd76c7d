/**
 * Finds the USBTMC interface of a device and its endpoints.
 *
 * @module
 */

import type { Device } from "../../device.ts";
import type {
  AlternateInterfaceDescriptor,
  Direction,
  EndpointAddress,
  EndpointDescriptor,
  InterfaceNumber,
  TransferType,
} from "../../usb.ts";

/** `bInterfaceClass`: application specific. USBTMC 1.00, table 43. */
export const INTERFACE_CLASS = 0xfe;
/** `bInterfaceSubClass`: test and measurement. USBTMC 1.00, table 43. */
export const INTERFACE_SUBCLASS = 0x03;
/** `bInterfaceProtocol` of plain USBTMC. USBTMC 1.00, table 44. */
export const PROTOCOL_USBTMC = 0;
/** `bInterfaceProtocol` of USB488. USB488 1.00, table 1. */
export const PROTOCOL_USB488 = 1;

/** An endpoint of the interface. */
export interface Pipe {
  /** `bEndpointAddress`. */
  readonly address: EndpointAddress;
  /** `wMaxPacketSize`, in bytes. */
  readonly maxPacketSize: number;
}

/** What a USBTMC interface consists of. USBTMC 1.00, 5.6. */
export interface Pipes {
  /** `bInterfaceNumber`: goes into `wIndex` of every request to the interface. */
  readonly interfaceNumber: InterfaceNumber;
  /** Whether it has the status byte, triggers and remote control of USB488. */
  readonly isUsb488: boolean;
  /** Messages to the device. */
  readonly bulkOut: Pipe;
  /** Answers. */
  readonly bulkIn: Pipe;
  /** Service requests and status bytes. */
  readonly interruptIn: Pipe | undefined;
}

/**
 * The USBTMC interface of the active configuration: the one with this number,
 * else the first.
 *
 * @throws {UsbError} `notFound` when there is none, or it lacks a bulk endpoint.
 */
export function findPipes(device: Device, interfaceNumber?: number): Pipes {
  const operation = "use it as an instrument";
  const found = usbtmcInterface(device, interfaceNumber);
  if (found === undefined) {
    throw device.error(
      "notFound",
      operation,
      "it has no interface of the test and measurement class (FE/03)",
    );
  }
  const bulkOut = pipe(found, "bulk", "out");
  const bulkIn = pipe(found, "bulk", "in");
  if (bulkOut === undefined || bulkIn === undefined) {
    throw device.error(
      "notFound",
      operation,
      `interface ${found.interfaceNumber} lacks a bulk endpoint`,
    );
  }
  return {
    interfaceNumber: found.interfaceNumber,
    isUsb488: found.interfaceProtocol === PROTOCOL_USB488,
    bulkOut,
    bulkIn,
    interruptIn: pipe(found, "interrupt", "in"),
  };
}

function usbtmcInterface(
  device: Device,
  wanted: number | undefined,
): AlternateInterfaceDescriptor | undefined {
  for (const candidate of device.port.configuration?.interfaces ?? []) {
    if (wanted !== undefined && candidate.interfaceNumber !== wanted) continue;
    const live = device.claimed.get(candidate.interfaceNumber);
    const alternate = candidate.alternates.find((setting) =>
      live === undefined || setting.alternateSetting === live
    );
    const isUsbtmc = alternate?.interfaceClass === INTERFACE_CLASS &&
      alternate.interfaceSubclass === INTERFACE_SUBCLASS;
    if (isUsbtmc) return alternate;
  }
  return undefined;
}

function pipe(
  alternate: AlternateInterfaceDescriptor,
  transferType: TransferType,
  direction: Direction,
): Pipe | undefined {
  const endpoint = alternate.endpoints.find((candidate: EndpointDescriptor) =>
    candidate.transferType === transferType &&
    candidate.direction === direction && candidate.maxPacketSize > 0
  );
  return endpoint === undefined ? undefined : {
    address: endpoint.endpointAddress,
    maxPacketSize: endpoint.maxPacketSize,
  };
}
