/**
 * The machine's clock, for a bus that real programs use.
 *
 * @module
 */

import type { Clock, Timer } from "../../driver/loop/clock.ts";

/** Real time. */
export class SystemClock implements Clock {
  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  }
}
