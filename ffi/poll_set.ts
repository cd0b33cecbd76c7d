/**
 * The descriptors libusb waits for, as poll(2) wants them, and the two ways we
 * wait: parked off the thread, and napping on it.
 *
 * @module
 */

import { POLL_FAILED } from "./libusb_constants.ts";
import { LIBUSB_POLLFD, POLLFD, TIMESPEC } from "./libusb_structs.ts";
import type { Library } from "./library.ts";
import { type Memory, nativeBytes, type Pointer } from "./memory.ts";
import type { LibusbSymbols } from "./libusb_symbols.ts";

/** A process cannot have more open: Linux's default hard limit of descriptors. */
const MAX_DESCRIPTORS = 4096;

/** Descriptors of one libusb context. */
export class PollSet {
  readonly #symbols: LibusbSymbols;
  readonly #memory: Memory;
  readonly #context: Pointer;
  readonly #timespec = nativeBytes(TIMESPEC.sizeBytes);
  readonly #timespecView = new DataView(this.#timespec.buffer);
  /** Never written while a parked call reads it: `list` makes a new one. */
  #descriptors: Uint8Array<ArrayBuffer> = nativeBytes(POLLFD.sizeBytes);
  #count = 0;

  /** For one context. */
  constructor(library: Library, context: Pointer) {
    this.#symbols = library.symbols;
    this.#memory = library.memory;
    this.#context = context;
    this.list();
  }

  /** Lists them afresh: after a device was opened, closed or unplugged. */
  list(): void {
    // SAFETY: a NULL-terminated array of pointers to structs, ours until freed.
    const array = this.#symbols.libusb_get_pollfds(this.#context);
    if (array === null) return;
    const found: DataView[] = [];
    for (let n = 0; n < MAX_DESCRIPTORS; n++) {
      const at = this.#memory.address(array) + BigInt(n * 8);
      const entry = this.#memory.pointer(this.#word(at));
      if (entry === null) break;
      found.push(this.#memory.readView(entry, LIBUSB_POLLFD.sizeBytes));
    }
    // SAFETY: the array of above; nothing of it is kept.
    this.#symbols.libusb_free_pollfds(array);
    const bytes = nativeBytes(found.length * POLLFD.sizeBytes);
    const view = new DataView(bytes.buffer);
    found.forEach((entry, n) => {
      const at = n * POLLFD.sizeBytes;
      const { fd, events } = LIBUSB_POLLFD.fields;
      view.setInt32(
        at + POLLFD.fields.fd[0],
        entry.getInt32(fd[0], true),
        true,
      );
      view.setInt16(
        at + POLLFD.fields.events[0],
        entry.getInt16(events[0], true),
        true,
      );
    });
    this.#descriptors = bytes;
    this.#count = found.length;
  }

  /**
   * Waits off the thread. Gives whether a descriptor failed, which means that
   * its device is gone and the list is out of date.
   */
  async park(timeoutMs: number): Promise<boolean> {
    const descriptors = this.#descriptors;
    // SAFETY: the array is referenced here until the call is back, and not written.
    await this.#symbols.pollParked(descriptors, BigInt(this.#count), timeoutMs);
    const view = new DataView(descriptors.buffer);
    for (let at = 0; at + POLLFD.sizeBytes <= descriptors.length;) {
      const revents = view.getInt16(at + POLLFD.fields.revents[0], true);
      if ((revents & POLL_FAILED) !== 0) return true;
      at += POLLFD.sizeBytes;
    }
    return false;
  }

  /** Whether this platform can nap for less than a millisecond. */
  get canNap(): boolean {
    return this.#symbols.ppoll !== null;
  }

  /** Waits on the thread. */
  nap(durationMs: number): void {
    const nanoseconds = Math.floor(
      Math.min(Math.max(durationMs, 0), 100) * 1e6,
    );
    this.#timespecView.setUint32(
      TIMESPEC.fields.tv_nsec[0],
      nanoseconds,
      true,
    );
    // SAFETY: buffers of ours, used during the call only. A parked call may
    // write the same `revents` from its thread: both are hints.
    this.#symbols.ppoll?.(
      this.#descriptors,
      BigInt(this.#count),
      this.#timespec,
      null,
    );
  }

  #word(address: bigint): bigint {
    const pointer = this.#memory.pointer(address);
    return pointer === null
      ? 0n
      : this.#memory.readView(pointer, 8).getBigUint64(0, true);
  }
}
