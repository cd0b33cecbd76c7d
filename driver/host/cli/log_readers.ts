/**
 * Several logs read as one: how far back in each, what is wanted of it, and what
 * to say of one that cannot be read.
 *
 * @module
 */

import type { LogEntry } from "../logs/log_entry.ts";
import { LogFile, LogReadError } from "../logs/log_file.ts";
import { isWanted, type LogFilter } from "../logs/log_filter.ts";
import { mergeByTime } from "../logs/log_merge.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import type { ChosenLog } from "./log_sources.ts";
import { harmless } from "./text.ts";

interface Reader {
  readonly file: LogFile;
  readonly filter: LogFilter;
  readonly isNamed: boolean;
}

/** The files, from where reading begins. */
export class LogReaders implements Disposable {
  /** What a person should know of them. */
  readonly notes: string[] = [];
  readonly #filter: LogFilter;
  readonly #readers: Reader[] = [];

  /** Opens none yet. */
  constructor(chosen: readonly ChosenLog[], filter: LogFilter) {
    this.#filter = filter;
    this.add(chosen);
  }

  /** Takes what is not read already, from its beginning. */
  add(chosen: readonly ChosenLog[]): void {
    for (const { name, path, drivers, isNamed } of chosen) {
      if (this.#readers.some(({ file }) => file.source.path === path)) continue;
      const about = drivers === undefined ? {} : { drivers };
      const filter = { ...this.#filter, ...about };
      this.#readers.push({
        file: new LogFile({ name, path }),
        filter,
        isNamed,
      });
    }
  }

  /**
   * Goes back far enough in each; gives how many of all that are too many.
   *
   * @throws {CliError} When one that was named, or every one, cannot be read.
   */
  seek(lines: number | undefined, mayWait: boolean): number {
    const { sinceMs } = this.#filter;
    let wanted = 0;
    const denied: LogReadError[] = [];
    for (const reader of this.#readers) {
      try {
        wanted += reader.file.seek({
          isWanted: (entry) => isWanted(entry, reader.filter),
          ...(lines === undefined ? {} : { lines }),
          ...(sinceMs === undefined ? {} : { sinceMs }),
        });
      } catch (error) {
        if (!(error instanceof LogReadError)) throw error;
        if (error.kind === "denied") denied.push(error);
        this.#missing(reader, error, mayWait);
      }
    }
    const [first] = denied;
    if (first !== undefined && denied.length === this.#readers.length) {
      throw asCliError(first);
    }
    return lines === undefined ? 0 : Math.max(0, wanted - lines);
  }

  /** What was there, without the first `skipped`. */
  *history(skipped: number, isAll: boolean): Generator<LogEntry> {
    let left = skipped;
    for (const entry of this.#merged(isAll)) {
      const isCounted = entry.kind === "line" || entry.kind === "unreadable";
      if (left <= 0) yield entry;
      else if (isCounted) left--;
    }
  }

  /** What was written since. */
  news(): Generator<LogEntry> {
    return this.#merged(false);
  }

  [Symbol.dispose](): void {
    for (const { file } of this.#readers) file[Symbol.dispose]();
  }

  #merged(isAll: boolean): Generator<LogEntry> {
    return mergeByTime(
      this.#readers.map((reader) => wantedOf(reader, isAll)),
    );
  }

  /** A log that a driver has not written to yet is no mistake. */
  #missing(reader: Reader, error: LogReadError, mayWait: boolean): void {
    const isAbsent = error.kind === "absent";
    if (isAbsent && !reader.isNamed) return;
    if (reader.isNamed && !(isAbsent && mayWait)) throw asCliError(error);
    const why = isAbsent ? "; waiting for it" : "";
    this.notes.push(harmless(`${error.message}${why}`, 500));
  }
}

function* wantedOf(
  { file, filter }: Reader,
  isAll: boolean,
): Generator<LogEntry> {
  for (const entry of file.read()) if (isWanted(entry, filter)) yield entry;
  if (!isAll) return;
  for (const entry of file.end()) if (isWanted(entry, filter)) yield entry;
}

function asCliError(error: LogReadError): CliError {
  if (error.kind === "denied") {
    return new CliError(
      EXIT.permission,
      error.message,
      "A log is read by its owner, its group and root: try sudo",
    );
  }
  return new CliError(
    EXIT.failed,
    error.message,
    error.kind === "absent"
      ? "With -f it is waited for; driverspace logs shows those that are known"
      : undefined,
  );
}
