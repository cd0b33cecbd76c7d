/**
 * Completions on their way to the program: in order, never inside the call that
 * caused them, and never so many at once that nothing else gets its turn.
 *
 * @module
 */

import type { Clock } from "../loop/clock.ts";

/**
 * Completions that may be delivered without time passing. A source that always
 * has data would otherwise keep the program in microtasks for good.
 */
const DELIVERIES_PER_BREATH = 1024;
/** A microframe of high speed: the least time the bus lets pass then. USB 2.0, 8.4.3. */
const BREATH_MS = 0.125;

/** What {@linkcode Deliveries} are made of. */
export interface DeliveryOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Each completion takes up to this long, by chance; order within an endpoint stays. */
  readonly jitterMs: number;
}

/** One line of deliveries. */
export class Deliveries {
  readonly #options: DeliveryOptions;
  readonly #queue: (() => void)[] = [];
  readonly #dueMs = new Map<number, number>();
  #isScheduled = false;
  #left = DELIVERIES_PER_BREATH;

  /** Chance and time come from the bus. */
  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Delivers soon; of one endpoint always in the order of the calls. */
  push(endpoint: number, deliver: () => void): void {
    const { clock, random, jitterMs } = this.#options;
    if (jitterMs === 0) return this.#enqueue(deliver);
    const earliestMs = clock.nowMs() + random() * jitterMs;
    const dueMs = Math.max(this.#dueMs.get(endpoint) ?? 0, earliestMs);
    this.#dueMs.set(endpoint, dueMs);
    clock.setTimer(dueMs - clock.nowMs(), () => this.#enqueue(deliver));
  }

  #enqueue(deliver: () => void): void {
    this.#queue.push(deliver);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#queue.length === 0) return;
    this.#isScheduled = true;
    if (this.#left > 0) {
      void Promise.resolve().then(() => this.#drain());
      return;
    }
    this.#options.clock.setTimer(BREATH_MS, () => {
      this.#left = DELIVERIES_PER_BREATH;
      this.#drain();
    });
  }

  #drain(): void {
    this.#isScheduled = false;
    // What a delivery causes waits for the next round.
    const round = this.#queue.splice(0, this.#left);
    this.#left -= round.length;
    for (const deliver of round) deliver();
    this.#schedule();
  }
}
