/**
 * The structured log: one JSON object a line. Lines wait in a bounded queue, a
 * slow or failing disk never stops the driver, and every loss is counted and
 * told in a `log.dropped` line.
 *
 * @module
 */

import type { Json, LogLevel } from "../driver.ts";
import { LOG_QUEUE_LINES } from "../limits.ts";
import type { Clock, Timer } from "../loop/clock.ts";
import { isAtLeast, LOG_LEVELS } from "./log_level.ts";
import { encodeLine } from "./log_line.ts";
import { Redactor } from "./log_redaction.ts";
import { RepeatFilter } from "./log_repeats.ts";
import { rfc3339 } from "./rfc3339.ts";

/**
 * Where lines go: one call, one whole line, newline included.
 *
 * @throws {Error} When it was not written: then not a byte of it was, or the
 *   line is torn and the next write begins with a newline.
 */
export interface LogSink {
  write(line: Uint8Array): void;
  /** Makes what was written survive a power cut, where the sink can; at once, or beside the loop. */
  sync?(): void | Promise<void>;
}

/** Fields of a line besides those every line has. Names in snake_case, units in the name. */
export type LogFields = Readonly<Record<string, Json>>;

/** A line as whoever else watches sees it. */
export interface LoggedLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** What a log is made of. */
export interface LogOptions {
  readonly sink: LogSink;
  readonly clock: Clock;
  /** Fields of every line: `driver`, `instance`, `pid`, `boot`, `dev`. */
  readonly base: LogFields;
  /** Lines below it are not written and not counted. Default `info`. */
  readonly level?: LogLevel;
  /** Default LOG_QUEUE_LINES. */
  readonly capacity?: number;
  /** What hides serial numbers, payloads and home directories. Default: one of its own. */
  readonly redactor?: Redactor;
  /** Called for each line that is written or queued, repeats left out. It must not throw. */
  readonly onLine?: (line: LoggedLine) => void;
  /** The sink ends in a torn line: the first line begins with a newline. */
  readonly startsTorn?: boolean;
}

/** Lines so far, by what became of them. */
export interface LogCounters {
  /** Taken by level, repeats left out: written, waiting or lost. */
  readonly lines: Readonly<Record<LogLevel, number>>;
  readonly written: number;
  /** Lost by level: queue full, or the sink failed for too long. */
  readonly dropped: Readonly<Record<LogLevel, number>>;
  /** Left out as repeats of a line that was written. */
  readonly suppressed: number;
  /** Writes that failed. */
  readonly sinkFailures: number;
  /** Lines waiting. */
  readonly queued: number;
}

/** Time between tries of a failing sink: doubles up to the last. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 10_000;

interface Waiting {
  readonly level: LogLevel;
  readonly wallMs: number;
  readonly event: string;
  readonly message: string;
  readonly fields: LogFields;
  readonly sync: boolean;
}

/** A log of one process. */
export class Log {
  readonly #options: LogOptions;
  readonly #capacity: number;
  readonly #queue: Waiting[] = [];
  readonly #lines: Record<LogLevel, number> = noLines();
  readonly #dropped: Record<LogLevel, number> = noLines();
  /** Dropped and not yet told. */
  #untold: Record<LogLevel, number> = noLines();
  readonly #repeats: RepeatFilter;
  readonly #redactor: Redactor;
  #base: LogFields;
  #sequence = 0;
  #written = 0;
  #sinkFailures = 0;
  #failing: { readonly sinceMs: number; delayMs: number } | undefined;
  #retry: Timer | undefined;
  /** Of a line that the sink took a part of: it is completed before anything else is written. */
  #rest: Uint8Array | undefined;
  #beginsNew: boolean;
  #isClosed = false;

