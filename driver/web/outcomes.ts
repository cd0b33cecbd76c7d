/**
 * From a transfer's outcome to a result of WebUSB, or to the exception its
 * ending calls for. A stall and a babble are results, not exceptions.
 *
 * @module
 */

import type { TransferOutcome, TransferStatus } from "../port.ts";
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

type Ending =
  | { readonly status: USBTransferStatus }
  | { readonly error: DomErrorName; readonly message: string };

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
  const { buffer, byteOffset, byteLength } = outcome.data;
  const view = new DataView(buffer, byteOffset, byteLength);
  return new USBInTransferResult(statusOf(outcome), view);
}

/** Result of a control, bulk or interrupt OUT transfer. */
export function outResult(outcome: TransferOutcome): USBOutTransferResult {
  return new USBOutTransferResult(statusOf(outcome), outcome.actualLengthBytes);
}

/** A packet fails alone: its error shows as no data, as browsers show it. */
function packetStatus(status: TransferStatus): USBTransferStatus {
  return status === "overflow" ? "babble" : "ok";
}

/** Result of an isochronous IN transfer; packets share its buffer. */
export function isochronousInResult(
  outcome: TransferOutcome,
  lengths: readonly number[],
): USBIsochronousInTransferResult {
  statusOf(outcome);
  const { buffer, byteOffset, byteLength } = outcome.data;
  const view = (at: number, length: number): DataView =>
    new DataView(buffer, byteOffset + at, length);
  let at = 0;
  const packets = lengths.map((length, index) => {
    const packet = outcome.packets?.[index];
    const arrived = Math.min(packet?.actualLengthBytes ?? 0, length);
    const data = view(at, arrived);
    at += length;
    const status = packetStatus(packet?.status ?? "completed");
    return new USBIsochronousInTransferPacket(status, data);
  });
  return new USBIsochronousInTransferResult(packets, view(0, byteLength));
}

/** Result of an isochronous OUT transfer. */
export function isochronousOutResult(
  outcome: TransferOutcome,
): USBIsochronousOutTransferResult {
  statusOf(outcome);
  const packets = (outcome.packets ?? []).map((packet) =>
    new USBIsochronousOutTransferPacket(
      packetStatus(packet.status),
      packet.actualLengthBytes,
    )
  );
  return new USBIsochronousOutTransferResult(packets);
}
