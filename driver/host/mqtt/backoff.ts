/**
 * How long to wait before another attempt: a random time below a bound that
 * doubles, so that a thousand bridges do not come back at once.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";

/** Bounds of the waits. */
export interface BackoffOptions {
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Counts failures in a row. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;
  #beganAtMs: number | undefined;

  /** No failure yet. */
  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** It works. Forgets the failures only if it still does after the longest wait. */
  began(): void {
    this.#beganAtMs = this.#options.clock.nowMs();
  }

  /** Waits. Ends at once when the signal fires. */
  async wait(signal: AbortSignal): Promise<void> {
    const { clock, random, firstMs, maxMs } = this.#options;
    const workedMs = clock.nowMs() - (this.#beganAtMs ?? Infinity);
    this.#failures = workedMs >= maxMs ? 1 : this.#failures + 1;
    this.#beganAtMs = undefined;
    // The exponent is bounded, so that the power stays a number of sense.
    const boundMs = Math.min(
      maxMs,
      firstMs * 2 ** Math.min(this.#failures, 30),
    );
    // Half of it for sure: an attempt that fails at once must not be repeated at once.
    const delayMs = boundMs / 2 * (1 + random());
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.setTimer(delayMs, resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    timer.cancel();
  }
}
