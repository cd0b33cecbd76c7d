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
/** A completion is in rhythm when it is off by less than this part of the period. */
const REGULAR_PART = 1 / 4;
/** Trust in a rhythm grows by one with each completion in it, up to here. */
const TRUST_MAX = 8;
/** From here on the next is foreseen. */
const TRUST_MIN = 4;
/** What one that is not in rhythm costs: a busy host makes some late, and the rhythm stays. */
const TRUST_LOST = 2;
/**
 * How far a late completion moves the rhythm: it is found late more often than
 * it is late. An early one moves it all the way.
 */
const LATE_PART = 1 / 4;
/** How far either corrects the period. */
const PERIOD_PART = 1 / 16;
/** Slower ones are not worth foreseeing: a wake from a long sleep is late anyhow. */
const PERIOD_MS_MAX = 20;

/** Smoothed gaps between completions, and the rhythm they keep. */
export class Pace {
  #gapMs = SOON_MS_MAX;
  #waitingSinceMs = 0;
  /** The beat of the rhythm that the last completion belongs to. */
  #beatMs = -Infinity;
  #periodMs = Infinity;
  #deviationMs = Infinity;
  #trust = 0;

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
    if (this.#gapMs >= SOON_MS_MAX / 2) this.#follow(nowMs);
    else this.#trust = 0;
  }

  /** When the next is expected, if they come in a rhythm. */
  get expectedMs(): number | undefined {
    return this.#trust < TRUST_MIN ? undefined : this.#beatMs + this.#periodMs;
  }

  /** How much earlier or later than expected they come, on average. */
  get deviationMs(): number {
    return this.#deviationMs;
  }

  /** The expected one did not come: the next beat is expected, with less trust. */
  missed(): void {
    this.#trust = Math.max(this.#trust - TRUST_LOST, 0);
    this.#beatMs += this.#periodMs;
  }

  #follow(nowMs: number): void {
    const sinceMs = nowMs - this.#beatMs;
    if (this.#trust === 0 || sinceMs > PERIOD_MS_MAX) {
      return this.#begin(nowMs, sinceMs);
    }
    const offMs = sinceMs - this.#periodMs;
    if (Math.abs(offMs) > this.#periodMs * REGULAR_PART) {
      this.missed();
      this.#beatMs = nowMs;
      return;
    }
    this.#trust = Math.min(this.#trust + 1, TRUST_MAX);
    this.#beatMs += this.#periodMs + (offMs > 0 ? offMs * LATE_PART : offMs);
    this.#periodMs += offMs * PERIOD_PART;
    this.#deviationMs += (Math.abs(offMs) - this.#deviationMs) * WEIGHT;
  }

  /** One gap is a guess at a rhythm. */
  #begin(nowMs: number, sinceMs: number): void {
    this.#trust = sinceMs <= PERIOD_MS_MAX ? 1 : 0;
    this.#beatMs = nowMs;
    this.#periodMs = sinceMs;
    this.#deviationMs = sinceMs * REGULAR_PART;
  }
}
