/**
 * Error numbers of Linux, as usbfs answers system calls with and as its
 * transfers end with (there negated). include/uapi/asm-generic/errno.h; the
 * meanings in transfers: Documentation/driver-api/usb/error-codes.rst.
 *
 * @module
 */

/** Error numbers by name, without the leading `E`. */
export const ERRNO = {
  /** Also: a transfer was discarded. */
  NOENT: 2,
  IO: 5,
  AGAIN: 11,
  NOMEM: 12,
  ACCES: 13,
  FAULT: 14,
  BUSY: 16,
  /** Isochronous: the packet's frame had passed. */
  XDEV: 18,
  NODEV: 19,
  INVAL: 22,
  NOTTY: 25,
  NOSPC: 28,
  /** A stall. */
  PIPE: 32,
  NODATA: 61,
  /** No answer on the wire within the bus turn-around time. */
  TIME: 62,
  /** The host's buffer could not take data in time. */
  NOSR: 63,
  /** The host could not fetch data in time. */
  COMM: 70,
  /** Bit stuffing, no response, or an unknown error on the wire. */
  PROTO: 71,
  /** Babble: more data than asked for. */
  OVERFLOW: 75,
  /** CRC mismatch, no response, or an unknown error on the wire. */
  ILSEQ: 84,
  SHUTDOWN: 108,
  TIMEDOUT: 110,
  /** The device is suspended or not configured. */
  HOSTUNREACH: 113,
  /** A short packet where the client said that it is an error. */
  REMOTEIO: 121,
} as const;

/** Name of an error number: `PIPE`. */
export type ErrnoName = keyof typeof ERRNO;
