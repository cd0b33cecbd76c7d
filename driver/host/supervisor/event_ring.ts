/**
 * What happened, numbered, the last of it kept: whoever was away for a while
 * asks for what came since, and is told what is lost.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";

/** One thing that happened. */
export interface SupervisorEvent {
  /** +1 for each. */
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
  /** Numbers that are no longer there, both included. */
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
  #sequence = 0;

  /** Empty. */
  constructor(clock: Clock, capacity: number = EVENTS_KEPT) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  /** Number of the last event; 0 before the first. */
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
      this.#kept.splice(0, this.#kept.length - this.#capacity);
    }
    for (const listener of [...this.#listeners]) listener(made);
  }

  /** What came after `sequence`. A number of the future is from before a restart: then all of it. */
  since(sequence: number): EventsSince {
    const kept = this.#kept.slice(-this.#capacity);
    const after = sequence > this.#sequence ? 0 : sequence;
    const first = kept[0]?.sequence ?? this.#sequence + 1;
    return {
      gap: after + 1 < first ? { from: after + 1, to: first - 1 } : undefined,
      events: kept.filter((event) => event.sequence > after),
    };
  }

  /** Calls `listener` for each event until the result is called. It must not throw. */
  subscribe(listener: (event: SupervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
