/**
 * Every control request of USBTMC and USB488 with its answer. Pure functions on
 * bytes. USBTMC 1.00, 4.2.1; USB488 1.00, 4.3.
 *
 * @module
 */

import type { SetupPacket } from "../../usb.ts";
import { CAPABILITIES_BYTES } from "./capabilities.ts";

/** `bRequest`. USBTMC 1.00, table 15; USB488 1.00, table 9. */
export const RequestCode = {
  initiateAbortBulkOut: 1,
  checkAbortBulkOutStatus: 2,
  initiateAbortBulkIn: 3,
  checkAbortBulkInStatus: 4,
  initiateClear: 5,
  checkClearStatus: 6,
  getCapabilities: 7,
  indicatorPulse: 64,
  readStatusByte: 128,
  renControl: 160,
  goToLocal: 161,
  localLockout: 162,
} as const;

/** `USBTMC_status`. USBTMC 1.00, table 16; USB488 1.00, table 10. */
export const Status = {
  success: 0x01,
  pending: 0x02,
  /** USB488: the interrupt endpoint still holds an earlier answer. */
  interruptInBusy: 0x20,
  failed: 0x80,
  transferNotInProgress: 0x81,
  splitNotInProgress: 0x82,
  splitInProgress: 0x83,
} as const;

/** A request of this class: all are IN. */
export interface ClassRequest {
  /** The specification's name, for messages. */
  readonly name: string;
  readonly setup: SetupPacket;
  /** Length of the answer. */
  readonly lengthBytes: number;
}

/** INITIATE_ABORT_BULK_OUT for the transfer with this tag. USBTMC 1.00, 4.2.1.2. */
export function initiateAbortBulkOut(
  tag: number,
  endpoint: number,
): ClassRequest {
  return toEndpoint("INITIATE_ABORT_BULK_OUT", endpoint, {
    request: RequestCode.initiateAbortBulkOut,
    value: tag,
    lengthBytes: 2,
  });
}

/** CHECK_ABORT_BULK_OUT_STATUS. USBTMC 1.00, 4.2.1.3. */
export function checkAbortBulkOutStatus(endpoint: number): ClassRequest {
  return toEndpoint("CHECK_ABORT_BULK_OUT_STATUS", endpoint, {
    request: RequestCode.checkAbortBulkOutStatus,
    value: 0,
    lengthBytes: 8,
  });
}

/** INITIATE_ABORT_BULK_IN for the REQUEST with this tag. USBTMC 1.00, 4.2.1.4. */
export function initiateAbortBulkIn(
  tag: number,
  endpoint: number,
): ClassRequest {
  return toEndpoint("INITIATE_ABORT_BULK_IN", endpoint, {
    request: RequestCode.initiateAbortBulkIn,
    value: tag,
    lengthBytes: 2,
  });
}

/** CHECK_ABORT_BULK_IN_STATUS. USBTMC 1.00, 4.2.1.5. */
export function checkAbortBulkInStatus(endpoint: number): ClassRequest {
  return toEndpoint("CHECK_ABORT_BULK_IN_STATUS", endpoint, {
    request: RequestCode.checkAbortBulkInStatus,
    value: 0,
    lengthBytes: 8,
  });
}

/** INITIATE_CLEAR. USBTMC 1.00, 4.2.1.6. */
export function initiateClear(interfaceNumber: number): ClassRequest {
  return toInterface("INITIATE_CLEAR", interfaceNumber, {
    request: RequestCode.initiateClear,
    lengthBytes: 1,
  });
}

/** CHECK_CLEAR_STATUS. USBTMC 1.00, 4.2.1.7. */
export function checkClearStatus(interfaceNumber: number): ClassRequest {
  return toInterface("CHECK_CLEAR_STATUS", interfaceNumber, {
    request: RequestCode.checkClearStatus,
    lengthBytes: 2,
  });
}

/** GET_CAPABILITIES. USBTMC 1.00, 4.2.1.8. */
export function getCapabilities(interfaceNumber: number): ClassRequest {
  return toInterface("GET_CAPABILITIES", interfaceNumber, {
    request: RequestCode.getCapabilities,
    lengthBytes: CAPABILITIES_BYTES,
  });
}

/** INDICATOR_PULSE. USBTMC 1.00, 4.2.1.9. */
export function indicatorPulse(interfaceNumber: number): ClassRequest {
  return toInterface("INDICATOR_PULSE", interfaceNumber, {
    request: RequestCode.indicatorPulse,
    lengthBytes: 1,
  });
}

/** READ_STATUS_BYTE with a tag of 2..127. USB488 1.00, 4.3.1. */
export function readStatusByte(
  tag: number,
  interfaceNumber: number,
): ClassRequest {
  return toInterface("READ_STATUS_BYTE", interfaceNumber, {
    request: RequestCode.readStatusByte,
    value: tag,
    lengthBytes: 3,
  });
}

/** REN_CONTROL: asserts or releases remote enable. USB488 1.00, 4.3.2. */
export function renControl(
  isAsserted: boolean,
  interfaceNumber: number,
): ClassRequest {
  return toInterface("REN_CONTROL", interfaceNumber, {
    request: RequestCode.renControl,
    value: isAsserted ? 1 : 0,
    lengthBytes: 1,
  });
}

/** GO_TO_LOCAL. USB488 1.00, 4.3.3. */
export function goToLocal(interfaceNumber: number): ClassRequest {
  return toInterface("GO_TO_LOCAL", interfaceNumber, {
    request: RequestCode.goToLocal,
    lengthBytes: 1,
  });
}

