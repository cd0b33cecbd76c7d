/**
 * The twelve bytes in front of every bulk message, both sides of the cable.
 * Pure functions on bytes. USBTMC 1.00, 3.2 and 3.3; USB488 1.00, 3.2.
 *
 * @module
 */

/** Length of every bulk header. USBTMC 1.00, table 1. */
export const HEADER_BYTES = 12;
/** Tags of bulk headers run from 1 to this, then start again. USBTMC 1.00, table 1. */
export const TAG_MAX = 255;
/** OUT transfers are padded to a multiple of this. USBTMC 1.00, 3.2. */
const ALIGNMENT_BYTES = 4;
/** A transfer size is 32 bits. USBTMC 1.00, table 3. */
const TRANSFER_SIZE_MAX = 0xffff_ffff;

/** `MsgID`. USBTMC 1.00, table 2; USB488 1.00, table 1. */
export const MessageId = {
  /** `DEV_DEP_MSG_OUT`. */
  deviceMessageOut: 1,
  /** `REQUEST_DEV_DEP_MSG_IN` from the host, `DEV_DEP_MSG_IN` from the device. */
  deviceMessageIn: 2,
  /** `VENDOR_SPECIFIC_OUT`. */
  vendorOut: 126,
  /** `REQUEST_VENDOR_SPECIFIC_IN` and `VENDOR_SPECIFIC_IN`. */
  vendorIn: 127,
  /** `TRIGGER`. USB488 1.00, 3.2.1.1. */
  trigger: 128,
} as const;

const KNOWN_OUT_IDS: ReadonlySet<number> = new Set(Object.values(MessageId));

/** The next tag: up by one, 1 after 255, never 0. USBTMC 1.00, table 1. */
export function nextTag(tag: number): number {
  return tag % TAG_MAX + 1;
}

