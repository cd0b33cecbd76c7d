/**
 * Gives a driver what came to it in one go with something else: between two
 * things that it did in one go, too, as many rounds of microtasks later as then.
 *
 * @module
 */

import type { JournalEvent } from "../loop/journal.ts";
import { EFFECT_KINDS } from "../loop/recorder.ts";
import { soon } from "../loop/soon.ts";
import type { Tape } from "./tape.ts";

/** What it takes to give what came in one go. */
export interface InOneGoParts {
  readonly tape: Tape;
  /** Gives it to the driver. */
  readonly give: (event: JournalEvent) => void;
  /** The session is in that state from now on. */
  readonly changeState: (state: string) => void;
}

/** What comes in one go. */
export class InOneGo {
  readonly #parts: InOneGoParts;
  #onItsWay: JournalEvent | undefined;

  /** Of one replay. */
  constructor(parts: InOneGoParts) {
    this.#parts = parts;
  }

  /** Whether it comes in some rounds. */
  isOnItsWay(event: JournalEvent): boolean {
    return this.#onItsWay === event;
  }

  /** The driver did something. */
  did(event: JournalEvent): void {
    soon(() => this.#changeState());
    this.came(event);
  }

  /**
   * Something is there: gives what came right behind it, or sees to it that it
   * comes. A round less, for where in its round it came is not known: what comes
   * early waits for the driver, what comes late finds it gone on.
   */
  came(after: JournalEvent): void {
    const { tape, give } = this.#parts;
    for (let last = after;;) {
      if (tape.isOver) return;
      const { together } = tape;
      if (together === undefined) return;
      const { event, rounds } = together;
      // Not within what the driver does.
      const least = EFFECT_KINDS.has(last.kind) ? 1 : 0;
      const wait = Math.max(least, rounds - 1 + lagOf(last) - lagOf(event));
      if (wait > 0) return void this.#giveAfter(wait, event);
      this.#changeState();
      if (!tape.take(event)) return;
      give(event);
      last = event;
    }
  }

  async #giveAfter(rounds: number, event: JournalEvent): Promise<void> {
    const { tape, give } = this.#parts;
    this.#onItsWay = event;
    for (let n = rounds; n > 0; n--) await Promise.resolve();
    if (this.#onItsWay === event) this.#onItsWay = undefined;
    this.#changeState();
    if (tape.isOver || !tape.take(event)) return;
    give(event);
    this.came(event);
  }

  /** To what it became behind what is there now. */
  #changeState(): void {
    const { tape, changeState } = this.#parts;
    for (
      let state = tape.stateNow();
      state !== undefined;
      state = tape.stateNow()
    ) changeState(state);
  }
}

/** Rounds from the end of a call, as it is given, to where it is recorded: links of our own promises. */
function lagOf({ kind }: JournalEvent): number {
  return kind === "done" ? 2 : 0;
}
