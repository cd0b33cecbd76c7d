/**
 * Collects, while a driver process lives, what there will be to say of it when
 * it is dead: from its frames alone, so that nothing has to be asked of it.
 *
 * @module
 */

import type {
  DriverFrame,
  HeartbeatFrame,
  HelloFrame,
  SandboxSummary,
} from "../wire.ts";
import { JournalTail } from "./journal_tail.ts";

/** What a process said of itself. */
export interface Flight {
  readonly pid: number | undefined;
  /** Component to version. */
  readonly versions: Readonly<Record<string, string>>;
  /** What there is to know of its journal. */
  readonly journal: HelloFrame["journal"];
  readonly sandbox: SandboxSummary | undefined;
  readonly lastBeat: HeartbeatFrame | undefined;
  /** Of its session. */
  readonly state: string | undefined;
  /** Events of its journal, one a line, as they came. */
  readonly lines: () => readonly string[];
}

/** Collects. One for each driver; a process after the other. */
export class FlightRecorder {
  #hello: HelloFrame | undefined;
  #sandbox: SandboxSummary | undefined;
  #lastBeat: HeartbeatFrame | undefined;
  #state: string | undefined;
  #journal: JournalTail | undefined;

  /** Takes a frame in. */
  take(frame: DriverFrame): void {
    switch (frame.type) {
      case "hello":
        if (this.#hello?.journal === undefined) this.#beginJournal(frame);
        this.#hello = frame;
        break;
      case "ready":
        this.#sandbox = frame.sandbox;
        break;
      case "state":
        this.#state = frame.state;
        break;
      case "heartbeat":
        this.#lastBeat = frame;
        break;
      case "journal":
        this.#journal?.take(frame.lines);
        break;
    }
  }

  /** The process ended: gives what was collected, and begins anew. */
  landed(): Flight {
    const journal = this.#journal;
    const flight: Flight = {
      pid: this.#hello?.pid,
      versions: this.#hello?.versions ?? {},
      journal: this.#hello?.journal,
      sandbox: this.#sandbox,
      lastBeat: this.#lastBeat,
      state: this.#state,
      lines: () => journal?.lines() ?? [],
    };
    this.#hello = undefined;
    this.#sandbox = undefined;
    this.#lastBeat = undefined;
    this.#state = undefined;
    this.#journal = undefined;
    return flight;
  }

  #beginJournal({ journal }: HelloFrame): void {
    this.#journal = new JournalTail(journal?.content ?? "outline");
  }
}
