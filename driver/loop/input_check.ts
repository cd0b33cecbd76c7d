/**
 * What a standing input may be asked for, the same for every port.
 *
 * @module
 */

import { isIntegerIn } from "../integer_bounds.ts";
import {
  MAX_ISOCHRONOUS_PACKETS,
  MAX_TRANSFER_BYTES,
  MAX_TRANSFERS_IN_FLIGHT,
} from "../limits.ts";
import type { InputOptions } from "../port.ts";
import type { EndpointDescriptor } from "../usb.ts";
import type { Refusal } from "./output_check.ts";

/** Isochronous inputs: 8 packets are 8 ms at full speed, 1 ms at high speed. */
const PACKETS_PER_TRANSFER = 8;

/** What an input works with, checked. */
export interface InputShape {
  /** Of each buffer. */
  readonly lengthBytes: number;
  /** Isochronous only: the length of each packet. */
  readonly packets: readonly number[] | undefined;
}

/** Checks the options of an input on an endpoint. */
export function checkInput(
  options: Omit<InputOptions, "endpoint" | "sink" | "onEnd">,
  endpoint: EndpointDescriptor,
): InputShape | Refusal {
  if (endpoint.direction !== "in") {
    return { code: "notFound", reason: "it is no IN endpoint" };
  }
  const refuse = (reason: string): Refusal => ({
    code: "invalidParameter",
    reason,
  });
  if (!isIntegerIn(options.transfersInFlight, 1, MAX_TRANSFERS_IN_FLIGHT)) {
    return refuse(`transfers in flight are 1 to ${MAX_TRANSFERS_IN_FLIGHT}`);
  }
  const packetBytes = endpoint.maxPacketSize *
    endpoint.transactionsPerMicroframe;
  if (endpoint.transferType !== "isochronous") {
    const lengthBytes = options.transferLengthBytes ?? packetBytes;
    return isIntegerIn(lengthBytes, 1, MAX_TRANSFER_BYTES)
      ? { lengthBytes, packets: undefined }
      : refuse(`a transfer carries 1 to ${MAX_TRANSFER_BYTES} bytes`);
  }
  const count = options.packetsPerTransfer ?? PACKETS_PER_TRANSFER;
  if (!isIntegerIn(count, 1, MAX_ISOCHRONOUS_PACKETS)) {
    return refuse(`packets per transfer are 1 to ${MAX_ISOCHRONOUS_PACKETS}`);
  }
  const packets = new Array<number>(count).fill(packetBytes);
  return { lengthBytes: packetBytes * count, packets };
}
