/**
 * When to be back on the thread for a completion that can be foreseen. The way
 * back from a parked call is longer than a wake of C's; begun before the
 * completion, it costs nothing.
 *
 * @module
 */

import type { Pace } from "./pace.ts";

/** What the hop of a park costs, as long as nothing was measured. */
export const HOP_MS = 0.05;
/** At most this much before: longer naps would rob the program. */
const LEAD_MS_MAX = 0.5;
/** Weight of the newest hop in the smoothed ones. */
const HOP_WEIGHT = 1 / 8;
/** Hops that much longer than most are still waited for: being early costs no CPU, being late a whole hop. */
const HOP_DEVIATIONS = 3;

/** How early to come back, learned from how late we came. */
export class Foresight {
  readonly #pace: Pace;
  /** Smoothed lateness of a timed park's return. */
  #hopMs = HOP_MS;
  /** Smoothed difference from that. */
  #hopDeviationMs = HOP_MS / 4;

  /** For completions of that pace. */
  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** How long to park from now on, to be back just before the next completion; `undefined` when it cannot be foreseen. */
  parkMs(nowMs: number): number | undefined {
    const { expectedMs } = this.#pace;
    if (expectedMs === undefined) return undefined;
    const parkMs = expectedMs - this.#leadMs() - nowMs;
    return parkMs > 0 ? parkMs : undefined;
  }

  /** Back from a park that should have ended at `dueMs`. */
  back(nowMs: number, dueMs: number): void {
    const hopMs = Math.min(Math.max(nowMs - dueMs, 0), LEAD_MS_MAX);
    const offMs = Math.abs(hopMs - this.#hopMs);
    this.#hopMs += (hopMs - this.#hopMs) * HOP_WEIGHT;
    this.#hopDeviationMs += (offMs - this.#hopDeviationMs) * HOP_WEIGHT;
  }

  /** Whether the next completion is so near that a park would end after it. One that should have come by now is given up. */
  isNear(nowMs: number): boolean {
    const { expectedMs, deviationMs } = this.#pace;
    if (expectedMs === undefined) return false;
    if (nowMs < expectedMs + 2 * deviationMs + HOP_MS) {
      return nowMs >= expectedMs - this.#leadMs();
    }
    this.#pace.missed();
    return false;
  }

  #leadMs(): number {
    const hopMs = this.#hopMs + HOP_DEVIATIONS * this.#hopDeviationMs;
    return Math.min(hopMs + this.#pace.deviationMs, LEAD_MS_MAX);
  }
}
