/**
 * From a transfer's outcome to a result of WebUSB, or to the exception its
 * ending calls for. A stall and a babble are results, not exceptions.
 *
 * @module
 */

import type {
  PacketOutcome,
  TransferOutcome,
  TransferStatus,
} from "../port.ts";
import { domError, type DomErrorName } from "./idl.ts";
import {
  USBInTransferResult,
  USBIsochronousInTransferPacket,
  USBIsochronousInTransferResult,
  USBIsochronousOutTransferPacket,
  USBIsochronousOutTransferResult,
  USBOutTransferResult,
  type USBTransferStatus,
} from "./results.ts";

interface Rejection {
  readonly error: DomErrorName;
  readonly message: string;
}

type Ending = { readonly status: USBTransferStatus } | Rejection;

const ENDINGS: Readonly<Record<TransferStatus, Ending>> = {
  completed: { status: "ok" },
  stall: { status: "stall" },
  overflow: { status: "babble" },
  cancelled: { error: "AbortError", message: "The transfer was aborted" },
  timedOut: { error: "TimeoutError", message: "The time limit passed" },
  noDevice: { error: "NetworkError", message: "The device was disconnected" },
  error: { error: "NetworkError", message: "A transfer error has occurred" },
  noMemory: {
    error: "NetworkError",
    message: "The kernel's memory for transfers is used up",
  },
};

/** @throws {DOMException} When the ending is not a result; the outcome is its cause. */
function statusOf(outcome: TransferOutcome): USBTransferStatus {
  const ending = ENDINGS[outcome.status];
  if ("status" in ending) return ending.status;
  throw domError(ending.error, ending.message, outcome);
}

/** Result of a control, bulk or interrupt IN transfer; always with a view. */
export function inResult(outcome: TransferOutcome): USBInTransferResult {
  const view = new DataView(exactly(outcome.data).buffer);
  return new USBInTransferResult(statusOf(outcome), view);
}

/** Bytes in a buffer of their own: libraries for browsers read `data.buffer` from its beginning to its end. */
function exactly(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const isExact = bytes.byteLength === bytes.buffer.byteLength;
  return isExact ? bytes : bytes.slice();
}

/** Result of a control, bulk or interrupt OUT transfer. */
export function outResult(outcome: TransferOutcome): USBOutTransferResult {
  return new USBOutTransferResult(statusOf(outcome), outcome.actualLengthBytes);
}

/**
 * Packets of all transfers, in order. WebUSB has no word for a packet that was
 * lost, so it fails the whole; what did arrive is in the cause.
 *
 * @throws {DOMException} As `statusOf`, and `NetworkError` for a packet that neither came nor was too long.
 */
function packetsOf(
  outcomes: readonly TransferOutcome[],
): readonly PacketOutcome[] {
  for (const outcome of outcomes) {
    statusOf(outcome);
    for (const { status } of outcome.packets ?? []) {
      if (status === "completed" || status === "overflow") continue;
      const { error, message } = ENDINGS[status] as Partial<Rejection>;
      throw domError(
        error ?? "NetworkError",
        message ?? "A packet was lost",
        outcome,
      );
    }
  }
  return outcomes.flatMap((outcome) => outcome.packets ?? []);
}

function packetStatus(status: TransferStatus): USBTransferStatus {
  return status === "overflow" ? "babble" : "ok";
}

/** Result of isochronous IN transfers; its packets share its buffer. */
export function isochronousInResult(
  outcomes: readonly TransferOutcome[],
  lengths: readonly number[],
): USBIsochronousInTransferResult {
  const all = packetsOf(outcomes);
  const bytes = joined(outcomes);
  let from = 0;
  const packets = lengths.map((length, index) => {
    const packet = all[index];
    const arrived = Math.min(packet?.actualLengthBytes ?? 0, length);
    const data = new DataView(bytes.buffer, from, arrived);
    from += length;
    return new USBIsochronousInTransferPacket(
      packetStatus(packet?.status ?? "completed"),
      data,
    );
  });
  return new USBIsochronousInTransferResult(
    packets,
    new DataView(bytes.buffer),
  );
}

/** Whole buffers, one behind the other. */
function joined(
  outcomes: readonly TransferOutcome[],
): Uint8Array<ArrayBuffer> {
  const [first] = outcomes;
  if (outcomes.length === 1 && first !== undefined) return exactly(first.data);
  const lengthBytes = outcomes.reduce((total, o) => total + o.data.length, 0);
  const bytes = new Uint8Array(lengthBytes);
  let at = 0;
  for (const { data } of outcomes) {
    bytes.set(data, at);
    at += data.length;
  }
  return bytes;
}

/** Result of isochronous OUT transfers. */
export function isochronousOutResult(
  outcomes: readonly TransferOutcome[],
): USBIsochronousOutTransferResult {
  const packets = packetsOf(outcomes).map((packet) =>
    new USBIsochronousOutTransferPacket(
      packetStatus(packet.status),
      packet.actualLengthBytes,
    )
  );
  return new USBIsochronousOutTransferResult(packets);
}
