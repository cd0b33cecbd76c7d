/**
 * Where log lines end up: a file by its path, or a descriptor that a launcher
 * left open. Both append, both write a line in one call.
 *
 * @module
 */

import type { LogSink } from "./log.ts";
import { TornLineError } from "./log.ts";

/** How a file is written. */
export interface FileSinkOptions {
  /**
   * Flush to the disk beside the event loop, which a slow disk then does not
   * stop. Default: at once, for processes that end without waiting.
   */
  readonly syncsAside?: boolean;
}

/** Appends to a file. Direct mode: needs write permission for exactly that path. */
export class FileSink implements LogSink, Disposable {
  /** Of the file. */
  readonly path: string;
  readonly #syncsAside: boolean;
  #file: Deno.FsFile;
  #syncing: Promise<void> | undefined;
  /** Something was to be flushed that is not known to be. */
  #isDirty = false;

  /**
   * Opens the file, or makes it.
   *
   * @throws {Error} When the system or the runtime refuses.
   */
  constructor(path: string, options: FileSinkOptions = {}) {
    this.path = path;
    this.#syncsAside = options.syncsAside ?? false;
    this.#file = openToAppend(path);
  }

  write(line: Uint8Array): void {
    checkWhole(this.#file.writeSync(line), line);
  }

  sync(): void | Promise<void> {
    if (!this.#syncsAside) return this.#file.syncDataSync();
    this.#isDirty = true;
    return this.#syncing ??= this.#syncAside();
  }

  /** Whether its path leads to another file by now, or to none. */
  get isMoved(): boolean {
    const here = this.#file.statSync();
    try {
      const { dev, ino } = Deno.statSync(this.path);
      return dev !== here.dev || ino !== here.ino;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      throw error;
    }
  }

  /**
   * Opens its path anew, after it was renamed. What it had stays open until
   * then, so that no line is lost when that fails.
   *
   * @throws {Error} When the system refuses.
   */
  reopen(): void {
    const file = openToAppend(this.path);
    this.#flush();
    this.#file.close();
    this.#file = file;
  }

  [Symbol.dispose](): void {
    this.#flush();
    this.#file.close();
  }

  /** Lines that come while one flush is under way are flushed by the next. */
  async #syncAside(): Promise<void> {
    try {
      while (this.#isDirty) {
        this.#isDirty = false;
        await this.#file.syncData();
      }
    } finally {
      this.#syncing = undefined;
    }
  }

  #flush(): void {
    if (this.#syncing === undefined && !this.#isDirty) return;
    this.#isDirty = false;
    try {
      this.#file.syncDataSync();
    } catch {
      // What cannot be flushed now is the system's to write.
    }
  }
}

/**
 * Writes bytes to a descriptor; gives how many were taken, or a negative
 * number. An argument, because Deno has no such call of its own, and loading
 * `node:fs` for it takes longer than starting the runtime.
 */
export type WriteDescriptor = (
  descriptor: number,
  bytes: Uint8Array,
) => number;

/**
 * Appends to an inherited descriptor. Needs no permission; the filter leaves no
 * way to truncate it. Its host flushes it: a driver does not wait for a disk.
 */
export class DescriptorSink implements LogSink {
  readonly #descriptor: number;
  readonly #write: WriteDescriptor;

  /** Takes no ownership: the descriptor stays open until the process ends. */
  constructor(descriptor: number, write: WriteDescriptor) {
    this.#descriptor = descriptor;
    this.#write = write;
  }

  write(line: Uint8Array): void {
    const taken = this.#write(this.#descriptor, line);
    if (taken < 0) throw new Error(`Cannot write a log line: error ${-taken}`);
    checkWhole(taken, line);
  }
}

/** For whoever keeps no log. */
export const NO_SINK: LogSink = { write(): void {} };

/** The owner writes, the group reads, nobody else sees serial numbers. */
export const LOG_MODE = 0o640;

function openToAppend(path: string): Deno.FsFile {
  return Deno.openSync(path, { append: true, create: true, mode: LOG_MODE });
}

function checkWhole(writtenBytes: number, line: Uint8Array): void {
  if (writtenBytes === line.length) return;
  throw new TornLineError(writtenBytes, line.length);
}
