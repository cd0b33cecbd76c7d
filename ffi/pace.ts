/**
 * What is known of when the next completion comes: how soon, and whether in a
 * rhythm. Pure arithmetic on times the pump tells.
 *
 * @module
 */

/** Gaps beyond are all the same: "not soon". */
const SOON_MS_MAX = 0.4;
/** Weight of the newest gap in the smoothed ones. */
const WEIGHT = 1 / 8;
/** A rhythm is one when gaps differ from it by less than this part, on average. */
const REGULAR_PART = 1 / 4;
/** As many gaps of one length in a row begin a rhythm. */
const REGULAR_GAPS_MIN = 4;
/** Slower ones are not worth foreseeing: a wake from a long sleep is late anyhow. */
const PERIOD_MS_MAX = 20;

/** Smoothed gaps between completions. */
export class Pace {
  #gapMs = SOON_MS_MAX;
  #waitingSinceMs = 0;
  #foundMs = -Infinity;
  #periodMs = Infinity;
  #deviationMs = Infinity;
  #regularGaps = 0;

  /** Smoothed time from one completion to the next, at most 0.4 ms; begins there. */
  get gapMs(): number {
    return this.#gapMs;
  }

  /** Since when the next completion is waited for. */
  get waitingSinceMs(): number {
    return this.#waitingSinceMs;
  }

  /** Waiting began, or part of it was not the device's time. */
  waitingSince(atMs: number): void {
    this.#waitingSinceMs = atMs;
  }

  /** Completions were found. */
  found(nowMs: number): void {
    const gapMs = Math.max(nowMs - this.#waitingSinceMs, 0);
    this.#gapMs += (Math.min(gapMs, SOON_MS_MAX) - this.#gapMs) * WEIGHT;
    this.#waitingSinceMs = nowMs;
    // Quick devices are waited for on the thread: no rhythm is asked for.
    if (this.#gapMs >= SOON_MS_MAX / 2) this.#learnPeriod(nowMs);
    this.#foundMs = nowMs;
  }

  /** When the next is expected, if they come in a rhythm. */
  get expectedMs(): number | undefined {
    return this.#regularGaps < REGULAR_GAPS_MIN
      ? undefined
      : this.#foundMs + this.#periodMs;
  }

  /** How much earlier or later than expected they come, on average. */
  get deviationMs(): number {
    return this.#deviationMs;
  }

  /** The expected one did not come: the rhythm has to show itself anew. */
  missed(): void {
    this.#regularGaps = 0;
  }

  #learnPeriod(nowMs: number): void {
    const periodMs = nowMs - this.#foundMs;
    if (periodMs > PERIOD_MS_MAX) return this.missed();
    const offMs = Math.abs(periodMs - this.#periodMs);
    if (offMs > this.#periodMs * REGULAR_PART || this.#periodMs === Infinity) {
      this.#periodMs = periodMs;
      this.#deviationMs = periodMs * REGULAR_PART;
      this.#regularGaps = 0;
      return;
    }
    this.#periodMs += (periodMs - this.#periodMs) * WEIGHT;
    this.#deviationMs += (offMs - this.#deviationMs) * WEIGHT;
    this.#regularGaps++;
  }
}
