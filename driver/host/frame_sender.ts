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

/**
 * Writes what goes without waiting, and gives its count: what it took is the
 * other end's, even if this process ends at once.
 *
 * @throws {Error} When the other end is gone.
 */
export type WriteNow = (bytes: Uint8Array) => number;

/** Bytes of waiting frames above which events, lines and journals are dropped: a quarter second of a busy pipe. */
const EVENT_BYTES_MAX = 1024 * 1024;
/** Bytes above which nothing is taken any more: the other end is dead or hostile. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** A queue of frames in front of a pipe. */
export class FrameSender {
  /**
   * Where the platform can, frames go by it at the end of the step that sends
   * them: a slower write would keep one waiting that must be out at once.
   */
  writeNow: WriteNow | undefined;
  readonly #write: WriteBytes;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isScheduled = false;
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
    const isTaken = this.#take(frame);
    if (!isTaken || this.#isWriting || this.#isScheduled) return isTaken;
    if (this.writeNow === undefined) void this.#drain();
    else {
      // Many frames of one step are one write.
      this.#isScheduled = true;
      queueMicrotask(() => this.#flush());
    }
    return true;
  }

  /**
   * Sends a frame and everything before it as far as the pipe takes it now.
   *
   * @throws {WireError} `tooLong`.
   */
  sendNow(frame: DriverFrame | HostFrame): boolean {
    const isTaken = this.#take(frame);
    if (isTaken && !this.#isWriting) this.#flush();
    return isTaken;
  }

  /** Resolves when everything was written, or cannot be. */
  flushed(): Promise<void> {
    if (!this.#isWriting && this.#waitingBytes === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #take(frame: DriverFrame | HostFrame): boolean {
    const bytes = encodeFrame(frame);
    const isNews = frame.type === "event" || frame.type === "log" ||
      frame.type === "journal";
    const bytesMax = isNews ? EVENT_BYTES_MAX : WAITING_BYTES_MAX;
    if (this.#isBroken || this.#waitingBytes + bytes.length > bytesMax) {
      this.#dropped++;
      return false;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    return true;
  }

  /** What the pipe takes now; the rest waits for it. */
  #flush(): void {
    this.#isScheduled = false;
    if (this.#isWriting) return;
    try {
      this.#writePromptly();
    } catch {
      this.#broken();
    }
    if (this.#waitingBytes > 0) void this.#drain();
    else this.#becameIdle();
  }

  /**
   * Once the pipe took what it could not take at once, the rest goes promptly
   * again: otherwise a steady stream would be slow for ever.
   */
  async #drain(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#waiting.length > 0) {
        await this.#write(this.#takeAll());
        this.#writePromptly();
      }
    } catch {
      this.#broken();
    }
    this.#isWriting = false;
    this.#becameIdle();
  }

  /** @throws {Error} When the other end is gone. */
  #writePromptly(): void {
    if (this.#waitingBytes === 0 || this.writeNow === undefined) return;
    const all = this.#takeAll();
    const rest = all.subarray(this.writeNow(all));
    if (rest.length > 0) this.#waiting.push(rest);
    this.#waitingBytes = rest.length;
  }

  #broken(): void {
    this.#isBroken = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #becameIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Everything that waits, as one piece: one write for many frames. */
  #takeAll(): Uint8Array {
    const [first] = this.#waiting;
    if (first !== undefined && this.#waiting.length === 1) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      return first;
    }
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
