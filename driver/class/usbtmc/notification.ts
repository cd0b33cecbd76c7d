/**
 * Notifications of the interrupt IN endpoint, two bytes each. Pure functions on
 * bytes. USB488 1.00, 3.4.
 *
 * @module
 */

/** Length of a notification. USB488 1.00, table 6. */
export const NOTIFICATION_BYTES = 2;
/** The tag that stands for a service request. USB488 1.00, 3.4.1. */
export const SERVICE_REQUEST_TAG = 1;
/** Tags of READ_STATUS_BYTE run from here. USB488 1.00, 4.3.1. */
export const STATUS_TAG_MIN = 2;
/** Tags of READ_STATUS_BYTE run to here, then start again. USB488 1.00, 4.3.1. */
export const STATUS_TAG_MAX = 127;

/** A notification taken apart. */
export type Notification =
  /** The device asks for service. USB488 1.00, 3.4.1. */
  | { readonly type: "serviceRequest"; readonly statusByte: number }
  /** The answer to READ_STATUS_BYTE with this tag. USB488 1.00, 3.4.2. */
  | {
    readonly type: "statusByte";
    readonly tag: number;
    readonly statusByte: number;
  };

/**
 * Reads a notification; `undefined` where the bytes are none of USB488's:
 * too short, bit 7 clear (vendor and USBTMC notifications), or tag 0.
 */
export function decodeNotification(
  bytes: Uint8Array,
): Notification | undefined {
  const [notify1, statusByte] = bytes;
  if (notify1 === undefined || statusByte === undefined) return undefined;
  if ((notify1 & 0x80) === 0) return undefined;
  const tag = notify1 & 0x7f;
  if (tag === 0) return undefined;
  return tag === SERVICE_REQUEST_TAG
    ? { type: "serviceRequest", statusByte }
    : { type: "statusByte", tag, statusByte };
}

/** The two bytes of a notification, the device's side. @throws {RangeError} When the tag is not 1..127. */
export function encodeNotification(
  tag: number,
  statusByte: number,
): Uint8Array<ArrayBuffer> {
  if (
    !Number.isInteger(tag) || tag < SERVICE_REQUEST_TAG || tag > STATUS_TAG_MAX
  ) {
    throw new RangeError(
      `Cannot use ${tag} as a notification tag: it must be 1 to 127`,
    );
  }
  return Uint8Array.of(0x80 | tag, statusByte & 0xff);
}

/** The next tag of READ_STATUS_BYTE: 2..127, then 2 again. USB488 1.00, 4.3.1. */
export function nextStatusTag(tag: number): number {
  return tag >= STATUS_TAG_MAX || tag < STATUS_TAG_MIN
    ? STATUS_TAG_MIN
    : tag + 1;
}
