/**
 * Blocks of bytes inside SCPI answers: `#516777216…`. Pure functions on bytes.
 * IEEE 488.2-1992, 8.7.9 (definite length) and 8.7.10 (indefinite length).
 *
 * @module
 */

const HASH = 0x23;
const DIGIT_ZERO = 0x30;
const LINE_FEED = 0x0a;
/** Digits of a length are counted by one digit. IEEE 488.2-1992, 8.7.9.2. */
const LENGTH_DIGITS_MAX = 9;

/** Where the bytes of a block are. */
export interface BlockHeader {
  /** Length of the header: `#`, the digit count, the digits. */
  readonly headerBytes: number;
  /** Length of the data; `undefined` for `#0`, which end with the message. */
  readonly dataBytes: number | undefined;
}

/** Reads a block's header; `undefined` where the bytes do not begin with one, or with all of one. */
export function decodeBlockHeader(bytes: Uint8Array): BlockHeader | undefined {
  if (bytes[0] !== HASH) return undefined;
  const count = digit(bytes[1]);
  if (count === undefined) return undefined;
  if (count === 0) return { headerBytes: 2, dataBytes: undefined };
  let dataBytes = 0;
  for (let index = 0; index < count; index++) {
    const value = digit(bytes[2 + index]);
    if (value === undefined) return undefined;
    dataBytes = dataBytes * 10 + value;
  }
  return { headerBytes: 2 + count, dataBytes };
}

/**
 * The data of an answer that is one block. What follows it (a line feed,
 * padding) is left out. `undefined` where the answer is not one whole block.
 * A view of `bytes`, not a copy.
 */
export function decodeBlock<Buffer extends ArrayBufferLike>(
  bytes: Uint8Array<Buffer>,
): Uint8Array<Buffer> | undefined {
  const header = decodeBlockHeader(bytes);
  if (header === undefined) return undefined;
  if (header.dataBytes === undefined) {
    const end = bytes.at(-1) === LINE_FEED ? bytes.length - 1 : bytes.length;
    return bytes.subarray(header.headerBytes, Math.max(end, 2));
  }
  const end = header.headerBytes + header.dataBytes;
  return end > bytes.length
    ? undefined
    : bytes.subarray(header.headerBytes, end);
}

/** The header of a definite-length block. @throws {RangeError} When the length has over nine digits. */
export function encodeBlockHeader(dataBytes: number): Uint8Array<ArrayBuffer> {
  const digits = String(dataBytes);
  const isLength = Number.isSafeInteger(dataBytes) && dataBytes >= 0 &&
    digits.length <= LENGTH_DIGITS_MAX;
  if (!isLength) {
    throw new RangeError(
      `Cannot use ${dataBytes} as a block length: it must be 0 to 999999999`,
    );
  }
  const text = `#${digits.length}${digits}`;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function digit(byte: number | undefined): number | undefined {
  if (byte === undefined) return undefined;
  const value = byte - DIGIT_ZERO;
  return value >= 0 && value <= 9 ? value : undefined;
}
