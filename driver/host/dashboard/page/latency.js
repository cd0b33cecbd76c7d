// @ts-check
/**
 * How long reports waited for their handler lately: quantiles out of two
 * readings of a histogram that only grows.
 *
 * @module
 */

/**
 * A histogram: counts by bucket, the one above every bound last.
 *
 * @typedef {object} Histogram
 * @property {readonly number[]} bounds_ms
 * @property {readonly number[]} counts
 */

/**
 * A reading of it.
 *
 * @typedef {object} Reading
 * @property {Histogram} histogram
 * @property {number} atMs
 * @property {number | null} pid Of the process that counts.
 */

/** A slow device gives few reports each second: quantiles need some. */
const WINDOW_MS = 5_000;

/** The quantiles of the last seconds. */
export class Quantiles {
  /** @type {Reading[]} */
  #readings = [];

  /**
   * Takes a reading; gives the median and what 99 of 100 stay below, in
   * milliseconds, or `null` where nothing was counted.
   *
   * @param {Reading} now
   * @returns {{ readonly median: number; readonly high: number } | null}
   */
  take(now) {
    const last = this.#readings.at(-1);
    const goesOn = last !== undefined && last.pid === now.pid &&
      now.atMs >= last.atMs && isGrown(last.histogram, now.histogram);
    if (!goesOn) this.#readings = [];
    this.#readings.push(now);
    this.#readings = this.#readings.filter(({ atMs }, index, all) =>
      now.atMs - atMs <= WINDOW_MS || index === all.length - 2
    );
    const first = this.#readings[0] ?? now;
    if (first === now) return null;
    const { bounds_ms: bounds } = now.histogram;
    const counts = now.histogram.counts.map((count, index) =>
      count - (first.histogram.counts[index] ?? 0)
    );
    const median = quantile(counts, bounds, 0.5);
    const high = quantile(counts, bounds, 0.99);
    return median === null || high === null ? null : { median, high };
  }
}

/**
 * A quantile: within its bucket, durations are taken as spread evenly. Above
 * every bound nothing is known but the last bound.
 *
 * @param {readonly number[]} counts
 * @param {readonly number[]} bounds
 * @param {number} part From 0 to 1.
 * @returns {number | null}
 */
export function quantile(counts, bounds, part) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && below + count >= part * total) {
      const lower = bounds[index - 1] ?? 0;
      const upper = bounds[index] ?? lower;
      return lower + (upper - lower) * (part * total - below) / count;
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}

/** Counts never fall within one process. @param {Histogram} before @param {Histogram} now */
function isGrown(before, now) {
  return before.counts.length === now.counts.length &&
    now.counts.every((count, index) => count >= (before.counts[index] ?? 0));
}
