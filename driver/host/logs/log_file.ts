/**
 * One log, read from where it matters and followed through what happens to
 * files: rotation by renaming, rotation by copying and truncating, removal,
 * re-creation. A driver's log is truncated in place once it was copied to
 * `PATH.1`, so what was not read before is read there.
 *
 * @module
 */

import { LineCutter, type RawLine } from "./line_cutter.ts";
import {
  type LogEntry,
  type LogLine,
  readEntry,
  type UnreadableLine,
} from "./log_entry.ts";
import { SequenceWatch } from "./log_gaps.ts";
import { readAt, scanBack, type ScanLimits } from "./log_scan.ts";

/** A log cannot be read. */
export class LogReadError extends Error {
  override readonly name = "LogReadError";
  /** Why, as far as it decides what comes next. */
  readonly kind: "absent" | "denied" | "other";

  /** Makes an error from the path and what the system said. */
  constructor(path: string, error: unknown) {
    const { kind, reason } = reasonOf(error);
    super(`Cannot read the log ${path}: ${reason}`);
    this.kind = kind;
  }
}

/** Which log. */
export interface LogSource {
  /** What its lines are called by. */
  readonly name: string;
  /** Absolute, or from the working directory. */
  readonly path: string;
}

/** Read at a time; also what is held of a log in memory. */
const PIECE_BYTES = 64 * 1024;
/** Bytes before our place that must still be the same, or the file is another. */
const ANCHOR_BYTES = 64;

/** A log that is read. */
export class LogFile implements Disposable {
  /** Which it is. */
  readonly source: LogSource;
  #file: Deno.FsFile | undefined;
  #inode: string | undefined;
  /** What comes before the file: the rest of the one that was rotated away. */
  #older: { readonly path: string; readonly startByte: number } | undefined;
  #position = 0;
  #anchor = new Uint8Array(0);
  #cutter = new LineCutter();
  readonly #watch = new SequenceWatch();
  #lastMs: number | undefined;
  #problem: string | undefined;

  /** Opens nothing yet. */
  constructor(source: LogSource) {
    this.source = source;
  }

