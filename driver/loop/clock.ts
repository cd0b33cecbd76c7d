/**
 * Time as an argument. Nothing below `driver/host` asks the machine what time
 * it is: it is given a clock, so that tests run in virtual time and a seed
 * repeats a run.
 *
 * @module
 */

import { assert } from "../assert.ts";

/** A timer that can be taken back. */
export interface Timer {
  /** Takes it back; a no-op once it fired. */
  cancel(): void;
}

/** A source of time. */
export interface Clock {
  /** Monotonic, in milliseconds, with fractions. */
  nowMs(): number;
  /** Wall clock, in milliseconds since 1970, for log lines only. */
  wallMs(): number;
  /** Calls `fire` once, not before `delayMs` has passed. */
  setTimer(delayMs: number, fire: () => void): Timer;
}

interface Entry {
  readonly dueMs: number;
  readonly sequence: number;
  readonly fire: () => void;
}

/**
 * A clock that moves only when told. Timers fire in the order of (due, set);
 * between two of them every microtask runs, so that what one timer starts is
 * settled before the next.
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  readonly #timers = new Map<number, Entry>();
  readonly #wallStartMs: number;

  /** `wallStartMs` is what the wall clock shows at virtual time 0. */
  constructor(wallStartMs = Date.UTC(2026, 0, 1)) {
    this.#wallStartMs = wallStartMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    assert(delayMs >= 0, "A timer cannot be due in the past");
    const sequence = this.#sequence++;
    this.#timers.set(sequence, {
      dueMs: this.#nowMs + delayMs,
      sequence,
      fire,
    });
    return { cancel: () => void this.#timers.delete(sequence) };
  }

  /** Timers that have not fired. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves on by `durationMs`, firing what falls due, and lets everything settle. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settle();
    for (
      let next = this.#next();
      next !== undefined && next.dueMs <= untilMs;
      next = this.#next()
    ) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#timers.delete(next.sequence);
      next.fire();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #next(): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#timers.values()) {
      const isEarlier = first === undefined || entry.dueMs < first.dueMs ||
        (entry.dueMs === first.dueMs && entry.sequence < first.sequence);
      if (isEarlier) first = entry;
    }
    return first;
  }
}

/** Long chains of promises take several rounds of microtasks; this many are enough for ours. */
const SETTLE_ROUNDS = 64;

/** Lets pending microtasks run. */
export async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round++) await Promise.resolve();
}
