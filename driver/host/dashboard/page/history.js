// @ts-check
/**
 * What the page remembers: points of numbers over the last minutes, bounded, and
 * rates made of counters that begin anew with every process.
 *
 * @module
 */

/** @import { Point, Stretch } from "./words.d.ts" */

/** How far back plots go. */
export const HISTORY_MS = 10 * 60_000;
/** A point each second, and some more when a state changes. */
export const POINTS_MAX = 900;
/** Points further apart have a hole between them: nobody looked. */
export const HOLE_MS = 4_000;

/** The last points of one number. */
export class Series {
  /** @type {Point[]} */
  #points = [];

  /** @returns {readonly Point[]} Oldest first. */
  get points() {
    return this.#points;
  }

  /** @returns {Point | undefined} The newest. */
  get last() {
    return this.#points.at(-1);
  }

  /**
   * @param {number} atMs
   * @param {number | null | undefined} value `undefined`: nothing is new, and no point is made.
   * @returns {void}
   */
  add(atMs, value) {
    if (value === undefined) return;
    const last = this.last;
    // A clock that is set back begins anew.
    if (last !== undefined && atMs < last.atMs) this.#points = [];
    this.#points.push({ atMs, value });
    const oldest = this.#points.findIndex((point) =>
      point.atMs >= atMs - HISTORY_MS
    );
    const surplus = Math.max(oldest, this.#points.length - POINTS_MAX);
    if (surplus > 0) this.#points.splice(0, surplus);
  }
}

/**
 * A counter with the time it was read at, by the supervisor's clock.
 *
 * @typedef {object} Count
 * @property {number} count
 * @property {number} atMs
 * @property {number | null} pid Of the process that counts.
 */

/** Readings come late by turns: over two of them a steady rate looks steady. */
const RATE_MS = 2_200;

/** How fast a counter grows. */
export class Rate {
  /** @type {Count[]} */
  #counts = [];

  /**
   * Takes a reading; gives the growth each second, `null` where that is not
   * known: at first and after a restart, or `undefined` where it is the reading
   * that was taken before: nothing is new then.
   *
   * @param {Count} now
   * @returns {number | null | undefined}
   */
  take(now) {
    const last = this.#counts.at(-1);
    const goesOn = last !== undefined && last.pid === now.pid &&
      now.count >= last.count && now.atMs >= last.atMs;
    if (!goesOn) this.#counts = [];
    else if (now.atMs - last.atMs < SAME_MS) return undefined;
    this.#counts.push(now);
    this.#counts = this.#counts.filter(({ atMs }, index, all) =>
      now.atMs - atMs <= RATE_MS || index === all.length - 2
    );
    const first = this.#counts[0] ?? now;
    if (first === now) return null;
    return (now.count - first.count) * 1000 / (now.atMs - first.atMs);
  }
}

/** Closer than this it is the same heartbeat, whose age was rounded. */
const SAME_MS = 50;

/** The states a driver went through, as far as the page saw. */
export class States {
  /** @type {Stretch[]} */
  #stretches = [];

  /** @returns {readonly Stretch[]} Oldest first. */
  get stretches() {
    return this.#stretches;
  }

  /**
   * It is in this state now. After a hole nothing is claimed of the time between.
   *
   * @param {number} atMs
   * @param {string} state
   * @returns {void}
   */
  see(atMs, state) {
    const last = this.#stretches.at(-1);
    const isNear = last !== undefined && atMs >= last.toMs &&
      atMs - last.toMs <= HOLE_MS;
    if (last !== undefined && isNear) {
      this.#stretches[this.#stretches.length - 1] = { ...last, toMs: atMs };
    }
    if (!isNear || last?.state !== state) {
      this.#stretches.push({ state, fromMs: atMs, toMs: atMs });
    }
    const kept = this.#stretches.filter(({ toMs }) =>
      toMs >= atMs - HISTORY_MS && toMs <= atMs
    );
    this.#stretches = kept.slice(-POINTS_MAX);
  }
}

/**
 * The point that is nearest in time, if one is near.
 *
 * @param {readonly Point[]} points
 * @param {number} atMs
 * @returns {Point | undefined}
 */
export function nearest(points, atMs) {
  /** @type {Point | undefined} */
  let best;
  for (const point of points) {
    const distance = Math.abs(point.atMs - atMs);
    if (distance > HOLE_MS) continue;
    if (best === undefined || distance <= Math.abs(best.atMs - atMs)) {
      best = point;
    }
  }
  return best;
}
