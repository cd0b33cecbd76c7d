/**
 * Finds the interfaces and endpoints a driver asks for in what the device says
 * it has.
 *
 * @module
 */

import type {
  EndpointSelector,
  FoundEndpoint,
  InterfaceSelector,
} from "../driver.ts";
import { UsbError } from "../errors.ts";
import type { DevicePort } from "../port.ts";
import {
  type AlternateInterfaceDescriptor,
  type EndpointAddress,
  type EndpointDescriptor,
  hex,
  type TransferType,
} from "../usb.ts";

/** An endpoint found, with what an input needs of it. */
export interface FoundInput extends FoundEndpoint {
  readonly transferType: TransferType;
  /** One packet times the transactions of a microframe, in bytes. */
  readonly packetBytes: number;
}

/**
 * Finds an interface in the active configuration: the first that has an
 * alternate setting which meets every member of the selector.
 *
 * @throws {UsbError} `state` when the device is not configured, `notFound`.
 */
export function findInterface(
  device: DevicePort,
  selector: InterfaceSelector,
): AlternateInterfaceDescriptor {
  const { configuration } = device;
  if (configuration === undefined) {
    throw new UsbError({
      code: "state",
      operation: "find an interface",
      device: device.label,
      reason: "the device is not configured",
    });
  }
  for (const { alternates } of configuration.interfaces) {
    const found = alternates.find((alternate) => meets(alternate, selector));
    if (found !== undefined) return found;
  }
  throw new UsbError({
    code: "notFound",
    operation: `find the interface with ${describe(selector)}`,
    device: device.label,
    reason: "the device has no such interface",
    advice: "Check that the driver is for this device",
  });
}

/**
 * Finds an endpoint among the live settings of the claimed interfaces;
 * `undefined` when there is none.
 */
export function findEndpoint(
  device: DevicePort,
  wanted: EndpointAddress | EndpointSelector,
): FoundInput | undefined {
  for (const alternate of liveSettings(device)) {
    for (const endpoint of alternate.endpoints) {
      if (!isWanted(endpoint, alternate, wanted)) continue;
      return {
        interfaceNumber: alternate.interfaceNumber,
        endpointAddress: endpoint.endpointAddress,
        maxPacketSize: endpoint.maxPacketSize,
        transferType: endpoint.transferType,
        packetBytes: endpoint.maxPacketSize *
          endpoint.transactionsPerMicroframe,
      };
    }
  }
  return undefined;
}

/** What was looked for, for messages: `endpoint 0x81`, `an interrupt in endpoint`. */
export function describeEndpoint(
  wanted: EndpointAddress | EndpointSelector,
): string {
  if (typeof wanted === "number") return `endpoint ${hex(wanted)}`;
  return `endpoint of type ${wanted.type} ${wanted.direction}`;
}

function liveSettings(device: DevicePort): AlternateInterfaceDescriptor[] {
  const interfaces = device.configuration?.interfaces ?? [];
  return interfaces.flatMap(({ interfaceNumber, alternates }) => {
    const setting = device.claimed.get(interfaceNumber);
    return alternates.filter((a) => a.alternateSetting === setting);
  });
}

function isWanted(
  endpoint: EndpointDescriptor,
  alternate: AlternateInterfaceDescriptor,
  wanted: EndpointAddress | EndpointSelector,
): boolean {
  if (typeof wanted === "number") return endpoint.endpointAddress === wanted;
  return endpoint.transferType === wanted.type &&
    endpoint.direction === wanted.direction &&
    same(wanted.interfaceNumber, alternate.interfaceNumber);
}

function meets(
  alternate: AlternateInterfaceDescriptor,
  selector: InterfaceSelector,
): boolean {
  return same(selector.interfaceNumber, alternate.interfaceNumber) &&
    same(selector.interfaceClass, alternate.interfaceClass) &&
    same(selector.interfaceSubclass, alternate.interfaceSubclass) &&
    same(selector.interfaceProtocol, alternate.interfaceProtocol);
}

function same(wanted: number | undefined, actual: number): boolean {
  return wanted === undefined || wanted === actual;
}

function describe(selector: InterfaceSelector): string {
  const members = Object.entries(selector)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${hex(value as number)}`);
  return members.length === 0 ? "any number" : members.join(", ");
}
