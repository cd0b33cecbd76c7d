/**
 * The last a driver said, kept for clients while it is away: with its age, and
 * marked as stale. What is not known is never invented.
 *
 * @module
 */

import type { Json } from "../../driver.ts";

/** One value. */
export interface LastValue {
  readonly event: string;
  readonly data: { readonly [key: string]: Json };
  /** Wall clock. */
  readonly atMs: number;
  readonly ageMs: number;
  /** Nobody vouches for it any more. */
  readonly stale: boolean;
}

/** Kinds of events remembered for each driver; a driver has fewer. */
const VALUES_MAX = 32;
/** Longest data kept; a waveform is not a value to show again. */
const VALUE_CHARACTERS_MAX = 4_096;

interface Kept {
  readonly data: { readonly [key: string]: Json };
  readonly atMs: number;
  readonly wallMs: number;
}

/** Remembers. */
export class LastValues {
  readonly #kept = new Map<string, Kept>();

  /** Notes what was said. The kind not heard for longest makes room. */
  note(
    event: string,
    data: { readonly [key: string]: Json },
    now: { readonly atMs: number; readonly wallMs: number },
  ): void {
    if (JSON.stringify(data).length > VALUE_CHARACTERS_MAX) return;
    this.#kept.delete(event);
    this.#kept.set(event, { data, ...now });
    if (this.#kept.size <= VALUES_MAX) return;
    const oldest = this.#kept.keys().next();
    if (oldest.done !== true) this.#kept.delete(oldest.value);
  }

  /** Everything, with its age. */
  list(nowMs: number, stale: boolean): LastValue[] {
    return [...this.#kept].map(([event, { data, atMs, wallMs }]) => ({
      event,
      data,
      atMs: wallMs,
      ageMs: Math.max(0, Math.round(nowMs - atMs)),
      stale,
    }));
  }
}
