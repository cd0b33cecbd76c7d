/**
 * Storage for report bytes that is used again. What is lent out is bounded, and
 * so is what is kept for reuse: a driver's reports cannot fill the memory.
 *
 * @module
 */

import { assert } from "../assert.ts";

/** Smaller reports share this size; boot protocol reports have 3 to 8 bytes. */
const SMALLEST_BUFFER_BYTES = 64;

/** Buffers in powers of two, lent and taken back. */
export class BufferPool {
  /** Bytes that may be lent at a time, counted in whole buffers. */
  readonly limitBytes: number;
  readonly #free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #lentBytes = 0;
  #freeBytes = 0;

  /** `limitBytes` bounds what is lent, and apart from it what waits for reuse. */
  constructor(limitBytes: number) {
    assert(limitBytes >= SMALLEST_BUFFER_BYTES, "A pool must hold a buffer");
    this.limitBytes = limitBytes;
  }

  /** Bytes lent now, counted in whole buffers. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** Bytes waiting for reuse. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /**
   * Lends a buffer of at least `lengthBytes`; `undefined` when that would pass
   * the limit.
   */
  take(lengthBytes: number): Uint8Array<ArrayBuffer> | undefined {
    const size = bufferSize(lengthBytes);
    if (this.#lentBytes + size > this.limitBytes) return undefined;
    this.#lentBytes += size;
    const reused = this.#free.get(size)?.pop();
    if (reused === undefined) return new Uint8Array(size);
    this.#freeBytes -= size;
    return reused;
  }

  /** Takes a buffer back. Its bytes may change from now on. */
  giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    const size = buffer.length;
    this.#lentBytes -= size;
    assert(this.#lentBytes >= 0, "A buffer was given back twice");
    if (this.#freeBytes + size > this.limitBytes) return;
    this.#freeBytes += size;
    const ofSize = this.#free.get(size);
    if (ofSize === undefined) this.#free.set(size, [buffer]);
    else ofSize.push(buffer);
  }
}

/** The power of two a report of this length is kept in. */
export function bufferSize(lengthBytes: number): number {
  let size = SMALLEST_BUFFER_BYTES;
  while (size < lengthBytes) size *= 2;
  return size;
}
