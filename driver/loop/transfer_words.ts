/**
 * A transfer in the words of a journal.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type {
  PacketOutcome,
  Report,
  TransferOutcome,
  TransferRequest,
} from "../port.ts";
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

/** What a report has besides its bytes. */
export function reportDetail(
  { timestampMs, packets }: Report,
): { readonly [key: string]: Json } {
  return {
    timestampMs,
    ...(packets === undefined ? {} : { packets: packets.map(packetDetail) }),
  };
}

/** How a transfer ended, besides its bytes. */
export function outcomeDetail(
  { status, actualLengthBytes, packets }: TransferOutcome,
): { readonly [key: string]: Json } {
  return {
    status,
    actualLengthBytes,
    ...(packets === undefined ? {} : { packets: packets.map(packetDetail) }),
  };
}

function packetDetail(packet: PacketOutcome): Json {
  return [packet.status, packet.offsetBytes, packet.actualLengthBytes];
}
