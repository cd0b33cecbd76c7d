/**
 * Numbers of libusb.h and poll.h. `tests/ffi/structs_test.ts` compares them with
 * the header.
 *
 * @module
 */

/** `enum libusb_error`. */
export const LIBUSB_ERROR = {
  SUCCESS: 0,
  IO: -1,
  INVALID_PARAM: -2,
  ACCESS: -3,
  NO_DEVICE: -4,
  NOT_FOUND: -5,
  BUSY: -6,
  TIMEOUT: -7,
  OVERFLOW: -8,
  PIPE: -9,
  INTERRUPTED: -10,
  NO_MEM: -11,
  NOT_SUPPORTED: -12,
  OTHER: -99,
} as const;

/** `enum libusb_transfer_status`. */
export const LIBUSB_TRANSFER = {
  COMPLETED: 0,
  ERROR: 1,
  TIMED_OUT: 2,
  CANCELLED: 3,
  STALL: 4,
  NO_DEVICE: 5,
  OVERFLOW: 6,
} as const;

/** `enum libusb_transfer_type`. */
export const LIBUSB_TRANSFER_TYPE = {
  CONTROL: 0,
  ISOCHRONOUS: 1,
  BULK: 2,
  INTERRUPT: 3,
} as const;

/** `LIBUSB_TRANSFER_ADD_ZERO_PACKET`: end an OUT transfer that fills its last packet by an empty one. */
export const LIBUSB_TRANSFER_ADD_ZERO_PACKET = 8;
/** `LIBUSB_OPTION_NO_DEVICE_DISCOVERY` (1.0.25), `WEAK_AUTHORITY` before. */
export const LIBUSB_OPTION_NO_DEVICE_DISCOVERY = 2;
/** `LIBUSB_CONTROL_SETUP_SIZE`: bytes in front of the data of a control transfer. */
export const LIBUSB_CONTROL_SETUP_SIZE = 8;
/** `LIBUSB_CLASS_HUB`. */
export const LIBUSB_CLASS_HUB = 9;
/** Stands in each byte of `status` from submit to completion, so that `memset` can write it. */
export const STATUS_PENDING_BYTE = 0x7f;
/** What `status` is then; libusb never writes it. */
export const STATUS_PENDING = STATUS_PENDING_BYTE * 0x01010101;
/** Depth of a tree of hubs. USB 3.2, 10.16. */
export const MAX_PORT_DEPTH = 7;

/** poll(2): there is data to read. */
export const POLLIN = 1;
/** poll(2): a usbfs file has transfers to reap. */
export const POLLOUT = 4;
/** poll(2): POLLERR, POLLHUP or POLLNVAL. */
export const POLL_FAILED = 0x38;

/** open(2), Linux: read only, close on exec. */
export const O_RDONLY_CLOEXEC = 0o2000000;
/** clock_gettime(2), Linux: time since the boot, without sleep. */
export const CLOCK_MONOTONIC = 1;
