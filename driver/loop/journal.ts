/**
 * The last things that happened to a driver: what a crash bundle shows, and
 * what tells two runs apart. Names, sizes and times; no bytes of the device
 * unless asked for.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { RingBuffer } from "./ring_buffer.ts";
import { TraceHash } from "./trace_hash.ts";

/** Events kept: what a crash bundle holds, and enough before it to see the cause. */
export const JOURNAL_CAPACITY = 256;

/** What kind of thing happened. */
export type JournalKind =
  | "state"
  | "control"
  | "job"
  | "timer"
  | "command"
  | "answer"
  | "report"
  | "received"
  | "paused"
  | "input"
  | "emit"
  | "failure";

/** One thing that happened. */
export interface JournalEvent {
  /** Counted from 0 over the driver's life. */
  readonly sequence: number;
  /** On the loop's clock, in milliseconds. */
  readonly timeMs: number;
  /** Resets of the device before it. */
  readonly epoch: number;
  /** What kind of thing it was. */
  readonly kind: JournalKind;
  /** Of the input, command, timer or state. */
  readonly name: string;
  /** Bytes of its payload. */
  readonly sizeBytes: number;
  /** The first bytes, if asked for. */
  readonly payload?: Uint8Array;
}

/** How much a journal keeps. */
export interface JournalOptions {
  /** Events kept; default JOURNAL_CAPACITY. */
  readonly capacity?: number;
  /** Bytes kept of each payload; default 0. */
  readonly payloadBytesMax?: number;
}

/** The last events, and a hash over all. */
export class Journal {
  /** Counts resets of the device and the stop: set by the session. */
  epoch = 0;
  readonly #clock: Clock;
  readonly #events: RingBuffer<JournalEvent>;
  readonly #payloadBytesMax: number;
  readonly #hash = new TraceHash();
  #recorded = 0;

  /** Keeps JOURNAL_CAPACITY events and no payload unless told otherwise. */
  constructor(clock: Clock, options: JournalOptions = {}) {
    this.#clock = clock;
    this.#events = new RingBuffer(options.capacity ?? JOURNAL_CAPACITY);
    this.#payloadBytesMax = options.payloadBytesMax ?? 0;
  }

  /** Events recorded, also those no longer kept. */
  get recorded(): number {
    return this.#recorded;
  }

  /** Hash over every event so far: equal seeds give equal hashes. */
  get traceHash(): string {
    return this.#hash.text;
  }

  /** Events kept, oldest first. */
  events(): readonly JournalEvent[] {
    return this.#events.toArray();
  }

  /** Records an event; `data` are its bytes, of which only the count is kept unless asked. */
  record(kind: JournalKind, name: string, data?: Uint8Array): void {
    const timeMs = this.#clock.nowMs();
    const sizeBytes = data?.length ?? 0;
    const { epoch } = this;
    this.#hash.text16(kind);
    this.#hash.text16(name);
    this.#hash.number(timeMs);
    this.#hash.number(sizeBytes);
    this.#hash.number(epoch);
    const payload = data === undefined || this.#payloadBytesMax === 0
      ? undefined
      : data.slice(0, this.#payloadBytesMax);
    this.#events.pushOver({
      sequence: this.#recorded++,
      timeMs,
      epoch,
      kind,
      name,
      sizeBytes,
      ...(payload === undefined ? {} : { payload }),
    });
  }
}
