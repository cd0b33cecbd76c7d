/**
 * Repeats of one line: the 1st, 10th, 100th … within ten minutes are written,
 * each with its count, so that a fault that comes a thousand times a second
 * neither floods the log nor goes unseen.
 *
 * @module
 */

/** A line that comes back after this time is news again. */
const WINDOW_MS = 10 * 60_000;

/** Different lines remembered; the one not seen for longest is forgotten first. */
const MAX_REMEMBERED = 256;

/** Longest key kept; longer ones are told apart by their beginning and length. */
const MAX_KEY_LENGTH = 256;

interface Seen {
  readonly sinceMs: number;
  times: number;
}

/** Remembers lines by their event and cause. */
export class RepeatFilter {
  readonly #seen = new Map<string, Seen>();
  #suppressed = 0;

  /** Lines left out so far. */
  get suppressed(): number {
    return this.#suppressed;
  }

  /** How often the line came, or `undefined` when this one shall be left out. */
  note(cause: string, nowMs: number): number | undefined {
    const key = cause.length <= MAX_KEY_LENGTH
      ? cause
      : `${cause.length} ${cause.slice(0, MAX_KEY_LENGTH)}`;
    const known = this.#seen.get(key);
    const isFresh = known === undefined || nowMs - known.sinceMs >= WINDOW_MS;
    const seen = isFresh ? { sinceMs: nowMs, times: 0 } : known;
    seen.times++;
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    this.#forget();
    if (isPowerOfTen(seen.times)) return seen.times;
    this.#suppressed++;
    return undefined;
  }

  #forget(): void {
    if (this.#seen.size <= MAX_REMEMBERED) return;
    const oldest = this.#seen.keys().next();
    if (oldest.done !== true) this.#seen.delete(oldest.value);
  }
}

function isPowerOfTen(value: number): boolean {
  let rest = value;
  while (rest >= 10 && rest % 10 === 0) rest /= 10;
  return rest === 1;
}
