/**
 * Gets a driver's journal to its host before the driver may die of what it
 * tells: what comes to the driver is with the host, or in the pipe to it, before
 * the driver sees it.
 *
 * Each frame wakes the host, which costs more than everything else here. So of
 * an outline (names, sizes, times) a frame is sent at most each
 * OUTLINE_WAIT_MS for what comes all the time, and at once for what did not come
 * lately: a command, a report of another size. What may be missing at a death is
 * the routine of the last OUTLINE_WAIT_MS. What tells a full journal stands
 * apart, `full_journal_teller.ts`: few processes keep one, and each would have
 * to read it.
 *
 * @module
 */

import type { AnyDriver } from "../driver.ts";
import type { Clock } from "../loop/clock.ts";
import type {
  Journal,
  JournalEvent,
  JournalKind,
  JournalOptions,
} from "../loop/journal.ts";
import { encodeEvent } from "../loop/recording.ts";
import type { JournalFrame } from "./wire.ts";

/** What a journal holds: names, sizes and times, or everything. */
export type JournalContent = "outline" | "full";

/** Below a hundred things a second each is told before it is handled; above, the cost stays the same. */
const OUTLINE_WAIT_MS = 10;
/** Events told at a time, the last ones: at a thousand reports a second all of them. */
const OUTLINE_EVENTS_MAX = 32;
/** Kinds of arrivals that count as routine: a driver has about as many inputs and timers. */
const ROUTINES = 8;
/** Unusual arrivals told at once, a start's for instance; then one more each OUTLINE_WAIT_MS. */
const UNUSUAL_MAX = 32;
/** What comes to a driver, or changes it: told before the driver goes on. */
const ARRIVALS: ReadonlySet<JournalKind> = new Set<JournalKind>([
  "state",
  "received",
  "report",
  "timer",
  "command",
  "done",
  "over",
]);

/** Sends frames with events; `false` when there was no room. */
export type SendJournal = (frame: JournalFrame) => boolean;

/** What a session gets so that its journal is told. */
export interface JournalTeller {
  /** What the session runs. */
  readonly driver: AnyDriver;
  /** For the session. */
  readonly options: JournalOptions;
  /** The session's journal, once there is one. */
  journal: Journal | undefined;
  /** Tells what was not told yet. */
  flush(): void;
}

/** Makes what tells a driver's journal. */
export type MakeTeller = (
  driver: AnyDriver,
  parts: { readonly clock: Clock; readonly send: SendJournal },
) => JournalTeller;

/** Tells names, sizes and times. */
export const outlineTeller: MakeTeller = (driver, { send }) =>
  new OutlineTeller(driver, send);

/** Names, sizes and times. */
class OutlineTeller implements JournalTeller {
  readonly driver: AnyDriver;
  readonly options: JournalOptions;
  journal: Journal | undefined;
  readonly #send: SendJournal;
  readonly #routines: JournalEvent[] = [];
  #oldestRoutine = 0;
  #told = 0;
  #dueMs = -Infinity;
  /** When the unusual will have been paid for. */
  #paidMs = -Infinity;

  constructor(driver: AnyDriver, send: SendJournal) {
    this.driver = driver;
    this.#send = send;
    this.options = { recorded: (event) => this.#recorded(event) };
  }

  flush(): void {
    const { journal } = this;
    if (journal === undefined) return;
    const untold = journal.recorded - this.#told;
    if (untold === 0) return;
    const events = journal.last(Math.min(untold, OUTLINE_EVENTS_MAX));
    this.#told = journal.recorded;
    this.#send({ type: "journal", lines: events.map(encodeEvent).join("\n") });
  }

  #recorded(event: JournalEvent): void {
    if (!ARRIVALS.has(event.kind)) return;
    const isRoutine = this.#isRoutine(event);
    const { timeMs } = event;
    if (timeMs < this.#dueMs) {
      const creditMs = UNUSUAL_MAX * OUTLINE_WAIT_MS;
      if (isRoutine || this.#paidMs > timeMs + creditMs) return;
      this.#paidMs = Math.max(this.#paidMs, timeMs) + OUTLINE_WAIT_MS;
    } else this.#dueMs = timeMs + OUTLINE_WAIT_MS;
    this.flush();
  }

  /** Whether the like of it came lately. */
  #isRoutine(event: JournalEvent): boolean {
    const { kind, name, sizeBytes } = event;
    for (const routine of this.#routines) {
      const isLike = routine.sizeBytes === sizeBytes &&
        routine.kind === kind && routine.name === name;
      if (isLike) return true;
    }
    this.#routines[this.#oldestRoutine] = event;
    this.#oldestRoutine = (this.#oldestRoutine + 1) % ROUTINES;
    return false;
  }
}
