/**
 * Sends frames over a pipe that may be slow, without ever blocking who sends:
 * events and lines of the log are dropped and counted when too much waits,
 * everything else is kept.
 *
 * @module
 */

import { type DriverFrame, encodeFrame, type HostFrame } from "./wire.ts";

/** Writes bytes somewhere; resolves when they are taken. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>;

/** Bytes of waiting frames above which events and lines are dropped: a quarter second of a busy pipe. */
const EVENT_BYTES_MAX = 1024 * 1024;
/** Bytes above which nothing is taken any more: the other end is dead or hostile. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** A queue of frames in front of a pipe. */
export class FrameSender {
  readonly #write: WriteBytes;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isBroken = false;
  #dropped = 0;
  #idle: (() => void)[] = [];

  /** Writes nothing yet. */
  constructor(write: WriteBytes) {
    this.#write = write;
  }

  /** Frames that were not sent: the pipe was slow, or is broken. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether the other end is gone. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * Sends a frame; `false` when it was dropped.
   *
   * @throws {WireError} `tooLong`.
   */
  send(frame: DriverFrame | HostFrame): boolean {
    const bytes = encodeFrame(frame);
    const isNews = frame.type === "event" || frame.type === "log";
    const bytesMax = isNews ? EVENT_BYTES_MAX : WAITING_BYTES_MAX;
    if (this.#isBroken || this.#waitingBytes + bytes.length > bytesMax) {
      this.#dropped++;
      return false;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isWriting) void this.#drain();
    return true;
  }

  /** Resolves when everything was written, or cannot be. */
  flushed(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #drain(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#waiting.length > 0) await this.#write(this.#takeAll());
    } catch {
      this.#isBroken = true;
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    this.#isWriting = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Everything that waits, as one piece: one write for many frames. */
  #takeAll(): Uint8Array {
    const all = new Uint8Array(this.#waitingBytes);
    let at = 0;
    for (const bytes of this.#waiting) {
      all.set(bytes, at);
      at += bytes.length;
    }
    this.#waiting = [];
    this.#waitingBytes = 0;
    return all;
  }
}
