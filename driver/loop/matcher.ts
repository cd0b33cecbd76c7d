/**
 * Selective receive: a handler that waits for a certain report gets it before
 * the report's own handler does; the others wait their turn. So a driver asks a
 * question and reads the answer in one handler, while notifications that come
 * between are not lost.
 *
 * @module
 */

import { UsbError } from "../errors.ts";

/** Receives one handler may have waiting at a time; more is a runaway. */
export const RECEIVES_MAX = 16;

/** A receive that waits. */
export interface Waiter {
  /** The report's data, copied: the waiter owns them. */
  readonly data: Promise<Uint8Array>;
  /** Gives up waiting; a no-op when it is over. */
  cancel(error: unknown): void;
}

interface Entry {
  readonly input: number;
  readonly take: (data: Uint8Array) => boolean;
  readonly resolve: (data: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The receives that wait, in order. */
export class Matcher {
  readonly #entries: Entry[] = [];

  /** Receives that wait. */
  get size(): number {
    return this.#entries.length;
  }

  /**
   * Waits for a report of an input.
   *
   * @throws {UsbError} `busy` when RECEIVES_MAX wait already.
   */
  wait(input: number, take: (data: Uint8Array) => boolean): Waiter {
    if (this.#entries.length >= RECEIVES_MAX) {
      throw new UsbError({
        code: "busy",
        operation: "wait for a report",
        reason: `${RECEIVES_MAX} receives are waiting already`,
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    // A handler may end without awaiting it; that is no unhandled rejection.
    promise.catch(() => {});
    const entry: Entry = { input, take, resolve, reject };
    this.#entries.push(entry);
    return {
      data: promise,
      cancel: (error) => {
        this.#remove(entry);
        reject(error);
      },
    };
  }

  /**
   * Offers a report to those who wait. `true`: one took it, and has its copy. A
   * `take` that throws fails its own receive; the report goes on to the next.
   */
  offer(input: number, data: Uint8Array): boolean {
    if (this.#entries.length === 0) return false;
    for (const entry of [...this.#entries]) {
      if (entry.input !== input) continue;
      let isTaken = false;
      try {
        isTaken = entry.take(data);
      } catch (error) {
        this.#remove(entry);
        entry.reject(error);
      }
      if (!isTaken) continue;
      this.#remove(entry);
      entry.resolve(data.slice());
      return true;
    }
    return false;
  }

  /** Ends every wait. */
  cancelAll(error: unknown): void {
    for (const entry of this.#entries.splice(0)) entry.reject(error);
  }

  #remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at !== -1) this.#entries.splice(at, 1);
  }
}
