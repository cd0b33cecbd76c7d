/**
 * Time as an argument. Nothing below `driver/host` asks the machine what time
 * it is: it is given a clock, so that tests run in virtual time and a seed
 * repeats a run.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { type Due, DueHeap } from "./heap.ts";

/** Long chains of promises take several rounds of microtasks; this many are enough for ours. */
const SETTLE_ROUNDS = 64;

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

interface Entry extends Due {
  readonly fire: () => void;
  isCancelled: boolean;
}

/**
 * A clock that moves only when told. Timers fire in the order of (due, set);
 * between two of them every microtask runs, so that what one timer starts is
 * settled before the next.
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  #pending = 0;
  readonly #timers = new DueHeap<Entry>();
  readonly #wallStartMs: number;

  readonly #settleRounds: number;

  /**
   * `wallStartMs` is what the wall clock shows at virtual time 0. With fewer
   * `settleRounds` timers fire into what is not settled yet, as on a busy machine;
   * still in the same order every time.
   */
  constructor(
    wallStartMs: number = Date.UTC(2026, 0, 1),
    settleRounds: number = SETTLE_ROUNDS,
  ) {
    this.#wallStartMs = wallStartMs;
    this.#settleRounds = settleRounds;
  }

  /** Virtual milliseconds since the clock was made. */
  nowMs(): number {
    return this.#nowMs;
  }

  /** Wall clock, moving with the virtual time. */
  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  /** Calls `fire` once the clock was moved on by `delayMs`. */
  setTimer(delayMs: number, fire: () => void): Timer {
    assert(delayMs >= 0, "A timer cannot be due in the past");
    const entry: Entry = {
      dueMs: this.#nowMs + delayMs,
      sequence: this.#sequence++,
      fire,
      isCancelled: false,
    };
    this.#timers.push(entry);
    this.#pending++;
    return { cancel: () => this.#cancel(entry) };
  }

  /** Timers that have not fired. */
  get pendingTimers(): number {
    return this.#pending;
  }

  /** When the next timer is due; `undefined` when there is none. */
  get nextDueMs(): number | undefined {
    return this.#next()?.dueMs;
  }

  /** Moves on by `durationMs`, firing what falls due, and lets everything settle. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settle(this.#settleRounds);
    for (
      let next = this.#next();
      next !== undefined && next.dueMs <= untilMs;
      next = this.#next()
    ) {
      this.#timers.pop();
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#pending--;
      next.isCancelled = true;
      next.fire();
      await settle(this.#settleRounds);
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /**
   * Moves on at once and fires nothing: what fell due meanwhile fires late, at
   * the next `advance`. So a process looks that was stopped for a while.
   */
  jump(durationMs: number): void {
    assert(durationMs >= 0, "Time does not go back");
    this.#nowMs += durationMs;
  }

  /** The earliest timer that was not taken back. */
  #next(): Entry | undefined {
    for (;;) {
      const next = this.#timers.peek();
      if (next === undefined || !next.isCancelled) return next;
      this.#timers.pop();
    }
  }

  #cancel(entry: Entry): void {
    if (entry.isCancelled) return;
    entry.isCancelled = true;
    this.#pending--;
  }
}

/** Lets pending microtasks run: `rounds` links of every chain of promises. */
export async function settle(rounds: number = SETTLE_ROUNDS): Promise<void> {
  for (let round = 0; round < rounds; round++) await Promise.resolve();
}
