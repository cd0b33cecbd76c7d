/**
 * The state a driver is in, since when and why, and the last ones before.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { Clock } from "../../loop/clock.ts";
import {
  type DriverState,
  NEXT_STATES,
  type Transition,
} from "./driver_states.ts";

/** Transitions kept for whoever asks what happened. */
export const TRANSITIONS_KEPT = 32;

/** Holds a state and changes it by the table only. */
export class StateRecord {
  readonly #clock: Clock;
  readonly #transitions: Transition[] = [];
  #state: DriverState = "stopped";
  #sinceMs: number;
  #cause: string | undefined;

  /** Begins as `stopped`. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.wallMs();
  }

  /** The state. */
  get state(): DriverState {
    return this.#state;
  }

  /** Wall clock of the last transition. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Why it is in this state. */
  get cause(): string | undefined {
    return this.#cause;
  }

  /** The last transitions, oldest first. */
  get transitions(): readonly Transition[] {
    return [...this.#transitions];
  }

  /** Changes the state; one that may not follow is a bug. */
  become(to: DriverState, cause: string | undefined): Transition {
    const from = this.#state;
    assert(
      NEXT_STATES[from].includes(to),
      `A supervised driver cannot go from ${from} to ${to}`,
    );
    const atMs = this.#clock.wallMs();
    this.#state = to;
    this.#sinceMs = atMs;
    this.#cause = cause;
    const transition: Transition = { from, to, cause, atMs };
    this.#transitions.push(transition);
    if (this.#transitions.length > TRANSITIONS_KEPT) this.#transitions.shift();
    return transition;
  }

  /** The same state for another cause; whether it is another. */
  explain(cause: string): boolean {
    const isNew = this.#cause !== cause;
    this.#cause = cause;
    return isNew;
  }
}
