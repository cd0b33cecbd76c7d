/**
 * Commands that wait until their driver is back: only those a driver declares
 * as harmless to do twice, only so many, and none longer than its deadline.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import type { Clock, Timer } from "../../loop/clock.ts";

/** A command with its parameters. */
export interface QueuedCommand {
  readonly command: string;
  readonly params: { readonly [key: string]: Json };
  readonly timeoutMs: number;
}

/** Carries one out. */
export type Carry = (command: QueuedCommand) => Promise<Json>;

/** Commands waiting for one driver; the next is refused with `busy`. */
export const QUEUED_COMMANDS_MAX = 32;

interface Entry extends QueuedCommand {
  readonly dueMs: number;
  readonly timer: Timer;
  readonly resolve: (value: Json | PromiseLike<Json>) => void;
  readonly reject: (error: Error) => void;
}

/** A bounded queue. */
export class CommandQueue {
  readonly #clock: Clock;
  readonly #entries = new Set<Entry>();

  /** Empty. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Commands waiting. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Waits.
   *
   * @throws {UsbError} `busy` when too many wait, `timedOut` at its deadline.
   */
  wait(queued: QueuedCommand): Promise<Json> {
    if (this.#entries.size >= QUEUED_COMMANDS_MAX) {
      return Promise.reject(
        refusal(queued, "busy", "too many wait for the driver"),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    const entry: Entry = {
      ...queued,
      dueMs: this.#clock.nowMs() + queued.timeoutMs,
      timer: this.#clock.setTimer(queued.timeoutMs, () => {
        this.#entries.delete(entry);
        reject(refusal(queued, "timedOut", "the driver did not come back"));
      }),
      resolve,
      reject,
    };
    this.#entries.add(entry);
    return promise;
  }

  /** Hands all over, in order, each with the time it has left. */
  drain(carry: Carry): void {
    for (const entry of this.#take()) {
      const timeoutMs = Math.max(1, entry.dueMs - this.#clock.nowMs());
      const { command, params } = entry;
      entry.resolve(carry({ command, params, timeoutMs }));
    }
  }

  /** Refuses all. */
  refuse(reason: string): void {
    for (const entry of this.#take()) {
      entry.reject(refusal(entry, "state", reason));
    }
  }

  #take(): Entry[] {
    const entries = [...this.#entries];
    this.#entries.clear();
    for (const { timer } of entries) timer.cancel();
    return entries;
  }
}

function refusal(
  { command }: QueuedCommand,
  code: "busy" | "state" | "timedOut",
  reason: string,
): UsbError {
  return new UsbError({ code, operation: `run ${command}`, reason });
}
