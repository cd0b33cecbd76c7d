/**
 * What the world does wrong, typed. One class; `code` for machines, `message`
 * for people, `advice` for what to do next.
 *
 * @module
 */

/** Machine-readable cause of a {@linkcode UsbError}. Stable: part of the interface. */
export type UsbErrorCode =
  /** The system refused access: node not readable and writable, or denied by the sandbox. */
  | "access"
  /** The device is gone, or was never there. */
  | "noDevice"
  /** No such interface, endpoint, configuration or device. */
  | "notFound"
  /** Held by a kernel driver, another process, or a transfer in flight. */
  | "busy"
  /** The time limit passed. Bytes that arrived before are in `data`. */
  | "timedOut"
  /** Cancelled by its signal, a close or a reset. Bytes that arrived before are in `data`. */
  | "cancelled"
  /** The endpoint halted, or the request is not supported (USB 2.0, 8.5.3.4). */
  | "stall"
  /** Babble: the device sent more than was asked for. */
  | "overflow"
  /** A bus error: CRC, timeout on the wire, bit stuffing; or an error nobody names. */
  | "io"
  /** The kernel's memory for transfers is used up (`usbfs_memory_mb`). */
  | "noMemory"
  /** The library, the kernel or the platform cannot do it. */
  | "notSupported"
  /** Bytes from the device break its protocol. */
  | "protocol"
  /** The library is missing or too old. */
  | "library"
  /** Refused because it would be wrong in this state: closed, not claimed, not configured. */
  | "state"
  /** The kernel or libusb called an argument of ours invalid. */
  | "invalidParameter";

/** What a {@linkcode UsbError} carries besides its message. */
export interface UsbErrorDetails {
  /** Machine-readable cause. */
  readonly code: UsbErrorCode;
  /** Which device: `0957:1755@1-4`, or a node's path; absent where no device is involved. */
  readonly device?: string;
  /** What we were doing, as an infinitive: `read from endpoint 0x82`. */
  readonly operation: string;
  /** The state it happened in: `polling`, `starting`. */
  readonly state?: string;
  /** What went wrong, as the end of a sentence: `stalled`. */
  readonly reason: string;
  /** What the person can do next, a sentence or two. */
  readonly advice?: string;
  /** The number the layer below gave. */
  readonly native?: {
    readonly source: "libusb" | "errno" | "status";
    readonly number: number;
  };
  /** Bytes that were transferred before it failed (IN), never lost. */
  readonly data?: Uint8Array;
  /** How many bytes were transferred before it failed, in either direction. */
  readonly transferredBytes?: number;
  /** The error underneath, if there is one. */
  readonly cause?: unknown;
}

/**
 * A failure of the world: device, cable, kernel, permissions, library.
 *
 * The message reads `Cannot OPERATION on DEVICE: REASON while STATE. ADVICE`.
 */
export class UsbError extends Error {
  /** For `error.name` in logs. */
  override readonly name = "UsbError";
  /** Machine-readable cause. */
  readonly code: UsbErrorCode;
  /** Which device, if one is involved. */
  readonly device: string | undefined;
  /** What we were doing. */
  readonly operation: string;
  /** The state it happened in, if there is one. */
  readonly state: string | undefined;
  /** What the person can do next. */
  readonly advice: string | undefined;
  /** The number the layer below gave. */
  readonly native: UsbErrorDetails["native"];
  /** Bytes received before the failure. */
  readonly data: Uint8Array | undefined;
  /** Count of bytes transferred before the failure. */
  readonly transferredBytes: number;

  /** Makes an error from its parts; the message is composed of them. */
  constructor(details: UsbErrorDetails) {
    super(
      compose(details),
      "cause" in details ? { cause: details.cause } : undefined,
    );
    this.code = details.code;
    this.device = details.device;
    this.operation = details.operation;
    this.state = details.state;
    this.advice = details.advice;
    this.native = details.native;
    this.data = details.data;
    this.transferredBytes = details.transferredBytes ?? details.data?.length ??
      0;
  }
}

function compose(details: UsbErrorDetails): string {
  const { device } = details;
  // `open 0957:1755@1-4` names the device already.
  const isNamed = device === undefined || details.operation.includes(device);
  const where = isNamed ? "" : ` on ${device}`;
  const when = details.state === undefined ? "" : ` while ${details.state}`;
  const next = details.advice === undefined ? "" : `. ${details.advice}`;
  return `Cannot ${details.operation}${where}: ${details.reason}${when}${next}`;
}
