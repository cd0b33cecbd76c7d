/**
 * The device's end of a USB/IP connection: transfers a host submits go to a
 * virtual device, and come back as they end.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import { endpointAddress } from "../usb.ts";
import type { BusDevice } from "./bus_device.ts";
import { SETUP_BYTES } from "./control_queue.ts";
import { ERRNO } from "./errno.ts";
import { TransferUnit } from "./transfer_unit.ts";
import {
  encodeSubmitResult,
  encodeUnlinkResult,
  type PacketResult,
  type SubmitCommand,
  URB_FLAG,
  type UsbipCommand,
  UsbipReader,
} from "./usbip_codec.ts";

/** Transfers in flight; a host that has more of them has lost count. */
const MAX_PENDING_TRANSFERS = 4096;
/** Their buffers together: what usbfs, storage and network of one host may have in flight. */
const MAX_PENDING_BYTES = 128 * 1024 * 1024;

/** What a transfer's ending with `unlink` is called in answers; in devices it is ENOENT. */
const ECONNRESET = 104;

interface Pending {
  readonly unit: TransferUnit;
  readonly command: SubmitCommand;
}

/** Runs one device for one host. */
export class UsbipLink {
  readonly #device: BusDevice;
  readonly #write: (message: Uint8Array<ArrayBuffer>) => void;
  readonly #reader = new UsbipReader();
  readonly #pending = new Map<number, Pending>();
  #pendingBytes = 0;
  #isClosed = false;

  /** `write` queues a message for the host. */
  constructor(
    device: BusDevice,
    write: (message: Uint8Array<ArrayBuffer>) => void,
  ) {
    this.#device = device;
    this.#write = write;
  }

  /** Transfers in flight. */
  get pendingTransfers(): number {
    return this.#pending.size;
  }

  /**
   * Takes bytes from the host.
   *
   * @throws {UsbError} `protocol` when they cannot be a host's: close the connection.
   */
  receive(chunk: Uint8Array): void {
    for (const command of this.#reader.push(chunk)) this.#handle(command);
  }

  /** The host is gone: its transfers end, with nobody to tell. */
  close(): void {
    this.#isClosed = true;
    for (const { unit } of [...this.#pending.values()]) {
      this.#device.cancel(unit);
    }
    this.#pending.clear();
  }

  #handle(command: UsbipCommand): void {
    if (command.kind === "submit") return this.#submit(command);
    const { sequence, target } = command;
    const isUnlinked = this.#unlink(target);
    this.#write(encodeUnlinkResult(sequence, isUnlinked ? -ECONNRESET : 0));
  }

  #submit(command: SubmitCommand): void {
    this.#admit(command);
    const refused = refusal(command);
    const unit = this.#unit(refused === 0 ? command : plain(command));
    this.#pending.set(command.sequence, { unit, command });
    this.#pendingBytes += command.lengthBytes;
    if (refused === 0) this.#device.submit(unit);
    else unit.complete(-refused);
  }