  /** Writes nothing yet. */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#base = options.base;
    this.#capacity = options.capacity ?? LOG_QUEUE_LINES;
    this.#repeats = new RepeatFilter();
    this.#redactor = options.redactor ?? new Redactor();
    this.#beginsNew = options.startsTorn ?? false;
  }

  /** What became of every line so far. */
  get counters(): LogCounters {
    return {
      lines: { ...this.#lines },
      written: this.#written,
      dropped: { ...this.#dropped },
      suppressed: this.#repeats.suppressed,
      sinkFailures: this.#sinkFailures,
      queued: this.#queue.length,
    };
  }

  /** Lines that are not where they belong: waiting for the sink, or lost. */
  get unwritten(): number {
    return LOG_LEVELS.reduce(
      (sum, level) => sum + this.#dropped[level],
      this.#queue.length + (this.#rest === undefined ? 0 : 1),
    );
  }

  /** Whether a line is in the sink in part: until it is whole, nothing but its rest belongs there. */
  get isTorn(): boolean {
    return this.#rest !== undefined;
  }

  /** Adds to the fields of every later line, `dev` for instance. */
  addBase(fields: LogFields): void {
    this.#base = { ...this.#base, ...fields };
  }

  /** Keeps a serial number out of every later line, unless the level is `debug`. */
  hide(serial: string | undefined): void {
    this.#redactor.hide(serial);
  }

  /**
   * Writes a line, or queues it while the sink fails. Never throws and never
   * waits. A repeat of the same event and cause within ten minutes is written
   * the 1st, 10th, 100th … time, with its count.
   */
  write(
    level: LogLevel,
    event: string,
    message: string,
    fields: LogFields = {},
  ): void {
    this.#note({ level, event, message, fields, sync: false });
  }

  /** Writes a line that is never a repeat and must survive a power cut: a change of state, an end. */
  record(
    level: LogLevel,
    event: string,
    message: string,
    fields: LogFields = {},
  ): void {
    this.#note({ level, event, message, fields, sync: true });
  }

  /** Tries once more to write what waits, then gives up on it. For the end of a process. */
  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#drain();
    for (const line of this.#queue.splice(0)) this.#drop(line.level);
  }

  #note(line: Omit<Waiting, "wallMs">): void {
    const { clock, level: least = "info" } = this.#options;
    if (!isAtLeast(line.level, least)) return;
    const { fields } = line;
    const times = line.sync ? 1 : this.#repeats.note(
      `${line.event} ${causeOf(fields) ?? line.message}`,
      clock.nowMs(),
    );
    if (times === undefined) return;
    const whole = times === 1
      ? line
      : { ...line, fields: { ...fields, repeated: times } };
    const shown = this.#redacted(whole);
    this.#lines[line.level]++;
    this.#options.onLine?.(shown);
    // Who asks for debug lines asks for everything; it stays in the file.
    const written = least === "debug" ? whole : shown;
    this.#enqueue({ ...written, wallMs: clock.wallMs() });
    if (this.#retry === undefined) this.#drain();
  }

  #redacted(line: Omit<Waiting, "wallMs">): Omit<Waiting, "wallMs"> {
    if (line.level === "debug") return line;
    const message = this.#redactor.text(line.message);
    return { ...line, message, fields: this.#redactor.fields(line.fields) };
  }

  #enqueue(line: Waiting): void {
    if (this.#queue.length >= this.#capacity && !this.#makeRoom(line.level)) {
      this.#drop(line.level);
      return;
    }
    this.#queue.push(line);
  }

  /** Drops the oldest waiting line of the lowest level not above `level`. */
  #makeRoom(level: LogLevel): boolean {
    for (const lower of LOG_LEVELS) {
      if (!isAtLeast(level, lower)) return false;
      const at = this.#queue.findIndex((line) => line.level === lower);
      if (at < 0) continue;
      this.#queue.splice(at, 1);
      this.#drop(lower);
      return true;
    }
    return false;
  }

  #drop(level: LogLevel): void {
    this.#dropped[level]++;
    this.#untold[level]++;
  }

  #drain(): void {
    while (this.#complete() && this.#queue.length > 0) {
      const line = this.#queue[0];
      if (line === undefined || !this.#put(line)) return;
      this.#queue.shift();
      if (this.#rest !== undefined) return;
      this.#tellDropped();
    }
  }

  /** One `log.dropped` line with exact counts follows a loss, after a gap in `seq` as wide. */
  #tellDropped(): void {
    const untold = this.#untold;
    const total = LOG_LEVELS.reduce((sum, level) => sum + untold[level], 0);
    if (total === 0) return;
    this.#untold = noLines();
    this.#sequence += total;
    const isWritten = this.#put({
      level: "warn",
      wallMs: this.#options.clock.wallMs(),
      event: "log.dropped",
      message: `${total} lines were lost`,
      fields: { ...untold },
      sync: false,
    });
    if (isWritten) return;
    this.#untold = untold;
    this.#sequence -= total;
  }

  #put(line: Waiting): boolean {
    const bytes = encodeLine({
      head: {
        ts: rfc3339(line.wallMs),
        level: line.level,
        event: line.event,
        msg: line.message,
      },
      base: { ...this.#base, seq: this.#sequence + 1 },
      fields: line.fields,
      beginsNew: this.#beginsNew,
    });
    if (!this.#write(bytes)) return false;
    this.#sequence++;
    this.#written++;
    this.#beginsNew = false;
    this.#sync(line.sync);
    return true;
  }

  /** Whether the line is the sink's: whole, or a part of it, with the rest kept until there is room. */
  #write(bytes: Uint8Array): boolean {
    try {
      this.#options.sink.write(bytes);
    } catch (error) {
      this.#failed();
      if (!(error instanceof TornLineError)) return false;
      this.#rest = bytes.subarray(error.writtenBytes);
      return true;
    }
    this.#rest = undefined;
    this.#recovered();
    return true;
  }

  /** Completes a line that is there in part. */
  #complete(): boolean {
    if (this.#rest === undefined) return true;
    this.#write(this.#rest);
    return this.#rest === undefined;
  }

  #sync(isAsked: boolean): void {
    if (!isAsked) return;
    const failed = (): void => void this.#sinkFailures++;
    try {
      void this.#options.sink.sync?.()?.catch(failed);
    } catch {
      failed();
    }
  }

  #failed(): void {
    this.#sinkFailures++;
    const { clock } = this.#options;
    this.#failing ??= { sinceMs: clock.nowMs(), delayMs: RETRY_MS_MIN };
    const { delayMs } = this.#failing;
    this.#failing.delayMs = Math.min(delayMs * 2, RETRY_MS_MAX);
    this.#retry?.cancel();
    if (this.#isClosed) return;
    this.#retry = clock.setTimer(delayMs, () => {
      this.#retry = undefined;
      this.#drain();
    });
  }

  #recovered(): void {
    if (this.#failing === undefined) return;
    const failedMs = this.#options.clock.nowMs() - this.#failing.sinceMs;
    this.#failing = undefined;
    // Past the capacity, by one: a line was just written.
    this.#queue.push({
      level: "warn",
      wallMs: this.#options.clock.wallMs(),
      event: "log.recovered",
      message: "The log can be written again",
      fields: { failed_ms: Math.round(failedMs) },
      sync: false,
    });
  }
}

/** A sink took a part of a line only. */
export class TornLineError extends Error {
  override readonly name = "TornLineError";
  /** Of the line, from its beginning. */
  readonly writtenBytes: number;

  /** Tells how much of how much was taken. */
  constructor(writtenBytes: number, lengthBytes: number) {
    super(
      `Cannot write a log line: ${writtenBytes} of ${lengthBytes} bytes taken`,
    );
    this.writtenBytes = writtenBytes;
  }
}

function noLines(): Record<LogLevel, number> {
  return { debug: 0, info: 0, warn: 0, error: 0 };
}

function causeOf(fields: LogFields): string | undefined {
  const { err } = fields;
  return err === undefined ? undefined : JSON.stringify(err);
}
