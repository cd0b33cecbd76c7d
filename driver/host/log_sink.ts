/**
 * Where log lines end up: a file by its path, or a descriptor that a launcher
 * left open. Both append, both write a line in one call.
 *
 * @module
 */

import type { LogSink } from "./log.ts";
import { TornLineError } from "./log.ts";

/** Appends to a file. Direct mode: needs write permission for exactly that path. */
export class FileSink implements LogSink, Disposable {
  readonly #file: Deno.FsFile;

  /**
   * Opens the file, or makes it.
   *
   * @throws {Error} When the system or the runtime refuses.
   */
  constructor(path: string) {
    this.#file = Deno.openSync(path, {
      append: true,
      create: true,
      mode: LOG_MODE,
    });
  }

  write(line: Uint8Array): void {
    checkWhole(this.#file.writeSync(line), line);
  }

  sync(): void {
    this.#file.syncDataSync();
  }

  [Symbol.dispose](): void {
    this.#file.close();
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
 * way to truncate it.
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

function checkWhole(writtenBytes: number, line: Uint8Array): void {
  if (writtenBytes === line.length) return;
  throw new TornLineError(writtenBytes, line.length);
}
