/**
 * libusb's numbers in our words: every error code and every transfer status,
 * with reason and advice.
 *
 * @module
 */

import { UsbError, type UsbErrorCode } from "../driver/errors.ts";
import type { TransferStatus } from "../driver/port.ts";
import { LIBUSB_ERROR, LIBUSB_TRANSFER } from "./libusb_constants.ts";

/** What was being done when libusb failed. */
export interface FailedCall {
  /** As an infinitive: `claim interface 0`. */
  readonly operation: string;
  readonly device?: string;
  readonly state?: string;
  /** In place of the general ones, where the caller knows more. */
  readonly reason?: string;
  readonly advice?: string;
}

interface Meaning {
  readonly code: UsbErrorCode;
  readonly reason: string;
  readonly advice?: string;
}

const MEANINGS: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [LIBUSB_ERROR.IO, {
    code: "io",
    reason: "the kernel reported an input/output error",
    advice: "Check cable and hub, then plug the device in again",
  }],
  [LIBUSB_ERROR.INVALID_PARAM, {
    code: "invalidParameter",
    reason: "the kernel called an argument invalid",
  }],
  [LIBUSB_ERROR.ACCESS, {
    code: "access",
    reason: "permission denied",
    advice: "Give your user read and write access to the device node",
  }],
  [LIBUSB_ERROR.NO_DEVICE, {
    code: "noDevice",
    reason: "the device is gone",
    advice: "Plug it in again",
  }],
  [LIBUSB_ERROR.NOT_FOUND, {
    code: "notFound",
    reason: "there is no such thing",
  }],
  [LIBUSB_ERROR.BUSY, {
    code: "busy",
    reason: "a kernel driver or another program holds it",
    advice: "Stop the other program",
  }],
  [LIBUSB_ERROR.TIMEOUT, {
    code: "timedOut",
    reason: "the time limit passed",
  }],
  [LIBUSB_ERROR.OVERFLOW, {
    code: "overflow",
    reason: "the device sent more than was asked for",
    advice: "Ask for a multiple of the packet size",
  }],
  [LIBUSB_ERROR.PIPE, {
    code: "stall",
    reason: "stalled",
    advice: "Clear the halt before the next transfer",
  }],
  [LIBUSB_ERROR.INTERRUPTED, {
    code: "cancelled",
    reason: "a signal interrupted it",
    advice: "Try again",
  }],
  [LIBUSB_ERROR.NO_MEM, {
    code: "noMemory",
    reason: "the kernel's memory for transfers is used up",
    advice:
      "Use fewer or smaller transfers, or raise /sys/module/usbcore/parameters/usbfs_memory_mb",
  }],
  [LIBUSB_ERROR.NOT_SUPPORTED, {
    code: "notSupported",
    reason: "this platform cannot do it",
  }],
  [LIBUSB_ERROR.OTHER, {
    code: "io",
    reason: "the kernel refused it for a reason libusb does not name",
    advice:
      "If the driver runs sandboxed, check that its rules allow the request",
  }],
]);

/** By libusb's number: every packet and transfer asks. */
const STATUSES: readonly TransferStatus[] = statusesByNumber([
  [LIBUSB_TRANSFER.COMPLETED, "completed"],
  [LIBUSB_TRANSFER.ERROR, "error"],
  [LIBUSB_TRANSFER.TIMED_OUT, "timedOut"],
  [LIBUSB_TRANSFER.CANCELLED, "cancelled"],
  [LIBUSB_TRANSFER.STALL, "stall"],
  [LIBUSB_TRANSFER.NO_DEVICE, "noDevice"],
  [LIBUSB_TRANSFER.OVERFLOW, "overflow"],
]);

function statusesByNumber(
  pairs: readonly (readonly [number, TransferStatus])[],
): TransferStatus[] {
  const statuses: TransferStatus[] = [];
  for (const [number, status] of pairs) statuses[number] = status;
  return statuses;
}

/** The error for a negative result of libusb. A number it does not define is an `io` error. */
export function libusbError(result: number, call: FailedCall): UsbError {
  const meaning = MEANINGS.get(result) ??
    { code: "io", reason: `libusb failed with ${result}` } as Meaning;
  const advice = call.advice ?? meaning.advice;
  return new UsbError({
    code: meaning.code,
    operation: call.operation,
    reason: call.reason ?? meaning.reason,
    native: { source: "libusb", number: result },
    ...(call.device === undefined ? {} : { device: call.device }),
    ...(call.state === undefined ? {} : { state: call.state }),
    ...(advice === undefined ? {} : { advice }),
  });
}

/** `status` of a finished transfer. A number libusb does not define is an `error`. */
export function transferStatus(status: number): TransferStatus {
  return STATUSES[status] ?? "error";
}

/**
 * How a transfer ends that could not be submitted. `undefined`: it is no matter
 * of the world but of the call, and is thrown.
 */
export function submitFailure(result: number): TransferStatus | undefined {
  switch (result) {
    case LIBUSB_ERROR.NO_DEVICE:
      return "noDevice";
    case LIBUSB_ERROR.NO_MEM:
      return "noMemory";
    case LIBUSB_ERROR.IO:
    case LIBUSB_ERROR.OTHER:
      return "error";
    default:
      return undefined;
  }
}
