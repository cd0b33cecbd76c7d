/**
 * The states of one driver's life and the ways between them.
 *
 * @module
 */

import { assert } from "../assert.ts";

/**
 * - `idle`: made, not started.
 * - `opening`, `claiming`: getting the device and the driver's interfaces.
 * - `starting`: inputs are armed, the driver's `start` runs.
 * - `ready`: polling its inputs, serving commands.
 * - `resetting`: the port of the device is reset; `starting` follows.
 * - `stopping`: safe state, drain, release. Every end goes through it.
 * - `stopped`, `failed`, `gone`: over.
 */
export type SessionState =
  | "idle"
  | "opening"
  | "claiming"
  | "starting"
  | "ready"
  | "resetting"
  | "stopping"
  | "stopped"
  | "failed"
  | "gone";

const NEXT: Readonly<Record<SessionState, readonly SessionState[]>> = {
  idle: ["opening", "stopping"],
  opening: ["claiming", "stopping"],
  claiming: ["starting", "stopping"],
  starting: ["ready", "resetting", "stopping"],
  ready: ["resetting", "stopping"],
  resetting: ["starting", "stopping"],
  stopping: ["stopped", "failed", "gone"],
  stopped: [],
  failed: [],
  gone: [],
};

/** A state that changes only along the table. */
export class SessionStates {
  readonly #changed: (from: SessionState, to: SessionState) => void;
  #current: SessionState = "idle";

  /** `changed` is called after every transition. */
  constructor(changed: (from: SessionState, to: SessionState) => void) {
    this.#changed = changed;
  }

  /** The state now. */
  get current(): SessionState {
    return this.#current;
  }

  /** Whether the end has begun. */
  get isEnding(): boolean {
    return this.#current === "stopping" || this.isOver;
  }

  /** Whether it is over. */
  get isOver(): boolean {
    return NEXT[this.#current].length === 0;
  }

  /** @throws {AssertionError} When the table has no such way. */
  become(next: SessionState): void {
    const from = this.#current;
    assert(
      NEXT[from].includes(next),
      `A session cannot go from ${from} to ${next}`,
    );
    this.#current = next;
    this.#changed(from, next);
  }
}
