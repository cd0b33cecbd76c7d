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

/** Who reads. */
export interface InputReader extends Pick<InputOptions, "sink" | "onEnd"> {
  /** The signal fired. */
  readonly onAbort: () => void;
  /** It does not begin. */
  readonly end: () => void;
}

/**
 * Opens the input of a reader, and watches its signal; `undefined` when that
 * has fired already.
 *
 * @throws {UsbError} As `DevicePort.openInput`. @throws {RangeError}
 */
export function beginReading(
  place: { readonly device: Device; readonly endpoint: EndpointAddress },
  options: ReadableOptions,
  { sink, onEnd, onAbort, end }: InputReader,
): InputRing | undefined {
  const { signal } = options;
  if (signal?.aborted === true) {
    end();
    return undefined;
  }
  try {
    const ring = openInput(place, options, { sink, onEnd });
    signal?.addEventListener("abort", onAbort, { once: true });
    return ring;
  } catch (error) {
    end();
    throw error;
  }
}

function openInput(
  { device, endpoint }: Parameters<typeof beginReading>[0],
  { transfersInFlight, transferLengthBytes }: ReadableOptions,
  calls: Pick<InputOptions, "sink" | "onEnd">,
): InputRing {
  return device.port.openInput({
    endpoint,
    transfersInFlight: within(
      transfersInFlight ?? TRANSFERS_IN_FLIGHT_DEFAULT,
      MAX_TRANSFERS_IN_FLIGHT,
      "transfers in flight",
    ),
    ...(transferLengthBytes === undefined ? {} : { transferLengthBytes }),
    ...calls,
  });
}

/** A count from 1 to a bound. @throws {RangeError} When it is not. */
export function within(value: number, maximum: number, what: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= maximum) return value;
  throw new RangeError(
    `Cannot use ${value} as the number of ${what}: expected 1 to ${maximum}`,
  );
}
