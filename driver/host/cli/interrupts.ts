/**
 * What an interrupt means: the first asks for an end in order, one that a person
 * sends after it insists.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";

/**
 * Nobody presses Ctrl-C twice in this time and means it, but timeout(1) and some
 * shells send one interrupt to us and once more to our process group.
 */
const ECHO_MS = 250;

/** What to do about an interrupt. */
export type InterruptMeaning = "stop" | "echo" | "kill";

/** The interrupts of one run. */
export class Interrupts {
  readonly #clock: Pick<Clock, "nowMs">;
  #firstMs: number | undefined;

  /** There was none yet. */
  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
  }

  /** Another one came. */
  next(): InterruptMeaning {
    const nowMs = this.#clock.nowMs();
    const firstMs = this.#firstMs;
    if (firstMs === undefined) {
      this.#firstMs = nowMs;
      return "stop";
    }
    return nowMs - firstMs < ECHO_MS ? "echo" : "kill";
  }
}
