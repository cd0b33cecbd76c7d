/**
 * The machine's clock, for a bus that real programs use.
 *
 * @module
 */

import type { Clock, Timer } from "../../driver/loop/clock.ts";

/** Real time. */
export class SystemClock implements Clock {
  /** Monotonic, in milliseconds, with fractions. */
  nowMs(): number {
    return performance.now();
  }

  /** Wall clock, in milliseconds since 1970. */
  wallMs(): number {
    return Date.now();
  }

  /** Calls `fire` once, not before `delayMs` has passed. */
  setTimer(delayMs: number, fire: () => void): Timer {
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  }
}
