/**
 * What happened, numbered, the last of it kept: whoever was away for a while
 * asks for what came since, and is told what is lost.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";
import { RecentLogs } from "./recent_log.ts";

/** One thing that happened. */
export interface SupervisorEvent {
  /** Grows; lines of logs take numbers of the same row. */
  readonly sequence: number;
  /** Wall clock. */
  readonly atMs: number;
  /** Stable dotted name: `driver.state`. */
  readonly event: string;
  readonly driver: string | undefined;
  readonly data: { readonly [key: string]: Json };
}

/** What came after a number. */
export interface EventsSince {
  /** Among these numbers, both included, events are no longer there. */
  readonly gap: { readonly from: number; readonly to: number } | undefined;
  readonly events: readonly SupervisorEvent[];
}

/** Events kept: some seconds of a fast driver, a day of a quiet one. */
export const EVENTS_KEPT = 1_024;
/** An event that is longer is told without its data; a waveform goes another way. */
export const EVENT_CHARACTERS_MAX = 64 * 1_024;

/** The ring. */
export class EventRing {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #kept: SupervisorEvent[] = [];
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  /** Lines of the drivers' logs: numbered here, kept apart. */
  readonly logs: RecentLogs;
  #sequence = 0;
  #lostUpTo = 0;

  /** Empty. */
  constructor(clock: Clock, capacity: number = EVENTS_KEPT) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.logs = new RecentLogs(clock, () => ++this.#sequence);
  }

  /** The last number given; 0 before the first. */
  get lastSequence(): number {
    return this.#sequence;
  }

  /** Adds an event and tells whoever listens. */
  publish(
    event: string,
    data: { readonly [key: string]: Json },
    driver?: string,
  ): void {
    const isLong = JSON.stringify(data).length > EVENT_CHARACTERS_MAX;
    const made: SupervisorEvent = {
      sequence: ++this.#sequence,
      atMs: this.#clock.wallMs(),
      event,
      driver,
      data: isLong ? { truncated: true } : data,
    };
    this.#kept.push(made);
    // A block at a time, so that adding stays cheap.
    if (this.#kept.length >= this.#capacity * 2) {
      const lost = this.#kept.splice(0, this.#kept.length - this.#capacity);
      this.#lostUpTo = lost.at(-1)?.sequence ?? this.#lostUpTo;
    }
    for (const listener of [...this.#listeners]) listener(made);
  }

  /** Where whoever has seen `sequence` goes on. A number of the future is from before a restart: at the beginning. */
  resumedFrom(sequence: number): number {
    return sequence > this.#sequence ? 0 : sequence;
  }

  /** What came after `sequence`. */
  since(sequence: number): EventsSince {
    const surplus = Math.max(0, this.#kept.length - this.#capacity);
    const lostUpTo = this.#kept[surplus - 1]?.sequence ?? this.#lostUpTo;
    const after = this.resumedFrom(sequence);
    return {
      gap: after < lostUpTo ? { from: after + 1, to: lostUpTo } : undefined,
      events: this.#kept.slice(surplus).filter((event) =>
        event.sequence > after
      ),
    };
  }

  /** Calls `listener` for each event until the result is called. It must not throw. */
  subscribe(listener: (event: SupervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
