/**
 * Keeping log files within bounds. A driver writes to an append-only descriptor
 * and cannot reopen its file, so the host copies it to `NAME.1` and truncates
 * it; appending then goes on at 0. A process renames its own and opens another.
 *
 * @module
 */

import { MAX_LOG_FILE_BYTES } from "../limits.ts";
import type { Clock, Timer } from "../loop/clock.ts";
import { type FileSink, LOG_MODE } from "./log_sink.ts";

/** A log cannot be kept where it was asked for. */
export class LogFileError extends Error {
  override readonly name = "LogFileError";
}

/**
 * Makes sure a log can be written at `path`: creates it where it is missing and
 * ends a torn line of a killed process. Gives its size in bytes.
 *
 * @throws {LogFileError} With one sentence: a directory, no such folder, no right, read-only.
 */
export function prepareLogFile(path: string): number {
  try {
    const info = statOrNothing(path);
    if (info?.isDirectory === true) throw new Error("it is a directory");
    using file = Deno.openSync(path, {
      read: true,
      append: true,
      create: true,
      mode: LOG_MODE,
    });
    const { size } = file.statSync();
    if (size === 0 || lastByte(file, size) === NEWLINE) return size;
    file.writeSync(Uint8Array.of(NEWLINE));
    return size + 1;
  } catch (error) {
    throw new LogFileError(`Cannot write the log ${path}: ${reasonOf(error)}`);
  }
}

/**
 * Copies a log of at least `maxBytes` to `PATH.1`, whole and then renamed, and
 * truncates it. What is written between the last read and the truncation is
 * lost; `seq` shows the gap. Gives the bytes moved, 0 if it was small enough.
 *
 * @throws {Error} When the disk refuses; the log itself is then untouched.
 */
export function rotateLogFile(
  path: string,
  maxBytes: number = MAX_LOG_FILE_BYTES,
): number {
  const size = statOrNothing(path)?.size ?? 0;
  if (size < maxBytes) return 0;
  const part = `${path}.1.part`;
  const movedBytes = copy(path, part);
  Deno.renameSync(part, `${path}.1`);
  Deno.truncateSync(path, 0);
  return movedBytes;
}

/**
 * Ends a torn line of a process that was killed, so that the next line is not
 * swallowed by it. What hinders it hinders no start: the line is then torn.
 */
export function endTornLine(path: string): void {
  try {
    prepareLogFile(path);
  } catch {
    // Whoever opens the log says why it cannot be.
  }
}

/**
 * Renames a process's own log of at least `maxBytes` to `PATH.1` and opens
 * another; also where somebody else renamed or removed it. No line is lost.
 * Gives whether it did.
 *
 * @throws {Error} When the disk refuses; lines then go on into the file that is open.
 */
export function renewOwnLog(
  sink: FileSink,
  maxBytes: number = MAX_LOG_FILE_BYTES,
): boolean {
  const { path } = sink;
  const isMoved = sink.isMoved;
  if (!isMoved && Deno.statSync(path).size < maxBytes) return false;
  if (!isMoved) Deno.renameSync(path, `${path}.1`);
  endTornLine(path);
  sink.reopen();
  return true;
}

/** How often the size is looked at: the fastest driver writes well under a MiB meanwhile. */
const CHECK_INTERVAL_MS = 5_000;

/** How a log is kept within bounds. */
export interface RotationOptions {
  readonly clock: Clock;
  /** Default MAX_LOG_FILE_BYTES. */
  readonly maxBytes?: number;
  /** It could not be looked at, or rotated. Called each time. */
  readonly onFailure?: (error: unknown) => void;
  /** It was looked at, and rotated if it was too large. */
  readonly onSuccess?: () => void;
}

/**
 * Rotates a log now and then until `stop()`. Failures are told, and tried again.
 */
export function keepRotated(
  path: string,
  options: RotationOptions,
): { stop(): void } {
  return nowAndThen(options, () => rotateLogFile(path, options.maxBytes));
}

/** As {@linkcode keepRotated}, for a process's own log. */
export function keepOwnRotated(
  sink: FileSink,
  options: RotationOptions & {
    /** Whether a line is there in part only: its rest belongs into the same file. */
    readonly isTorn: () => boolean;
  },
): { stop(): void } {
  const { isTorn, maxBytes } = options;
  return nowAndThen(options, () => isTorn() || renewOwnLog(sink, maxBytes));
}

function nowAndThen(
  { clock, onFailure, onSuccess }: RotationOptions,
  rotate: () => unknown,
): { stop(): void } {
  let timer: Timer | undefined;
  function check(): void {
    timer = clock.setTimer(CHECK_INTERVAL_MS, check);
    try {
      rotate();
      onSuccess?.();
    } catch (error) {
      onFailure?.(error);
    }
  }
  check();
  return { stop: () => timer?.cancel() };
}

const NEWLINE = 0x0a;

function copy(from: string, to: string): number {
  using source = Deno.openSync(from, { read: true });
  using target = Deno.openSync(to, {
    write: true,
    create: true,
    truncate: true,
    mode: LOG_MODE,
  });
  const piece = new Uint8Array(256 * 1024);
  let copiedBytes = 0;
  for (
    let length = source.readSync(piece);
    length !== null && length > 0;
    length = source.readSync(piece)
  ) {
    writeAll(target, piece.subarray(0, length));
    copiedBytes += length;
  }
  return copiedBytes;
}

function writeAll(target: Deno.FsFile, data: Uint8Array): void {
  for (let done = 0; done < data.length;) {
    done += target.writeSync(data.subarray(done));
  }
}

function statOrNothing(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function lastByte(file: Deno.FsFile, size: number): number | undefined {
  const byte = new Uint8Array(1);
  file.seekSync(size - 1, Deno.SeekMode.Start);
  return file.readSync(byte) === 1 ? byte[0] : undefined;
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "its folder does not exist";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotADirectory) {
    return "a part of its path is not a directory";
  }
  const message = error instanceof Error ? error.message : String(error);
  if (/os error 21\b/.test(message)) return "it is a directory";
  if (/os error 30\b/.test(message)) return "the file system is read-only";
  if (/os error 28\b/.test(message)) return "the disk is full";
  return message;
}
