/**
 * Messages of USB/IP's second phase, in which a host submits and unlinks
 * transfers of a device it has attached. All numbers are big-endian. Linux,
 * Documentation/usb/usbip_protocol.rst.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import { MAX_ISOCHRONOUS_PACKETS, MAX_TRANSFER_BYTES } from "../limits.ts";
import type { Direction } from "../usb.ts";

/** Every message begins with this many bytes. */
export const HEADER_BYTES = 48;
/** One isochronous packet behind the data: offset, length, actual length, status. */
export const PACKET_BYTES = 16;

/** Message codes. */
export const USBIP = {
  CMD_SUBMIT: 1,
  CMD_UNLINK: 2,
  RET_SUBMIT: 3,
  RET_UNLINK: 4,
} as const;

/** Transfer flags, as Linux's URBs carry them. include/linux/usb.h. */
export const URB_FLAG = {
  SHORT_NOT_OK: 0x0001,
  ISO_ASAP: 0x0002,
  ZERO_PACKET: 0x0040,
} as const;

/** Where an isochronous packet lies in a transfer's buffer. */
export interface PacketPlace {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** The host submits a transfer. */
export interface SubmitCommand {
  readonly kind: "submit";
  readonly sequence: number;
  readonly direction: Direction;
  /** 0 to 15. */
  readonly endpointNumber: number;
  /** See {@linkcode URB_FLAG}. */
  readonly flags: number;
  /** Size of the transfer's buffer. */
  readonly lengthBytes: number;
  readonly startFrame: number;
  /** Eight bytes; meaningful on endpoint 0. */
  readonly setup: Uint8Array<ArrayBuffer>;
  /** OUT: the data. IN: empty. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Isochronous only. */
  readonly packets: readonly PacketPlace[];
}

/** The host takes a transfer back. */
export interface UnlinkCommand {
  readonly kind: "unlink";
  readonly sequence: number;
  /** The sequence number of the transfer. */
  readonly target: number;
}

/** What a host can say. */
export type UsbipCommand = SubmitCommand | UnlinkCommand;

/** A header that was checked: how much follows, and how to read that. */
export interface DecodedHeader {
  readonly bodyBytes: number;
  /** `body` has `bodyBytes` bytes and belongs to the command from now on. */
  command(body: Uint8Array<ArrayBuffer>): UsbipCommand;
}

/**
 * Checks a header.
 *
 * @throws {UsbError} `protocol` for anything a host does not send; the stream cannot be read on.
 * @throws {RangeError} When there are fewer than HEADER_BYTES bytes.
 */
export function decodeHeader(bytes: Uint8Array): DecodedHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const code = view.getUint32(0);
  const sequence = view.getUint32(4);
  switch (code) {
    case USBIP.CMD_SUBMIT:
      return decodeSubmit(view, sequence);
    case USBIP.CMD_UNLINK: {
      const target = view.getUint32(20);
      return {
        bodyBytes: 0,
        command: () => ({ kind: "unlink", sequence, target }),
      };
    }
    default:
      throw broken(`its code is ${code}`);
  }
}

function decodeSubmit(view: DataView, sequence: number): DecodedHeader {
  const isIn = decodeDirection(view.getUint32(12));
  const endpointNumber = atMost(view.getUint32(16), 15, "endpoint");
  const lengthBytes = atMost(
    view.getUint32(24),
    MAX_TRANSFER_BYTES,
    "buffer length",
  );
  const packetCount = decodePacketCount(view.getUint32(32));
  const dataBytes = isIn ? 0 : lengthBytes;
  const setup = new Uint8Array(8);
  for (let at = 0; at < setup.length; at++) setup[at] = view.getUint8(40 + at);
  const fixed = {
    kind: "submit",
    sequence,
    direction: isIn ? "in" : "out",
    endpointNumber,
    flags: view.getUint32(20),
    lengthBytes,
    startFrame: view.getInt32(28),
    setup,
  } as const;
  return {
    bodyBytes: dataBytes + packetCount * PACKET_BYTES,
    command: (body) => ({
      ...fixed,
      data: body.subarray(0, dataBytes),
      packets: decodePackets(body.subarray(dataBytes), lengthBytes),
    }),
  };
}

function decodeDirection(value: number): boolean {
  return atMost(value, 1, "direction") === 1;
}

