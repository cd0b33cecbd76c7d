/**
 * The time between two looks of a command that goes on until somebody wants an
 * end.
 *
 * @module
 */

import type { CliIo } from "./command.ts";

/** Waits between two looks, and no longer once somebody wants an end. */
export class Pause {
  readonly #io: Pick<CliIo, "clock" | "onInterrupt">;
  readonly #ignore: () => void;
  #isOver = false;
  #wake = (): void => {};

  /** Listens from now on. */
  constructor(io: Pick<CliIo, "clock" | "onInterrupt">) {
    this.#io = io;
    this.#ignore = io.onInterrupt(() => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** Whether to go on. */
  async pass(durationMs: number): Promise<boolean> {
    if (this.#isOver) return false;
    await new Promise<void>((resolve) => {
      const timer = this.#io.clock.setTimer(durationMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    return !this.#isOver;
  }

  /** Listens no more. */
  end(): void {
    this.#ignore();
  }
}
