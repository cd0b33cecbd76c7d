/**
 * Notices that beats of another process stay away.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";

/** How to watch for beats. */
export interface BeatWatchOptions {
  readonly clock: Clock;
  /** Between two beats, in milliseconds. */
  readonly intervalMs: number;
  /** Beats that may stay away. */
  readonly missedMax: number;
  /** Called once. */
  readonly onSilence: () => void;
}

/** Counts beats that did not come, from its making to its end. */
export class BeatWatch implements Disposable {
  readonly #options: BeatWatchOptions;
  #missed = 0;
  #timer: Timer | undefined;

  /** Begins to count. */
  constructor(options: BeatWatchOptions) {
    this.#options = options;
    this.#wait();
  }

  /** A beat came. */
  beat(): void {
    this.#missed = 0;
  }

  /** Stops counting. */
  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  /**
   * A tick that is late itself does not count: then it was us who did not run,
   * and beats may wait in the pipe.
   */
  #wait(): void {
    const { clock, intervalMs, missedMax, onSilence } = this.#options;
    const dueMs = clock.nowMs() + intervalMs;
    this.#timer = clock.setTimer(intervalMs, () => {
      const isLate = clock.nowMs() - dueMs > intervalMs;
      if (!isLate) this.#missed++;
      if (this.#missed > missedMax) onSilence();
      else this.#wait();
    });
  }
}
