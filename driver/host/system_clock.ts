/**
 * The machine's own clock, for processes. Everything below takes a clock as an
 * argument; this is the one a process passes.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";

/** Makes the machine's clock. */
export function systemClock(): Clock {
  return {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    setTimer(delayMs: number, fire: () => void): Timer {
      const id = setTimeout(fire, Math.min(delayMs, LONGEST_DELAY_MS));
      return { cancel: () => clearTimeout(id) };
    },
  };
}

/** What `setTimeout` can hold; longer delays would fire at once. */
const LONGEST_DELAY_MS = 0x7fff_ffff;
