/**
 * The machine's clock for a process that must be ready soon. The runtime loads
 * its timers when they are first asked for, which takes half as long as its own
 * start. So until the process is ready its few timers are timeouts of abort
 * signals, and its turns of the event loop are messages to itself; both are
 * there at once, and both are the dearer way later.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";
import { systemClock } from "./system_clock.ts";

/** A clock whose first timers cost nothing to begin with. */
export class StartClock implements Clock {
  readonly #system = systemClock();
  #hasStarted = false;

  /** Monotonic, in milliseconds. */
  nowMs(): number {
    return this.#system.nowMs();
  }

  /** Milliseconds since 1970. */
  wallMs(): number {
    return this.#system.wallMs();
  }

  /** Calls `fire` once, not before `delayMs` has passed. */
  setTimer(delayMs: number, fire: () => void): Timer {
    if (this.#hasStarted) return this.#system.setTimer(delayMs, fire);
    const signal = AbortSignal.timeout(
      Math.min(Math.max(Math.ceil(delayMs), 0), LONGEST_DELAY_MS),
    );
    signal.addEventListener("abort", fire, { once: true });
    return { cancel: () => signal.removeEventListener("abort", fire) };
  }

  /** Calls `fire` when the event loop had a turn. */
  readonly turn = (fire: () => void): void => {
    if (this.#hasStarted) {
      setImmediate(fire);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (): void => {
      // An open channel would keep the process alive.
      port1.close();
      port2.close();
      fire();
    };
    port2.postMessage(null);
  };

  /** The process is ready: from the next turn on, timers are the runtime's. */
  started(): void {
    this.turn(() => {
      this.#hasStarted = true;
      // Now, when nobody waits for us, rather than in the first command.
      clearTimeout(setTimeout(() => {}, 0));
    });
  }
}

/** Longer than any start may take; what a timer can hold. */
const LONGEST_DELAY_MS = 0x7fff_ffff;
