/** Real time, slowed down, so that a busy machine keeps up with a bus's frames. */

import type { Clock, Timer } from "../../driver/loop/clock.ts";

/** Real time divided by a factor that may be changed while no timer is set. */
export class StretchedClock implements Clock {
  #factor = 1;
  #sinceMs = performance.now();
  #nowMs = 0;

  /** How many real milliseconds one of this clock takes. */
  set factor(factor: number) {
    this.#nowMs = this.nowMs();
    this.#sinceMs = performance.now();
    this.#factor = factor;
  }

  nowMs(): number {
    return this.#nowMs + (performance.now() - this.#sinceMs) / this.#factor;
  }

  wallMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const handle = setTimeout(fire, delayMs * this.#factor);
    return { cancel: () => clearTimeout(handle) };
  }
}
