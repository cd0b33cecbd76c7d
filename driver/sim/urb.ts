/**
 * `struct usbdevfs_urb`, taken apart and checked as `proc_do_submiturb` does
 * before anything of the client's size is allocated. Linux, devio.c.
 *
 * @module
 */

import { MAX_CONTROL_BYTES, MAX_ISOCHRONOUS_PACKETS } from "../limits.ts";
import type { EndpointDescriptor, TransferType } from "../usb.ts";
import { SETUP_BYTES } from "./control_queue.ts";
import { ERRNO } from "./errno.ts";
import { MAX_ISOCHRONOUS_PACKET_BYTES } from "./sim_limits.ts";
import type { TransferUnit } from "./transfer_unit.ts";
import {
  ISO_PACKET_BYTES,
  URB,
  URB_FLAG,
  URB_FLAGS_KNOWN,
  URB_TYPE,
  USBFS_TRANSFER_BYTES_MAX,
} from "./usbfs_constants.ts";
import type { ClientMemory } from "./usbfs_contract.ts";

/** What a client submits. */
export interface SubmittedUrb {
  /** Its address in the client: its name. */
  readonly address: bigint;
  readonly type: number;
  readonly endpoint: number;
  readonly flags: number;
  readonly buffer: bigint;
  readonly bufferLengthBytes: number;
  readonly startFrame: number;
  readonly packetCount: number;
}

/** Takes the fixed part apart. */
export function decodeUrb(
  address: bigint,
  bytes: Uint8Array<ArrayBuffer>,
): SubmittedUrb {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    address,
    type: view.getUint8(URB.type),
    endpoint: view.getUint8(URB.endpoint),
    flags: view.getUint32(URB.flags, true),
    buffer: view.getBigUint64(URB.buffer, true),
    bufferLengthBytes: view.getInt32(URB.bufferLength, true),
    startFrame: view.getInt32(URB.startFrame, true),
    packetCount: view.getInt32(URB.numberOfPackets, true),
  };
}

/** Checks what needs no device. 0 or an error number. */
export function checkUrb(urb: SubmittedUrb): number {
  const { bufferLengthBytes: lengthBytes } = urb;
  if ((urb.flags & ~URB_FLAGS_KNOWN) !== 0) return ERRNO.INVAL;
  if (lengthBytes < 0 || lengthBytes >= USBFS_TRANSFER_BYTES_MAX) {
    return ERRNO.INVAL;
  }
  if (lengthBytes > 0 && urb.buffer === 0n) return ERRNO.INVAL;
  switch (urb.type) {
    case URB_TYPE.CONTROL:
      return lengthBytes < SETUP_BYTES ||
          lengthBytes > SETUP_BYTES + MAX_CONTROL_BYTES
        ? ERRNO.INVAL
        : 0;
    case URB_TYPE.ISO:
      return urb.packetCount < 1 || urb.packetCount > MAX_ISOCHRONOUS_PACKETS
        ? ERRNO.INVAL
        : 0;
    case URB_TYPE.BULK:
    case URB_TYPE.INTERRUPT:
      return 0;
    default:
      return ERRNO.INVAL;
  }
}

/** Checks a type against the endpoint's. 0 or an error number. */
export function checkType(
  urb: SubmittedUrb,
  endpoint: EndpointDescriptor,
): number {
  const { transferType } = endpoint;
  const fits = urb.type === URB_TYPE.ISO
    ? transferType === "isochronous"
    : urb.type === URB_TYPE.INTERRUPT
    ? transferType === "interrupt"
    // The kernel lets bulk stand for interrupt.
    : transferType === "bulk" || transferType === "interrupt";
  return fits ? 0 : ERRNO.INVAL;
}

/** Lengths of isochronous packets, or an error number. */
export async function readPackets(
  urb: SubmittedUrb,
  memory: ClientMemory,
): Promise<readonly number[] | number> {
  if (urb.type !== URB_TYPE.ISO) return [];
  const bytes = await memory.peek(
    urb.address + BigInt(URB.packets),
    ISO_PACKET_BYTES * urb.packetCount,
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengths: number[] = [];
  for (let packet = 0; packet < urb.packetCount; packet++) {
    const lengthBytes = view.getUint32(ISO_PACKET_BYTES * packet, true);
    if (lengthBytes > MAX_ISOCHRONOUS_PACKET_BYTES) return ERRNO.INVAL;
    lengths.push(lengthBytes);
  }
  return lengths;
}

/** `wLength` fits the buffer; 0 or an error number. */
export function checkSetup(data: Uint8Array): number {
  const wLength = (data[6] ?? 0) | (data[7] ?? 0) << 8;
  return SETUP_BYTES + wLength > data.length ? ERRNO.INVAL : 0;
}

/** The transfer type units have. */
export function typeOf(urb: SubmittedUrb): TransferType {
  switch (urb.type) {
    case URB_TYPE.CONTROL:
      return "control";
    case URB_TYPE.ISO:
      return "isochronous";
    case URB_TYPE.INTERRUPT:
      return "interrupt";
    default:
      return "bulk";
  }
}

/** Options of a unit that follow from an URB's flags. */
export function flagsOf(
  urb: SubmittedUrb,
): { shortNotOk: boolean; zeroPacket: boolean; startFrame?: number } {
  const has = (flag: number): boolean => (urb.flags & flag) !== 0;
  const isPlaced = urb.type === URB_TYPE.ISO && !has(URB_FLAG.ISO_ASAP);
  return {
    shortNotOk: has(URB_FLAG.SHORT_NOT_OK),
    zeroPacket: has(URB_FLAG.ZERO_PACKET),
    ...(isPlaced ? { startFrame: urb.startFrame } : {}),
  };
}

/** Writes an ended transfer back into the client, as a reap does. */
export function writeBack(
  urb: SubmittedUrb,
  unit: TransferUnit,
  memory: ClientMemory,
): void {
  const { address } = urb;
  const received = receivedData(unit);
  if (received.length > 0) {
    const skip = unit.type === "control" ? SETUP_BYTES : 0;
    memory.poke(urb.buffer + BigInt(skip), received);
  }
  memory.poke(address + BigInt(URB.status), words(unit.status));
  memory.poke(
    address + BigInt(URB.actualLength),
    words(unit.actualLengthBytes),
  );
  if (unit.packets.length === 0) return;
  memory.poke(address + BigInt(URB.errorCount), words(unit.errorCount));
  memory.poke(
    address + BigInt(URB.packets),
    words(
      ...unit.packets.flatMap((packet) => [
        packet.lengthBytes,
        packet.actualLengthBytes,
        packet.status,
      ]),
    ),
  );
}

/** What an IN transfer brought; isochronous packets keep their places. */
export function receivedData(unit: TransferUnit): Uint8Array {
  if (unit.type === "control") {
    const isIn = ((unit.data[0] ?? 0) & 0x80) !== 0;
    const end = SETUP_BYTES + unit.actualLengthBytes;
    return unit.data.subarray(SETUP_BYTES, isIn ? end : SETUP_BYTES);
  }
  if ((unit.endpoint & 0x80) === 0) return unit.data.subarray(0, 0);
  return unit.type === "isochronous"
    ? unit.data
    : unit.data.subarray(0, unit.actualLengthBytes);
}

/** 32-bit words, little endian. */
export function words(...values: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, at) => view.setInt32(4 * at, value, true));
  return bytes;
}