  /**
   * Goes to where the last wanted lines begin, in the rotated file if need be.
   * Gives their number; what is wanted is read from there.
   *
   * @throws {LogReadError} When it cannot be read.
   */
  seek(limits: ScanLimits): number {
    const { path } = this.source;
    try {
      const size = this.#open();
      const file = this.#file;
      if (file === undefined) return 0;
      const found = scanBack(file, size, limits);
      this.#moveTo(found.startByte);
      if (!found.isAtBeginning) return found.wanted;
      return found.wanted + this.#seekOlder(`${path}.1`, {
        ...limits,
        ...(limits.lines === undefined
          ? {}
          : { lines: limits.lines - found.wanted }),
      });
    } catch (error) {
      const failure = new LogReadError(path, error);
      this.#problem = failure.message;
      throw failure;
    }
  }

  /** What was written since, up to now. A failure is told once, and tried again. */
  *read(): Generator<LogEntry> {
    try {
      yield* this.#readOlder();
      yield* this.#follow();
      this.#problem = undefined;
    } catch (error) {
      const { message } = new LogReadError(this.source.path, error);
      if (message === this.#problem) return;
      this.#problem = message;
      yield this.#note(message);
    }
  }

  /** The line that has no end, when nothing more will be read. */
  *end(): Generator<LogEntry> {
    const line = this.#cutter.end();
    if (line !== undefined) yield* this.#entries(line);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Gives the size. Anything but a regular file would block us, or never end. */
  #open(): number {
    const { path } = this.source;
    const { isFile } = Deno.statSync(path);
    if (!isFile) throw new Error("it is not a regular file");
    const file = Deno.openSync(path, { read: true });
    this.#file?.close();
    this.#file = file;
    const info = file.statSync();
    this.#inode = inodeOf(info);
    this.#moveTo(0);
    return info.size;
  }

  #moveTo(byte: number): void {
    this.#position = byte;
    this.#anchor = this.#file === undefined
      ? new Uint8Array(0)
      : anchorAt(this.#file, byte);
  }

  #seekOlder(path: string, limits: ScanLimits): number {
    try {
      using file = Deno.openSync(path, { read: true });
      const { size, isFile } = file.statSync();
      if (!isFile) return 0;
      const { startByte, wanted } = scanBack(file, size, limits);
      this.#older = { path, startByte };
      return wanted;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw error;
    }
  }

  *#readOlder(): Generator<LogEntry> {
    const older = this.#older;
    if (older === undefined) return;
    this.#older = undefined;
    using file = Deno.openSync(older.path, { read: true });
    yield* this.#pieces(file, older.startByte, Infinity);
    yield* this.end();
  }

  *#follow(): Generator<LogEntry> {
    const info = statOrNothing(this.source.path);
    if (info === undefined) {
      if (this.#file === undefined) return;
      yield* this.#leave();
      yield this.#note("The file is gone; waiting for another");
      return;
    }
    if (this.#file === undefined) this.#open();
    else if (inodeOf(info) !== this.#inode) {
      yield* this.#leave();
      this.#open();
    }
    const { size } = info;
    if (!this.#isSame(size)) {
      yield* this.#readCopy();
      this.#moveTo(0);
    }
    yield* this.#readNew(size);
  }

  /** Reads a file to its end that was renamed or removed: its writer may not know yet. */
  *#leave(): Generator<LogEntry> {
    yield* this.#readNew(Infinity);
    yield* this.end();
    this.#file?.close();
    this.#file = undefined;
  }

  *#readNew(endByte: number): Generator<LogEntry> {
    const file = this.#file;
    if (file === undefined || this.#position >= endByte) return;
    for (const piece of piecesOf(file, this.#position, endByte)) {
      this.#position += piece.length;
      yield* this.#cut(piece);
    }
    this.#anchor = anchorAt(file, this.#position);
  }

  /** Whether what we read is still there; the size alone may be the same by chance. */
  #isSame(size: number): boolean {
    const file = this.#file;
    if (file === undefined || size < this.#position) return false;
    return isEqual(anchorAt(file, this.#position), this.#anchor);
  }

  /** The file was truncated: what we had not read yet is in its copy, if there is one. */
  *#readCopy(): Generator<LogEntry> {
    const path = `${this.source.path}.1`;
    const position = this.#position;
    try {
      using file = Deno.openSync(path, { read: true });
      const isCopy = file.statSync().size >= position &&
        isEqual(anchorAt(file, position), this.#anchor);
      if (isCopy) yield* this.#pieces(file, position, Infinity);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    yield* this.end();
  }

  *#pieces(
    file: Deno.FsFile,
    startByte: number,
    endByte: number,
  ): Generator<LogEntry> {
    for (const piece of piecesOf(file, startByte, endByte)) {
      yield* this.#cut(piece);
    }
  }

  *#cut(piece: Uint8Array): Generator<LogEntry> {
    for (const line of this.#cutter.push(piece)) yield* this.#entries(line);
  }

  *#entries(line: RawLine): Generator<LogEntry> {
    const source = this.source.name;
    const entry = readEntry(line, { source, beforeMs: this.#lastMs });
    this.#lastMs = entry.atMs ?? this.#lastMs;
    if (entry.kind === "line") {
      const gap = this.#watch.note(entry);
      if (gap !== undefined) yield gap;
    }
    yield entry;
  }

  #note(text: string): LogEntry {
    const source = this.source.name;
    return { kind: "note", source, atMs: this.#lastMs, text };
  }
}

/** What a scan counts: lines, also those that cannot be read. */
export type CountedEntry = LogLine | UnreadableLine;

function* piecesOf(
  file: Deno.FsFile,
  startByte: number,
  endByte: number,
): Generator<Uint8Array> {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let at = startByte; at < endByte;) {
    const into = buffer.subarray(0, Math.min(PIECE_BYTES, endByte - at));
    const piece = readAt(file, at, { into });
    if (piece.length === 0) return;
    at += piece.length;
    yield piece;
  }
}

function anchorAt(file: Deno.FsFile, byte: number): Uint8Array<ArrayBuffer> {
  const lengthBytes = Math.min(ANCHOR_BYTES, byte);
  const into = new Uint8Array(lengthBytes);
  readAt(file, byte - lengthBytes, { into });
  return into;
}

function isEqual(one: Uint8Array, two: Uint8Array): boolean {
  return one.length === two.length &&
    one.every((byte, at) => byte === two[at]);
}

function inodeOf({ dev, ino }: Deno.FileInfo): string {
  return `${dev}:${ino}`;
}

function statOrNothing(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function reasonOf(
  error: unknown,
): { readonly kind: LogReadError["kind"]; readonly reason: string } {
  if (error instanceof Deno.errors.NotFound) {
    return { kind: "absent", reason: "there is no such file" };
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return { kind: "denied", reason: "permission denied" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "other", reason: message };
}
