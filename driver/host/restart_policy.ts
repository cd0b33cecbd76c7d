/**
 * When a driver that ended is started again: data, and one pure function from
 * its recent failures to what comes next. At once the first time, then with
 * full-jitter back-off, then rarely; a healthy while forgets it all.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { type ExitClass, mayRetry } from "./exit_class.ts";

/** A policy, as data. */
export interface RestartPolicy {
  /** The delay before the nth further start is drawn from 0 to base × 2^n. */
  readonly backoffMsBase: number;
  readonly backoffMsMax: number;
  /** More failures than this within the window: quarantine. */
  readonly failuresMax: number;
  readonly windowMs: number;
  /** In quarantine one attempt each this long. */
  readonly quarantineMs: number;
  /** Ready and healthy for this long: what failed before is forgotten. */
  readonly healthyMs: number;
}

/** What `driverspace` uses unless told otherwise. */
export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  backoffMsBase: 100,
  backoffMsMax: 30_000,
  failuresMax: 10,
  windowMs: 10 * 60_000,
  quarantineMs: 5 * 60_000,
  healthyMs: 60_000,
};

/** What a driver went through since it was last healthy. */
export interface RestartHistory {
  /** Failures in a row, without a healthy while between them. */
  readonly failures: number;
  /** When they happened, oldest first, no more than the policy looks at. */
  readonly failedAtMs: readonly number[];
}

/** A driver that has not failed. */
export const NO_FAILURES: RestartHistory = { failures: 0, failedAtMs: [] };

/** What comes next. */
export type RestartDecision =
  /** Wait for the device; no budget is spent. */
  | { readonly next: "wait-for-device" }
  | { readonly next: "start"; readonly delayMs: number }
  | { readonly next: "quarantine"; readonly delayMs: number }
  /** No retry until somebody changes something. */
  | { readonly next: "give-up" };

/** One end of a driver. */
export interface DriverEnd {
  readonly exitClass: ExitClass;
  readonly nowMs: number;
  /** How long it had been ready and healthy; 0 if it never was. */
  readonly healthyMs: number;
}

/**
 * Decides what comes after an end. `random` gives a number from 0 up to 1.
 */
export function decideRestart(
  policy: RestartPolicy,
  history: RestartHistory,
  options: { readonly end: DriverEnd; readonly random: () => number },
): { readonly decision: RestartDecision; readonly history: RestartHistory } {
  const { end } = options;
  if (end.exitClass === "device-gone") {
    return { decision: { next: "wait-for-device" }, history };
  }
  if (!mayRetry(end.exitClass)) {
    return { decision: { next: "give-up" }, history };
  }
  const after = noteFailure(policy, history, end);
  return { decision: decide(policy, after, options.random), history: after };
}

function noteFailure(
  policy: RestartPolicy,
  history: RestartHistory,
  end: DriverEnd,
): RestartHistory {
  const isFresh = end.healthyMs >= policy.healthyMs;
  const recent = [...history.failedAtMs, end.nowMs]
    .filter((atMs) => end.nowMs - atMs < policy.windowMs)
    .slice(-(policy.failuresMax + 1));
  return { failures: isFresh ? 1 : history.failures + 1, failedAtMs: recent };
}

function decide(
  policy: RestartPolicy,
  history: RestartHistory,
  random: () => number,
): RestartDecision {
  assert(history.failures > 0, "A restart follows a failure");
  if (history.failedAtMs.length > policy.failuresMax) {
    return { next: "quarantine", delayMs: policy.quarantineMs };
  }
  if (history.failures === 1) return { next: "start", delayMs: 0 };
  // The exponent is bounded, so that the power stays a number of sense.
  const exponent = Math.min(history.failures - 1, 30);
  const delayMsMax = Math.min(
    policy.backoffMsMax,
    policy.backoffMsBase * 2 ** exponent,
  );
  return { next: "start", delayMs: Math.floor(random() * delayMsMax) };
}
