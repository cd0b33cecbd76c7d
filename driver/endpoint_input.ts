/**
 * What all readers of an endpoint share: how they read, checked, and the input
 * they read from.
 *
 * @module
 */

import type { Device } from "./device.ts";
import { MAX_TRANSFERS_IN_FLIGHT } from "./limits.ts";
import type { InputOptions, InputRing } from "./port.ts";
import type { EndpointAddress } from "./usb.ts";

/** Enough that the bus does not wait for us between two transfers. */
const TRANSFERS_IN_FLIGHT_DEFAULT = 4;

/** How to read. */
export interface ReadableOptions {
  /** Transfers kept in flight, 1..MAX_TRANSFERS_IN_FLIGHT; default 4. */
  readonly transfersInFlight?: number;
  /** Bytes per transfer. Default: one packet; on bulk endpoints 16 KiB. */
  readonly transferLengthBytes?: number;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** Opens the input of a reader. @throws {UsbError} As `DevicePort.openInput`. @throws {RangeError} */
export function openReaderInput(
  device: Device,
  endpoint: EndpointAddress,
  options: ReadableOptions & Pick<InputOptions, "sink" | "onEnd">,
): InputRing {
  const { transfersInFlight, transferLengthBytes, sink, onEnd } = options;
  return device.port.openInput({
    endpoint,
    transfersInFlight: within(
      transfersInFlight ?? TRANSFERS_IN_FLIGHT_DEFAULT,
      MAX_TRANSFERS_IN_FLIGHT,
      "transfers in flight",
    ),
    ...(transferLengthBytes === undefined ? {} : { transferLengthBytes }),
    sink,
    onEnd,
  });
}

/** A count from 1 to a bound. @throws {RangeError} When it is not. */
export function within(value: number, maximum: number, what: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= maximum) return value;
  throw new RangeError(
    `Cannot use ${value} as the number of ${what}: expected 1 to ${maximum}`,
  );
}
