/**
 * WebUSB's preconditions that look at descriptors: which endpoint, which
 * interface, how much. Each throws the exception the checklist names.
 *
 * @module
 */

import { MAX_TRANSFER_BYTES } from "../limits.ts";
import {
  type ConfigurationDescriptor,
  type Direction,
  directionOf,
  type EndpointDescriptor,
  endpointNumberOf,
  type InterfaceDescriptor,
} from "../usb.ts";
import { domError } from "./idl.ts";
import type { USBControlTransferParameters } from "./transfer_arguments.ts";

/** An endpoint as a program names it. */
export interface EndpointWish {
  readonly direction: Direction;
  readonly number: number;
}

/** @throws {DOMException} `NotFoundError`. */
export function findInterface(
  configuration: ConfigurationDescriptor,
  number: number,
): InterfaceDescriptor {
  const found = configuration.interfaces.find((i) =>
    i.interfaceNumber === number
  );
  if (found === undefined) {
    throw domError("NotFoundError", `There is no interface ${number}`);
  }
  return found;
}

/**
 * Among the endpoints of claimed interfaces' live settings.
 *
 * @throws {DOMException} `IndexSizeError` for 0 and above 15, `NotFoundError`.
 */
export function findEndpoint(
  live: readonly EndpointDescriptor[],
  { direction, number }: EndpointWish,
): EndpointDescriptor {
  if (number === 0 || number > 15) {
    throw domError("IndexSizeError", `${number} is not an endpoint number`);
  }
  const found = live.find((e) =>
    e.direction === direction && endpointNumberOf(e.endpointAddress) === number
  );
  if (found === undefined) {
    throw domError(
      "NotFoundError",
      `No claimed interface has ${direction} endpoint ${number}`,
    );
  }
  return found;
}

/** @throws {DOMException} `NotFoundError` when no live endpoint is the request's target. */
export function requireEndpointTarget(
  live: readonly EndpointDescriptor[],
  setup: USBControlTransferParameters,
): void {
  const direction: Direction = (setup.index & 0x80) !== 0 ? "in" : "out";
  const isLive = live.some((e) =>
    endpointNumberOf(e.endpointAddress) === (setup.index & 0x0f) &&
    directionOf(e.endpointAddress) === direction
  );
  if (!isLive) {
    throw domError("NotFoundError", "No claimed interface has that endpoint");
  }
}

/** @throws {DOMException} `DataError` above 32 MiB. */
export function requireLength(lengthBytes: number): void {
  if (lengthBytes > MAX_TRANSFER_BYTES) {
    throw domError(
      "DataError",
      `${lengthBytes} bytes are more than a transfer may have, ${MAX_TRANSFER_BYTES}`,
    );
  }
}

/** @throws {DOMException} `InvalidAccessError` when the endpoint is of the other kind. */
export function requireKind(
  endpoint: EndpointDescriptor,
  isIsochronous: boolean,
): void {
  if ((endpoint.transferType === "isochronous") !== isIsochronous) {
    throw domError(
      "InvalidAccessError",
      `The endpoint is a ${endpoint.transferType} endpoint`,
    );
  }
}

/** The sum of packet lengths. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
