/**
 * Keeps host and device in step: one message operation at a time, and after a
 * failure recovery, at once or, when there is no time, before the next one.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import { isFinal, type Link } from "./link.ts";
import { OutOfStep } from "./messages.ts";
import type { Recovery } from "./options.ts";
import {
  clearOrReset,
  recover,
  type RecoveryStep,
  type Unsettled,
} from "./recovery.ts";

/** What the keeper tells. */
export interface InStepHandlers {
  /** The port was reset: class state must be replayed. */
  readonly onReset: () => Promise<void>;
  readonly onRecovery: (recovery: Recovery) => void;
}

/** Runs message operations one at a time and recovers after those that fail. */
export class InStep {
  readonly #link: Link;
  readonly #handlers: InStepHandlers;
  #activity: "idle" | "message" = "idle";
  /** What an earlier operation left behind; nothing while in step. */
  #unsettled: Unsettled | undefined;

  constructor(link: Link, handlers: InStepHandlers) {
    this.#link = link;
    this.#handlers = handlers;
  }

  /**
   * Runs one operation, in step before it and, if that is possible, after it.
   *
   * @throws {UsbError} `busy` while another one runs; what the operation met.
   */
  async exclusive<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#activity !== "idle") {
      throw this.#link.device.error(
        "busy",
        "send a message",
        "another one is under way",
        "Wait for it: one message at a time",
      );
    }
    this.#activity = "message";
    try {
      await this.#settle();
      return await operation();
    } catch (error) {
      if (!(error instanceof OutOfStep)) throw error;
      await this.#afterFailure(error);
      throw error.error;
    } finally {
      this.#activity = "idle";
    }
  }

  /** Clears the device, whatever was left before. @throws {UsbError} When nothing helped. */
  clear(): Promise<void> {
    return this.exclusive(() => this.clearInside());
  }

  /** The same, inside an operation. */
  async clearInside(): Promise<void> {
    this.#unsettled = { kind: "all" };
    await this.#done(await clearOrReset(this.#link));
    this.#unsettled = undefined;
  }

  /** Makes up for what an earlier operation left behind. */
  async #settle(): Promise<void> {
    const unsettled = this.#unsettled;
    if (unsettled === undefined) return;
    this.#unsettled = { kind: "all" };
    await this.#done(await recover(this.#link, unsettled));
    this.#unsettled = undefined;
  }

  /** Cancelled means that there is no time now: the next operation recovers first. */
  async #afterFailure({ error, unsettled }: OutOfStep): Promise<void> {
    this.#unsettled = unsettled;
    if (error.code === "cancelled" || isFinal(error)) return;
    try {
      const step = await recover(this.#link, unsettled);
      await this.#done(step);
      this.#unsettled = undefined;
      this.#handlers.onRecovery({ cause: error, step });
    } catch (failure) {
      if (!(failure instanceof UsbError)) throw failure;
      this.#unsettled = { kind: "all" };
      this.#handlers.onRecovery({ cause: error, step: "failed" });
    }
  }

  async #done(step: RecoveryStep): Promise<void> {
    if (step === "reset") await this.#handlers.onReset();
  }
}
