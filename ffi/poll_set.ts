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
  readonly #napTime: Timespec;
  /** Read by a parked call until it is back. */
  readonly #parkTime: Timespec;
  /** Never written while a parked call reads it: `list` makes a new one. */
  #descriptors: Uint8Array<ArrayBuffer> = nativeBytes(POLLFD.sizeBytes);
  #descriptorsPointer: Pointer;
  #count = 0;

  /** For one context. */
  constructor(library: Library, context: Pointer) {
    this.#symbols = library.symbols;
    this.#memory = library.memory;
    this.#context = context;
    this.#napTime = new Timespec(library.memory);
    this.#parkTime = new Timespec(library.memory);
    this.#descriptorsPointer = library.memory.pointerTo(this.#descriptors);
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
    this.#descriptorsPointer = this.#memory.pointerTo(bytes);
    this.#count = found.length;
  }

  /**
   * Waits off the thread, once at a time. `failed` means that a device is gone
   * and the list is out of date.
   */
  async park(timeoutMs: number): Promise<"ready" | "timedOut" | "failed"> {
    const descriptors = this.#descriptors;
    const ready = await this.#poll(descriptors, timeoutMs);
    if (ready === 0) return "timedOut";
    const view = new DataView(descriptors.buffer);
    for (let at = 0; at + POLLFD.sizeBytes <= descriptors.length;) {
      const revents = view.getInt16(at + POLLFD.fields.revents[0], true);
      if ((revents & POLL_FAILED) !== 0) return "failed";
      at += POLLFD.sizeBytes;
    }
    return "ready";
  }

  #poll(
    descriptors: Uint8Array<ArrayBuffer>,
    timeoutMs: number,
  ): Promise<number> {
    const count = BigInt(this.#count);
    const { ppollParked } = this.#symbols;
    if (!this.canNap || ppollParked === null) {
      // SAFETY: the caller holds the array until the call is back; nobody writes it.
      return this.#symbols.pollParked(descriptors, count, timeoutMs);
    }
    this.#parkTime.set(timeoutMs);
    // SAFETY: as above; `#parkTime` is written only when no call is parked.
    return ppollParked(descriptors, count, this.#parkTime.bytes, null);
  }

  /** Whether this platform can wait for less than a millisecond. */
  get canNap(): boolean {
    return this.#symbols.ppoll !== null;
  }

  /** Waits on the thread. */
  nap(durationMs: number): void {
    this.#napTime.set(durationMs);
    // SAFETY: buffers of ours, used during the call only. A parked call may
    // write the same `revents` from its thread: both are hints.
    this.#symbols.ppoll?.(
      this.#descriptorsPointer,
      this.#count,
      this.#napTime.pointer,
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

/** A `struct timespec` of ours. */
class Timespec {
  readonly bytes = nativeBytes(TIMESPEC.sizeBytes);
  readonly #view = new DataView(this.bytes.buffer);
  readonly pointer: Pointer;

  constructor(memory: Memory) {
    this.pointer = memory.pointerTo(this.bytes);
  }

  /** Not negative; whole nanoseconds. */
  set(durationMs: number): void {
    const { tv_sec, tv_nsec } = TIMESPEC.fields;
    const wantedMs = Math.max(durationMs, 0);
    const seconds = Math.floor(wantedMs / 1000);
    const nanoseconds = Math.floor((wantedMs - seconds * 1000) * 1e6);
    this.#view.setUint32(tv_sec[0], seconds, true);
    this.#view.setUint32(tv_nsec[0], Math.min(nanoseconds, 999_999_999), true);
  }
}
