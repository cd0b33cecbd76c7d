/**
 * Native memory by `memcpy` alone: no pointer API, which a permission for one
 * library does not give.
 *
 * @module
 */

import { assert } from "../driver/assert.ts";
import type { LibusbSymbols } from "./libusb_symbols.ts";

/** An address libusb gave us, or one of a buffer of ours; never null. */
export type Pointer = Deno.PointerObject;

/** No C string of libusb is longer; what is longer is not one. */
const MAX_C_STRING_BYTES = 4096;
/** For calls that want a buffer they will not touch. */
const UNTOUCHED = new Uint8Array(new ArrayBuffer(8));

/** Bytes outside the JavaScript heap, whose address stays the same while they are referenced. */
export function nativeBytes(lengthBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(Math.max(lengthBytes, 1)));
}

/** Reads and writes native memory. */
export class Memory {
  readonly #symbols: LibusbSymbols;

  /** Over the bound `memcpy` and `strlen`. */
  constructor(symbols: LibusbSymbols) {
    this.#symbols = symbols;
  }

  /**
   * Address of a buffer of ours. SAFETY: it does not keep the buffer alive;
   * whoever stores it holds the buffer too, and only {@linkcode nativeBytes}
   * may be asked.
   */
  addressOf(buffer: Uint8Array<ArrayBuffer>): bigint {
    // SAFETY: copies nothing; the result is the first argument.
    const address = this.#symbols.addressOfBuffer(buffer, buffer, 0n);
    assert(address !== 0n, "A buffer has no address");
    return address;
  }

  /** Address of a pointer. */
  address(pointer: Pointer): bigint {
    // SAFETY: copies nothing; the result is the first argument.
    return this.#symbols.addressOfPointer(pointer, UNTOUCHED, 0n);
  }

  /** Pointer to an address; `null` for 0. */
  pointer(address: bigint): Pointer | null {
    // SAFETY: copies nothing; the result is the first argument.
    return this.#symbols.pointerAt(address, UNTOUCHED, 0n);
  }

  /** Pointer to a buffer of ours. SAFETY: as {@linkcode Memory.addressOf}. */
  pointerTo(buffer: Uint8Array<ArrayBuffer>): Pointer {
    const pointer = this.pointer(this.addressOf(buffer));
    assert(pointer !== null, "A buffer has no address");
    return pointer;
  }

  /** Pointer that a C function left in an out-parameter. */
  out(buffer: Uint8Array<ArrayBuffer>): Pointer | null {
    return this.pointer(new DataView(buffer.buffer).getBigUint64(0, true));
  }

  /** Copies native memory. SAFETY: the caller knows that much is mapped. */
  read(source: Pointer, lengthBytes: number): Uint8Array<ArrayBuffer> {
    const copy = nativeBytes(lengthBytes);
    // SAFETY: the destination is ours and long enough; the source is the caller's word.
    if (lengthBytes > 0) {
      this.#symbols.copyOut(copy, source, BigInt(lengthBytes));
    }
    return copy.subarray(0, lengthBytes);
  }

  /** A view over a copy of native memory. SAFETY: as {@linkcode Memory.read}. */
  readView(source: Pointer, lengthBytes: number): DataView<ArrayBuffer> {
    return new DataView(this.read(source, lengthBytes).buffer);
  }

  /** Writes native memory. SAFETY: the caller knows that much is mapped and whose it is. */
  write(destination: Pointer, bytes: Uint8Array<ArrayBuffer>): void {
    // SAFETY: the source is ours; the destination is the caller's word.
    this.#symbols.copyIn(destination, bytes, BigInt(bytes.length));
  }

  /** A C string of the library's own, such as a version suffix. */
  cString(source: Pointer): string {
    // SAFETY: libusb's strings are constants that end in NUL.
    const length = Number(this.#symbols.strlen(source));
    return new TextDecoder().decode(
      this.read(source, Math.min(length, MAX_C_STRING_BYTES)),
    );
  }
}
