/**
 * Waiting for something, but not longer than a while.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

/** What to wait for. */
export interface Wait<T> {
  readonly timeoutMs: number;
  readonly promise: Promise<T>;
}

/** What the promise gives, or `undefined` when the time passed first. Rejects as it does. */
export async function within<T>(
  clock: Clock,
  { timeoutMs, promise }: Wait<T>,
): Promise<T | undefined> {
  const { promise: passed, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.setTimer(timeoutMs, () => resolve(undefined));
  try {
    return await Promise.race([promise, passed]);
  } finally {
    timer.cancel();
    // Whoever waited has left; a late rejection has no one to go to.
    promise.catch(() => {});
  }
}
