/**
 * The one attempt that a driver in a pause waits for.
 *
 * @module
 */

import type { Clock, Timer } from "../../loop/clock.ts";

/** Waits for the next attempt, if there is to be one. */
export class NextAttempt {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #dueMs = 0;

  /** Waits for nothing yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Until then, in milliseconds; `undefined` when there is to be none. */
  get leftMs(): number | undefined {
    if (this.#timer === undefined) return undefined;
    return Math.max(0, this.#dueMs - this.#clock.nowMs());
  }

  /** Calls `attempt` once, in a while. */
  in(delayMs: number, attempt: () => void): void {
    this.#dueMs = this.#clock.nowMs() + delayMs;
    this.#timer = this.#clock.setTimer(delayMs, attempt);
  }

  /** There is to be none. Twice is a no-op. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