  #admit({ lengthBytes, sequence }: SubmitCommand): void {
    const reason = this.#pending.has(sequence)
      ? `transfer ${sequence} is in flight already`
      : this.#pending.size >= MAX_PENDING_TRANSFERS
      ? `${MAX_PENDING_TRANSFERS} transfers are in flight already`
      : this.#pendingBytes + lengthBytes > MAX_PENDING_BYTES
      ? `transfers in flight would have more than ${MAX_PENDING_BYTES} bytes`
      : undefined;
    if (reason === undefined) return;
    throw new UsbError({
      code: "protocol",
      operation: "take a USB/IP transfer",
      reason,
    });
  }

  #unit(command: SubmitCommand): TransferUnit {
    const { direction, endpointNumber, flags, packets, sequence } = command;
    const address = endpointAddress(
      endpointNumber | (direction === "in" ? 0x80 : 0),
    );
    const descriptor = this.#device.endpoint(address);
    const isControl = endpointNumber === 0;
    return new TransferUnit({
      type: isControl ? "control" : descriptor?.transferType ?? "bulk",
      endpoint: address,
      data: isControl ? controlBuffer(command) : buffer(command),
      shortNotOk: (flags & URB_FLAG.SHORT_NOT_OK) !== 0,
      zeroPacket: (flags & URB_FLAG.ZERO_PACKET) !== 0,
      packetLengthsBytes: packets.map((packet) => packet.lengthBytes),
      ...(packets.length === 0 || (flags & URB_FLAG.ISO_ASAP) !== 0
        ? {}
        : { startFrame: command.startFrame }),
      onComplete: () => this.#completed(sequence),
    });
  }

  #completed(sequence: number): void {
    const pending = this.#take(sequence);
    // A device that left the bus does not answer: its connection ends.
    if (pending === undefined || this.#isClosed || this.#device.isGone) return;
    this.#answer(pending);
  }

  /**
   * Takes a transfer back. One that moved bytes is answered as ended, since only
   * that answer carries data; the host knows that it asked for the end.
   */
  #unlink(target: number): boolean {
    const pending = this.#take(target);
    if (pending === undefined) return false;
    this.#device.cancel(pending.unit);
    if (pending.unit.actualLengthBytes === 0) return true;
    this.#answer(pending);
    return false;
  }

  #take(sequence: number): Pending | undefined {
    const pending = this.#pending.get(sequence);
    if (pending === undefined) return undefined;
    this.#pending.delete(sequence);
    this.#pendingBytes -= pending.command.lengthBytes;
    return pending;
  }

  #answer({ unit, command }: Pending): void {
    this.#write(encodeSubmitResult({
      sequence: command.sequence,
      status: unit.status,
      actualLengthBytes: unit.actualLengthBytes,
      startFrame: unit.startFrame ?? 0,
      errorCount: unit.errorCount,
      data: command.direction === "in" ? arrived(unit) : NO_BYTES,
      packets: packetResults(unit, command),
    }));
  }
}

const NO_BYTES = new Uint8Array();

/** Shapes that the emulated controller does not do, by error number; 0 = fine. */
function refusal(command: SubmitCommand): number {
  const { packets, endpointNumber } = command;
  if (endpointNumber === 0) return packets.length === 0 ? 0 : ERRNO.INVAL;
  let expected = 0;
  for (const { offsetBytes, lengthBytes } of packets) {
    if (offsetBytes !== expected) return ERRNO.INVAL;
    expected += lengthBytes;
  }
  return 0;
}

function plain(command: SubmitCommand): SubmitCommand {
  return { ...command, packets: [] };
}

function buffer(command: SubmitCommand): Uint8Array<ArrayBuffer> {
  return command.direction === "out"
    ? command.data
    : new Uint8Array(command.lengthBytes);
}

function controlBuffer(command: SubmitCommand): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SETUP_BYTES + command.lengthBytes);
  bytes.set(command.setup);
  bytes.set(command.data, SETUP_BYTES);
  return bytes;
}

/** IN data as they travel: isochronous packets without the gaps between them. */
function arrived(unit: TransferUnit): Uint8Array {
  if (unit.type === "control") {
    const end = SETUP_BYTES + unit.actualLengthBytes;
    return unit.data.subarray(SETUP_BYTES, end);
  }
  if (unit.packets.length === 0) {
    return unit.data.subarray(0, unit.actualLengthBytes);
  }
  const data = new Uint8Array(unit.actualLengthBytes);
  let at = 0;
  for (const { offsetBytes, actualLengthBytes } of unit.packets) {
    const end = offsetBytes + actualLengthBytes;
    data.set(unit.data.subarray(offsetBytes, end), at);
    at += actualLengthBytes;
  }
  return data;
}

function packetResults(
  unit: TransferUnit,
  command: SubmitCommand,
): readonly PacketResult[] {
  // A refused transfer still has to answer for the packets it was asked.
  if (unit.packets.length === command.packets.length) return unit.packets;
  return command.packets.map((place) => ({
    ...place,
    actualLengthBytes: 0,
    status: unit.status,
  }));
}
