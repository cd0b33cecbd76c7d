/**
 * Where log lines end up: a file by its path, or a descriptor that a launcher
 * left open. Both append, both write a line in one call.
 *
 * @module
 */

import { writeSync } from "node:fs";
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
 * Appends to an inherited descriptor. Needs no permission where the launcher
 * named it in `DENO_EXTRA_STDIO_FDS`; the filter leaves no way to truncate it.
 */
export class DescriptorSink implements LogSink {
  readonly #descriptor: number;

  /** Takes no ownership: the descriptor stays open until the process ends. */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(line: Uint8Array): void {
    checkWhole(writeSync(this.#descriptor, line), line);
  }
}

/** For whoever keeps no log. */
export const NO_SINK: LogSink = { write(): void {} };

/** The owner writes, the group reads, nobody else sees serial numbers. */
export const LOG_MODE = 0o640;

function checkWhole(writtenBytes: number, line: Uint8Array): void {
  if (writtenBytes === line.length) return;
  throw new TornLineError(
    `Cannot write a log line: ${writtenBytes} of ${line.length} bytes taken`,
  );
}