/** LOCAL_LOCKOUT. USB488 1.00, 4.3.4. */
export function localLockout(interfaceNumber: number): ClassRequest {
  return toInterface("LOCAL_LOCKOUT", interfaceNumber, {
    request: RequestCode.localLockout,
    lengthBytes: 1,
  });
}

/** An answer's status in the specification's word, or the number where it has none. */
export function statusName(status: number): string {
  return STATUS_NAMES.get(status) ?? `status 0x${status.toString(16)}`;
}

/** An answer taken apart. Members that the request's answer does not have are absent. */
export interface StatusAnswer {
  /** `USBTMC_status`, one of {@linkcode Status} or a number nobody named. */
  readonly status: number;
}

/** Answer to INITIATE_ABORT_*: status and the tag of the transfer in progress. USBTMC 1.00, tables 19 and 25. */
export interface InitiateAbortAnswer extends StatusAnswer {
  readonly tag: number;
}

/** Answer to CHECK_ABORT_*_STATUS. USBTMC 1.00, tables 22 and 28. */
export interface CheckAbortAnswer extends StatusAnswer {
  /** `bmAbortBulkIn` bit 0: data are queued, read them before asking again. IN only. */
  readonly hasQueuedData: boolean;
  /** `NBYTES_RXD` or `NBYTES_TXD`. */
  readonly transferredBytes: number;
}

/** Answer to CHECK_CLEAR_STATUS. USBTMC 1.00, table 35. */
export interface CheckClearAnswer extends StatusAnswer {
  /** `bmClear` bit 0: data are queued, read them before asking again. */
  readonly hasQueuedData: boolean;
}

/** Answer to READ_STATUS_BYTE. USB488 1.00, table 12. */
export interface StatusByteAnswer extends StatusAnswer {
  readonly tag: number;
  /** The status byte, or 0 where it comes by the interrupt endpoint. */
  readonly statusByte: number;
}

/** Reads an answer of one byte; `undefined` where it is shorter. USBTMC 1.00, table 16. */
export function decodeStatus(bytes: Uint8Array): StatusAnswer | undefined {
  const [status] = bytes;
  return status === undefined ? undefined : { status };
}

/** Reads the answer to INITIATE_ABORT_*; a missing tag counts as 0. USBTMC 1.00, tables 19 and 25. */
export function decodeInitiateAbort(
  bytes: Uint8Array,
): InitiateAbortAnswer | undefined {
  const [status, tag = 0] = bytes;
  return status === undefined ? undefined : { status, tag };
}

/** Reads the answer to CHECK_ABORT_*_STATUS; missing bytes count as 0. USBTMC 1.00, tables 22 and 28. */
export function decodeCheckAbort(
  bytes: Uint8Array,
): CheckAbortAnswer | undefined {
  const [status, flags = 0] = bytes;
  if (status === undefined) return undefined;
  const transferredBytes = bytes.length < 8
    ? 0
    : new DataView(bytes.buffer, bytes.byteOffset, 8).getUint32(4, true);
  return { status, hasQueuedData: (flags & 1) !== 0, transferredBytes };
}

/** Reads the answer to CHECK_CLEAR_STATUS; a missing flag byte counts as 0. USBTMC 1.00, table 35. */
export function decodeCheckClear(
  bytes: Uint8Array,
): CheckClearAnswer | undefined {
  const [status, flags = 0] = bytes;
  return status === undefined
    ? undefined
    : { status, hasQueuedData: (flags & 1) !== 0 };
}

/** Reads the answer to READ_STATUS_BYTE; `undefined` where it is short. USB488 1.00, table 12. */
export function decodeStatusByte(
  bytes: Uint8Array,
): StatusByteAnswer | undefined {
  const [status, tag, statusByte] = bytes;
  return status === undefined || tag === undefined || statusByte === undefined
    ? undefined
    : { status, tag, statusByte };
}

/** The eight bytes of CHECK_ABORT_*_STATUS, the device's side. USBTMC 1.00, tables 22 and 28. */
export function encodeCheckAbort(
  answer: CheckAbortAnswer,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  bytes[0] = answer.status;
  bytes[1] = answer.hasQueuedData ? 1 : 0;
  new DataView(bytes.buffer).setUint32(4, answer.transferredBytes, true);
  return bytes;
}

const STATUS_NAMES: ReadonlyMap<number, string> = new Map([
  [Status.success, "success"],
  [Status.pending, "pending"],
  [Status.interruptInBusy, "interrupt IN busy"],
  [Status.failed, "failed"],
  [Status.transferNotInProgress, "transfer not in progress"],
  [Status.splitNotInProgress, "split not in progress"],
  [Status.splitInProgress, "split in progress"],
]);

interface RequestFields {
  readonly request: number;
  readonly value?: number;
  readonly lengthBytes: number;
}

function toInterface(
  name: string,
  index: number,
  fields: RequestFields,
): ClassRequest {
  return classRequest(name, { ...fields, recipient: "interface", index });
}

function toEndpoint(
  name: string,
  index: number,
  fields: RequestFields,
): ClassRequest {
  return classRequest(name, { ...fields, recipient: "endpoint", index });
}

function classRequest(
  name: string,
  fields: RequestFields & Pick<SetupPacket, "recipient" | "index">,
): ClassRequest {
  const { recipient, index, request, value = 0, lengthBytes } = fields;
  const setup: SetupPacket = {
    requestType: "class",
    recipient,
    request,
    value,
    index,
  };
  return { name, setup, lengthBytes };
}
