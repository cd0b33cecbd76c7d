/**
 * The last lines of each driver's log, in memory: what a dashboard shows and a
 * crash bundle holds. Lines bear numbers of the same row as events, but are
 * kept apart from them, so that a driver that talks much pushes out nothing but
 * its own older lines.
 *
 * @module
 */

import type { Json, LogLevel } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";
import { RingBuffer } from "../../loop/ring_buffer.ts";
import { isAtLeast } from "../log_level.ts";
import { Redactor } from "../log_redaction.ts";

/** A line that somebody writes. */
export interface LineToKeep {
  readonly level: LogLevel;
  /** Stable dotted name: `usbtmc.poll_failed`. */
  readonly event: string;
  readonly message: string;
  readonly fields: { readonly [key: string]: Json };
  /** The driver itself, or its supervisor about it. */
  readonly from: "driver" | "supervisor";
}

/** A line that was kept. */
export interface RecentLine extends LineToKeep {
  readonly driver: string;
  /** Of the one row that events and lines are numbered in. */
  readonly sequence: number;
  /** Wall clock of its arrival. */
  readonly atMs: number;
}

/** Which lines are wanted. */
export interface LineChoice {
  /** Least level; default all. */
  readonly level?: LogLevel;
  /** At most so many, the latest; default all that are kept. */
  readonly lines?: number;
}

/** What came after a number. */
export interface LinesSince {
  /** Among these numbers, both included, lines were lost. */
  readonly gap: { readonly from: number; readonly to: number } | undefined;
  readonly lines: readonly RecentLine[];
}

/** The end of a driver's log. */
export interface RecentLogTail {
  /** Oldest first. */
  readonly lines: readonly RecentLine[];
  /** Lines that were there and made way, whatever their level. */
  readonly dropped: number;
}

/** Lines kept of each driver: some pages on a screen, and what led to a crash. */
export const LINES_KEPT = 200;
/** Longest sentence kept, in UTF-16 units. */
const MESSAGE_LENGTH_MAX = 1_024;
/** Longest fields kept, as JSON; 200 lines of a driver then stay below a MiB. */
const FIELDS_LENGTH_MAX = 2_048;

/** The last lines of one driver. */
export class RecentLog {
  readonly #lines = new RingBuffer<RecentLine>(LINES_KEPT);
  #dropped = 0;
  #lostUpTo = 0;

  /** Lines that made way so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Number of the last line that made way; 0 before the first. */
  get lostUpTo(): number {
    return this.#lostUpTo;
  }

  /** Keeps a line; the oldest makes way. */
  add(line: RecentLine): void {
    const oldest = this.#lines.pushOver(line);
    if (oldest === undefined) return;
    this.#dropped++;
    this.#lostUpTo = oldest.sequence;
  }

  /** What is kept, and how much is not. */
  tail(choice: LineChoice = {}): RecentLogTail {
    return { lines: this.list(choice), dropped: this.#dropped };
  }

  /** Lines that are kept, oldest first. */
  list({ level = "debug", lines = LINES_KEPT }: LineChoice = {}): RecentLine[] {
    const chosen = this.#lines.toArray().filter((line) =>
      isAtLeast(line.level, level)
    );
    return chosen.slice(Math.max(0, chosen.length - lines));
  }
}

/** The last lines of every driver. */
export class RecentLogs {
  readonly #clock: Clock;
  readonly #number: () => number;
  readonly #logs = new Map<string, RecentLog>();
  readonly #listeners = new Set<(line: RecentLine) => void>();
  /** Knows the serial numbers that no line shall show. */
  readonly redactor = new Redactor();
  /** Of drivers that are no more. */
  #forgottenUpTo = 0;

  /** `number` gives the next number of the row. */
  constructor(clock: Clock, number: () => number) {
    this.#clock = clock;
    this.#number = number;
  }

  /** The log of one driver. */
  of(driver: string): RecentLog {
    let log = this.#logs.get(driver);
    if (log === undefined) this.#logs.set(driver, log = new RecentLog());
    return log;
  }

  /** Keeps a line and tells whoever listens. */
  note(driver: string, line: LineToKeep): void {
    const { level, event, from } = line;
    const message = this.redactor.text(line.message);
    const fields = this.#redacted(line.fields);
    const kept: RecentLine = {
      sequence: this.#number(),
      atMs: this.#clock.wallMs(),
      driver,
      level,
      event,
      from,
      message: message.slice(0, MESSAGE_LENGTH_MAX),
      fields,
    };
    this.of(driver).add(kept);
    for (const listener of [...this.#listeners]) listener(kept);
  }

  /** What cannot be JSON is not looked through either. */
  #redacted(fields: LineToKeep["fields"]): LineToKeep["fields"] {
    return isShort(fields) ? this.redactor.fields(fields) : { truncated: true };
  }

  /** The driver is no more. */
  forget(driver: string): void {
    const last = this.#logs.get(driver)?.list().at(-1)?.sequence ?? 0;
    this.#forgottenUpTo = Math.max(this.#forgottenUpTo, last);
    this.#logs.delete(driver);
  }

  /** What came after `sequence`, of one driver or of all, in order. */
  since(sequence: number, driver?: string): LinesSince {
    const logs = driver === undefined
      ? [...this.#logs.values()]
      : [this.#logs.get(driver)].filter((log) => log !== undefined);
    const lostUpTo = Math.max(
      this.#forgottenUpTo,
      ...logs.map((log) => log.lostUpTo),
    );
    return {
      gap: sequence < lostUpTo
        ? { from: sequence + 1, to: lostUpTo }
        : undefined,
      lines: logs.flatMap((log) => log.list())
        .filter((line) => line.sequence > sequence)
        .sort((one, other) => one.sequence - other.sequence),
    };
  }

  /** Calls `listener` for each line until the result is called. It must not throw. */
  subscribe(listener: (line: RecentLine) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** What cannot be JSON is not kept either. */
function isShort(fields: { readonly [key: string]: Json }): boolean {
  try {
    return JSON.stringify(fields).length <= FIELDS_LENGTH_MAX;
  } catch {
    return false;
  }
}
