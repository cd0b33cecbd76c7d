/**
 * Durations counted by size, in fixed storage: observing one allocates nothing,
 * so it may be done for every report.
 *
 * @module
 */

import { MAX_TIMEOUT_MS } from "../limits.ts";

/**
 * Upper bounds in milliseconds; above the last there is one more bucket. From a
 * report that is handled at once to a control transfer at its time limit.
 */
export const DURATION_BOUNDS_MS: readonly number[] = [
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  1_000,
  5_000,
];

/** What a histogram counted so far. */
export interface HistogramCounts {
  /** By bucket, each on its own, the one above every bound last. */
  readonly counts: readonly number[];
  /** Sum of all durations. */
  readonly sumMs: number;
}

/** Counts durations. */
export class Histogram {
  readonly #counts = new Float64Array(DURATION_BOUNDS_MS.length + 1);
  #sumMs = 0;

  /** Counts one. A negative one, from clocks that are not quite one, is none at all. */
  observe(durationMs: number): void {
    let at = 0;
    while (durationMs > (DURATION_BOUNDS_MS[at] ?? Infinity)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    if (durationMs > 0) this.#sumMs += Math.min(durationMs, MAX_TIMEOUT_MS);
  }

  /** A copy. */
  get counts(): HistogramCounts {
    return { counts: [...this.#counts], sumMs: this.#sumMs };
  }
}
