/**
 * What to do when an input ends by itself: try again, carefully and not for
 * ever. The schedule is that of Linux's HID driver, for every class: after 13,
 * 26, 52, 104, 104 … ms, for a second; then a reset of the port, if the driver
 * declares that it may; then it is a fault. A report that arrives ends the
 * trouble: what comes after it is new.
 *
 * @module
 */

import type { TransferStatus } from "../port.ts";

/** The first delay before trying again; each next one is twice as long. */
const FIRST_DELAY_MS = 13;
/** Delays stop growing here. */
const DELAY_MS_MAX = 104;
/** Failures are borne this long. */
const PATIENCE_MS = 1_000;
/** A failure this long after the patience ended is a new one. */
const FORGET_MS = 500;
/** Resets in a row that did not help; the next failure is final. */
const RESETS_MAX = 1;

/** What to do next. */
export type RecoveryStep =
  | {
    readonly kind: "restart";
    readonly delayMs: number;
    readonly clearHalt: boolean;
  }
  | { readonly kind: "reset" }
  | { readonly kind: "giveUp" }
  | { readonly kind: "gone" };

/** Decides, from what happened and when. Pure but for what it remembers. */
export class InputRecovery {
  readonly #mayReset: boolean;
  #delayMs = 0;
  #patienceEndMs = -Infinity;
  #resets = 0;

  /** `mayReset`: the driver declares that its device may be reset. */
  constructor(mayReset: boolean) {
    this.#mayReset = mayReset;
  }

  /** The next step, after an input ended with `status` at `nowMs`. `hasDelivered`: a report came since the last failure. */
  next(
    status: TransferStatus,
    nowMs: number,
    hasDelivered = false,
  ): RecoveryStep {
    if (status === "noDevice") return { kind: "gone" };
    const isNew = hasDelivered || nowMs > this.#patienceEndMs + FORGET_MS;
    if (isNew) return this.#first(status, nowMs);
    if (nowMs > this.#patienceEndMs) return this.#lastResort(status);
    this.#delayMs = this.#delayMs === 0
      ? FIRST_DELAY_MS
      : Math.min(2 * this.#delayMs, DELAY_MS_MAX);
    return this.#restart(status);
  }

  /** Clearing the halt failed: only a reset can help. */
  haltStays(): RecoveryStep {
    return this.#lastResort("stall");
  }

  #first(status: TransferStatus, nowMs: number): RecoveryStep {
    this.#patienceEndMs = nowMs + PATIENCE_MS;
    this.#resets = 0;
    // A halt is cured by clearing it, a cancellation by asking again; a bus error needs time.
    const isQuick = status === "stall" || status === "cancelled";
    this.#delayMs = isQuick ? 0 : FIRST_DELAY_MS;
    return this.#restart(status);
  }

  #restart(status: TransferStatus): RecoveryStep {
    const clearHalt = status === "stall";
    return { kind: "restart", delayMs: this.#delayMs, clearHalt };
  }

  #lastResort(status: TransferStatus): RecoveryStep {
    // A reset gives no memory and no bandwidth back.
    const canHelp = this.#mayReset && status !== "noMemory" &&
      this.#resets < RESETS_MAX;
    if (!canHelp) return { kind: "giveUp" };
    this.#resets++;
    this.#delayMs = 0;
    // Failures after the reset are of the same trouble until they stay away.
    this.#patienceEndMs += PATIENCE_MS;
    return { kind: "reset" };
  }
}