/** Length with alignment bytes. USBTMC 1.00, 3.2. */
export function alignedLength(lengthBytes: number): number {
  return Math.ceil(lengthBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/**
 * Buffer for an answer of at most `payloadBytes`: header, payload, alignment
 * bytes and the short packet that ends it, in whole packets.
 */
export function answerBufferBytes(
  payloadBytes: number,
  maxPacketSize: number,
): number {
  const packets = Math.floor((payloadBytes + HEADER_BYTES) / maxPacketSize) + 1;
  return packets * maxPacketSize;
}

/**
 * `DEV_DEP_MSG_OUT`: header, payload and alignment bytes. USBTMC 1.00, 3.2.1.1.
 *
 * @throws {RangeError} When the payload is empty or the tag not 1..255.
 */
export function encodeMessageOut(
  payload: Uint8Array,
  options: { readonly tag: number; readonly endOfMessage: boolean },
): Uint8Array<ArrayBuffer> {
  checkTransferSize(payload.length);
  const bytes = header(MessageId.deviceMessageOut, options.tag, {
    transferSize: payload.length,
    attributes: options.endOfMessage ? 1 : 0,
    lengthBytes: HEADER_BYTES + alignedLength(payload.length),
  });
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/**
 * `REQUEST_DEV_DEP_MSG_IN`. USBTMC 1.00, 3.2.1.2.
 *
 * @throws {RangeError} When `maxBytes` is 0, the tag not 1..255 or `termChar` not a byte.
 */
export function encodeRequestMessageIn(
  options: {
    readonly tag: number;
    readonly maxBytes: number;
    readonly termChar?: number;
  },
): Uint8Array<ArrayBuffer> {
  checkTransferSize(options.maxBytes);
  const { termChar } = options;
  const bytes = header(MessageId.deviceMessageIn, options.tag, {
    transferSize: options.maxBytes,
    attributes: termChar === undefined ? 0 : 2,
  });
  if (termChar !== undefined) bytes[9] = checkByte(termChar, "a term char");
  return bytes;
}

/** `TRIGGER`. USB488 1.00, 3.2.1.1. @throws {RangeError} When the tag is not 1..255. */
export function encodeTrigger(tag: number): Uint8Array<ArrayBuffer> {
  return header(MessageId.trigger, tag, { transferSize: 0, attributes: 0 });
}

/**
 * `DEV_DEP_MSG_IN`, the device's side. The bytes are one USB transfer.
 * USBTMC 1.00, 3.3.1.1.
 */
export function encodeMessageIn(
  payload: Uint8Array,
  options: {
    readonly tag: number;
    readonly endOfMessage: boolean;
    readonly endedByTermChar?: boolean;
  },
): Uint8Array<ArrayBuffer> {
  const { endOfMessage, endedByTermChar } = options;
  const bytes = header(MessageId.deviceMessageIn, options.tag, {
    transferSize: payload.length,
    attributes: (endOfMessage ? 1 : 0) | (endedByTermChar ? 2 : 0),
    lengthBytes: HEADER_BYTES + alignedLength(payload.length),
  });
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** What is wrong with a bulk header. */
export type HeaderFault =
  | "shorter than a header"
  | "not a device message"
  | "the inverted tag is not the tag's inverse"
  | "another tag than the request's"
  | "larger than was asked for";

/** `DEV_DEP_MSG_IN` as the host reads it. USBTMC 1.00, table 9. */
export interface MessageInHeader {
  readonly tag: number;
  /** Payload bytes of this transfer, as the device says; checked against what was asked for. */
  readonly transferSize: number;
  readonly endOfMessage: boolean;
  readonly endedByTermChar: boolean;
}

/**
 * Reads the header of an answer. Everything is checked that can be: length,
 * kind, both tags, and the size against what was asked for. USBTMC 1.00, 3.3.1.1.
 */
export function decodeMessageIn(
  bytes: Uint8Array,
  expected: { readonly tag: number; readonly maxBytes: number },
): MessageInHeader | HeaderFault {
  if (bytes.length < HEADER_BYTES) return "shorter than a header";
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (view.getUint8(0) !== MessageId.deviceMessageIn) {
    return "not a device message";
  }
  const tag = view.getUint8(1);
  if (view.getUint8(2) !== inverse(tag)) {
    return "the inverted tag is not the tag's inverse";
  }
  if (tag !== expected.tag) return "another tag than the request's";
  const transferSize = view.getUint32(4, true);
  if (transferSize > expected.maxBytes) return "larger than was asked for";
  const attributes = view.getUint8(8);
  return {
    tag,
    transferSize,
    endOfMessage: (attributes & 1) !== 0,
    endedByTermChar: (attributes & 2) !== 0,
  };
}

/** A bulk OUT header as the device reads it. USBTMC 1.00, 3.2. */
export interface OutHeader {
  /** `MsgID`, one of {@linkcode MessageId}. */
  readonly messageId: number;
  readonly tag: number;
  readonly transferSize: number;
  /** `DEV_DEP_MSG_OUT`: the message ends with this transfer. */
  readonly endOfMessage: boolean;
  /** `REQUEST_DEV_DEP_MSG_IN`: end the answer at this byte. */
  readonly termChar: number | undefined;
}

/** Reads a header on the device's side; `undefined` where it must stall. USBTMC 1.00, 3.2.2. */
export function decodeOut(bytes: Uint8Array): OutHeader | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const messageId = view.getUint8(0);
  const tag = view.getUint8(1);
  const isValid = KNOWN_OUT_IDS.has(messageId) && tag !== 0 &&
    view.getUint8(2) === inverse(tag);
  if (!isValid) return undefined;
  const attributes = view.getUint8(8);
  const isRequest = messageId === MessageId.deviceMessageIn;
  return {
    messageId,
    tag,
    transferSize: view.getUint32(4, true),
    endOfMessage: !isRequest && (attributes & 1) !== 0,
    termChar: isRequest && (attributes & 2) !== 0
      ? view.getUint8(9)
      : undefined,
  };
}

interface HeaderFields {
  readonly transferSize: number;
  readonly attributes: number;
  readonly lengthBytes?: number;
}

function header(
  messageId: number,
  tag: number,
  fields: HeaderFields,
): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(tag) || tag < 1 || tag > TAG_MAX) {
    throw new RangeError(`Cannot use ${tag} as a tag: it must be 1 to 255`);
  }
  const bytes = new Uint8Array(fields.lengthBytes ?? HEADER_BYTES);
  bytes[0] = messageId;
  bytes[1] = tag;
  bytes[2] = inverse(tag);
  new DataView(bytes.buffer).setUint32(4, fields.transferSize, true);
  bytes[8] = fields.attributes;
  return bytes;
}

function inverse(tag: number): number {
  return ~tag & 0xff;
}

function checkTransferSize(size: number): void {
  if (!Number.isInteger(size) || size < 1 || size > TRANSFER_SIZE_MAX) {
    throw new RangeError(
      `Cannot use ${size} as a transfer size: it must be 1 to ${TRANSFER_SIZE_MAX}`,
    );
  }
}

function checkByte(value: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xff) {
    throw new RangeError(
      `Cannot use ${value} as ${what}: it must be an integer from 0 to 255`,
    );
  }
  return value;
}
