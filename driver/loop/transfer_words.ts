/**
 * A transfer in the words of a journal.
 *
 * @module
 */

import type { TransferRequest } from "../port.ts";
import { hex } from "../usb.ts";

/** Its kind and where it goes: `in 0x82`, `controlOut 0x09`. */
export function transferName(request: TransferRequest): string {
  return "setup" in request
    ? `${request.type} ${hex(request.setup.request)}`
    : `${request.type} ${hex(request.endpoint)}`;
}

/** Bytes it moves, or asks for. */
export function transferBytes(request: TransferRequest): number {
  if ("data" in request) return request.data.length;
  if ("lengthBytes" in request) return request.lengthBytes;
  return request.packetLengthsBytes.reduce((sum, length) => sum + length, 0);
}
