/**
 * The timers a driver sets by name. One that is set again moves; one that is
 * cleared never fires, even when it was due already.
 *
 * @module
 */

import { MAX_TIMEOUT_MS } from "../limits.ts";
import type { Alarms } from "./alarms.ts";
import type { Timer } from "./clock.ts";
import { type Mailbox, TIMERS_MAX } from "./mailbox.ts";

/** Named timers over a loop's alarms. */
export class NamedTimers {
  readonly #alarms: Alarms;
  readonly #mailbox: Mailbox;
  readonly #set = new Map<string, Timer | undefined>();

  /** Due timers become messages of the mailbox. */
  constructor(alarms: Alarms, mailbox: Mailbox) {
    this.#alarms = alarms;
    this.#mailbox = mailbox;
  }

  /**
   * Sets or moves a timer.
   *
   * @throws {RangeError} For a delay that is none, or more than TIMERS_MAX names.
   */
  set(name: string, delayMs: number, epoch: number): void {
    if (!(delayMs >= 0 && delayMs <= MAX_TIMEOUT_MS)) {
      throw new RangeError(
        `Cannot set timer ${name} to ${delayMs} ms: expected 0 to ${MAX_TIMEOUT_MS}`,
      );
    }
    this.clear(name);
    if (this.#set.size >= TIMERS_MAX) {
      throw new RangeError(
        `Cannot set timer ${name}: ${TIMERS_MAX} timers are set already`,
      );
    }
    const alarm = this.#alarms.set(delayMs, () => {
      // Its name stays taken until its message is handled, so the lane cannot be full.
      this.#set.set(name, undefined);
      this.#mailbox.postTimer(name, epoch);
    });
    this.#set.set(name, alarm);
  }

  /** Takes a timer back; a no-op when it is not set. */
  clear(name: string): void {
    this.#set.get(name)?.cancel();
    if (this.#set.delete(name)) this.#mailbox.withdrawTimer(name);
  }

  /** Its message was taken from the mailbox. */
  fired(name: string): void {
    this.#set.delete(name);
  }

  /** Takes every timer back. */
  clearAll(): void {
    for (const name of [...this.#set.keys()]) this.clear(name);
  }
}