/** Linux sends 0 for what is not isochronous; the documentation asks for -1. */
function decodePacketCount(value: number): number {
  return value === 0xffff_ffff
    ? 0
    : atMost(value, MAX_ISOCHRONOUS_PACKETS, "number of packets");
}

function decodePackets(
  bytes: Uint8Array,
  bufferBytes: number,
): readonly PacketPlace[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packets: PacketPlace[] = [];
  for (let at = 0; at < bytes.length; at += PACKET_BYTES) {
    const offsetBytes = view.getUint32(at);
    const lengthBytes = view.getUint32(at + 4);
    atMost(offsetBytes + lengthBytes, bufferBytes, "end of a packet");
    packets.push({ offsetBytes, lengthBytes });
  }
  return packets;
}

/** One isochronous packet of a finished transfer. */
export interface PacketResult extends PacketPlace {
  readonly actualLengthBytes: number;
  /** 0 or a negated error number. */
  readonly status: number;
}

/** How a transfer ended. */
export interface SubmitResult {
  readonly sequence: number;
  /** 0 or a negated error number. */
  readonly status: number;
  readonly actualLengthBytes: number;
  readonly startFrame: number;
  readonly errorCount: number;
  /** IN: what arrived; isochronous without the gaps. OUT: empty. */
  readonly data: Uint8Array;
  readonly packets: readonly PacketResult[];
}

/** RET_SUBMIT, whole. */
export function encodeSubmitResult(
  result: SubmitResult,
): Uint8Array<ArrayBuffer> {
  const { data, packets } = result;
  const bytes = new Uint8Array(
    HEADER_BYTES + data.length + packets.length * PACKET_BYTES,
  );
  const view = new DataView(bytes.buffer);
  view.setUint32(0, USBIP.RET_SUBMIT);
  view.setUint32(4, result.sequence);
  view.setInt32(20, result.status);
  view.setUint32(24, result.actualLengthBytes);
  view.setInt32(28, result.startFrame);
  view.setUint32(32, packets.length);
  view.setUint32(36, result.errorCount);
  bytes.set(data, HEADER_BYTES);
  packets.forEach((packet, index) => {
    const at = HEADER_BYTES + data.length + index * PACKET_BYTES;
    view.setUint32(at, packet.offsetBytes);
    view.setUint32(at + 4, packet.lengthBytes);
    view.setUint32(at + 8, packet.actualLengthBytes);
    view.setInt32(at + 12, packet.status);
  });
  return bytes;
}

/** RET_UNLINK. `status` is -ECONNRESET when it was unlinked, 0 when it had ended before. */
export function encodeUnlinkResult(
  sequence: number,
  status: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, USBIP.RET_UNLINK);
  view.setUint32(4, sequence);
  view.setInt32(20, status);
  return bytes;
}

/**
 * Cuts a stream of bytes into commands. Memory for what follows a header is
 * taken only after the header was checked.
 */
export class UsbipReader {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #decoded: DecodedHeader | undefined;
  #body = new Uint8Array(0);
  #filledBytes = 0;

  /**
   * Commands that a chunk completes.
   *
   * @throws {UsbError} `protocol`; nothing can be read afterwards.
   */
  *push(chunk: Uint8Array): Generator<UsbipCommand> {
    let rest = chunk;
    for (;;) {
      const goal = this.#decoded === undefined ? this.#header : this.#body;
      const part = rest.subarray(0, goal.length - this.#filledBytes);
      goal.set(part, this.#filledBytes);
      this.#filledBytes += part.length;
      rest = rest.subarray(part.length);
      if (this.#filledBytes < goal.length) return;
      this.#filledBytes = 0;
      if (this.#decoded === undefined) {
        this.#decoded = decodeHeader(this.#header);
        this.#body = new Uint8Array(this.#decoded.bodyBytes);
        continue;
      }
      const command = this.#decoded.command(this.#body);
      this.#decoded = undefined;
      yield command;
    }
  }
}

function atMost(value: number, max: number, what: string): number {
  if (value > max) throw broken(`its ${what} is ${value}, more than ${max}`);
  return value;
}

function broken(reason: string): UsbError {
  return new UsbError({
    code: "protocol",
    operation: "read a USB/IP message",
    reason,
  });
}
