/**
 * The last things that happened to a driver: what a crash bundle shows, and
 * what tells two runs apart. Names, sizes and times; no bytes of the device
 * unless asked for.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type { Clock } from "./clock.ts";
import { RingBuffer } from "./ring_buffer.ts";
import { TraceHash } from "./trace_hash.ts";

/** Events kept: what a crash bundle holds, and enough before it to see the cause. */
export const JOURNAL_CAPACITY = 256;

/** What comes to a driver: the inputs of a replay. */
export const INPUTS = [
  "start",
  "report",
  "timer",
  "command",
  "stop",
  "done",
  "look",
  "offer",
  "ask",
  "over",
  "abort",
  "now",
  "chance",
] as const;

/** What a driver does: what a replay compares. */
export const EFFECTS = [
  "call",
  "emit",
  "log",
  "set",
  "clear",
  "looked",
  "offered",
  "asked",
  "resume",
  "end",
  "failure",
] as const;

/** Every kind of thing that happens. */
export const JOURNAL_KINDS = [
  // Of the session.
  "state",
  "control",
  "job",
  "received",
  "paused",
  "input",
  "answer",
  ...INPUTS,
  ...EFFECTS,
  // From where a replay can begin: the device, and the driver's state.
  "device",
  "checkpoint",
] as const;

/** What kind of thing happened. */
export type JournalKind = (typeof JOURNAL_KINDS)[number];

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
  /** Ties what came of a call to the call. */
  readonly id?: number;
  /** What else there is to it, in a full journal only. */
  readonly detail?: Json;
}

/** How much a journal keeps, and who is told. */
export interface JournalOptions {
  /** Events kept; default JOURNAL_CAPACITY. */
  readonly capacity?: number;
  /** Bytes kept of each payload; default 0. */
  readonly payloadBytesMax?: number;
  /** Told of each event, before whoever it is for is. Must not throw. */
  readonly recorded?: (event: JournalEvent) => void;
}

/** The last events, and a hash over all. */
export class Journal {
  /** Counts resets of the device and the stop: set by the session. */
  epoch = 0;
  readonly #clock: Clock;
  readonly #events: RingBuffer<JournalEvent>;
  readonly #payloadBytesMax: number;
  readonly #tell: ((event: JournalEvent) => void) | undefined;
  readonly #hash = new TraceHash();
  #recorded = 0;

  /** Keeps JOURNAL_CAPACITY events and no payload unless told otherwise. */
  constructor(clock: Clock, options: JournalOptions = {}) {
    this.#clock = clock;
    this.#events = new RingBuffer(options.capacity ?? JOURNAL_CAPACITY);
    this.#payloadBytesMax = options.payloadBytesMax ?? 0;
    this.#tell = options.recorded;
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

  /** The last `count` events at most, oldest first. */
  last(count: number): JournalEvent[] {
    const events: JournalEvent[] = [];
    const { length } = this.#events;
    for (let place = Math.max(0, length - count); place < length; place++) {
      const event = this.#events.at(place);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** Records an event with its bytes, of which only the count is kept unless asked, or with their count. */
  record(kind: JournalKind, name: string, data?: Uint8Array | number): void {
    const timeMs = this.#clock.nowMs();
    const bytes = typeof data === "object" ? data : undefined;
    const sizeBytes = typeof data === "number" ? data : data?.length ?? 0;
    const { epoch } = this;
    const sequence = this.#recorded++;
    this.#hash.text16(kind);
    this.#hash.text16(name);
    this.#hash.number(timeMs);
    this.#hash.number(sizeBytes);
    this.#hash.number(epoch);
    // Written out twice: this is on the way of every report, and a spread costs as much as all the rest.
    const event: JournalEvent =
      bytes === undefined || this.#payloadBytesMax === 0
        ? { sequence, timeMs, epoch, kind, name, sizeBytes }
        : {
          sequence,
          timeMs,
          epoch,
          kind,
          name,
          sizeBytes,
          payload: bytes.slice(0, this.#payloadBytesMax),
        };
    this.#events.pushOver(event);
    this.#tell?.(event);
  }
}
