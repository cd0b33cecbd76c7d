/**
 * Losses, found by the numbers of lines: every writer counts its own up by one,
 * also those that it had to drop.
 *
 * @module
 */

import type { LogGap, LogLine } from "./log_entry.ts";

/** Writers remembered for each file; each start of a driver is a new one. */
const WRITERS_MAX = 64;

/** Watches the numbers in one file. */
export class SequenceWatch {
  readonly #last = new Map<string, number>();

  /** Notes a line; gives the gap in front of it, if there is one. */
  note(line: LogLine): LogGap | undefined {
    const { seq, boot, pid, instance, run } = line.fields;
    if (typeof seq !== "number" || !Number.isSafeInteger(seq)) return undefined;
    const writer = JSON.stringify([boot, pid, instance, run]);
    const last = this.#last.get(writer);
    this.#last.delete(writer);
    this.#last.set(writer, seq);
    this.#forget();
    // A first line seen proves nothing: reading may have begun in the middle.
    if (last === undefined || seq <= last + 1) return undefined;
    const { source, atMs } = line;
    return { kind: "gap", source, atMs, from: last + 1, to: seq - 1 };
  }

  #forget(): void {
    if (this.#last.size <= WRITERS_MAX) return;
    const oldest = this.#last.keys().next();
    if (oldest.done !== true) this.#last.delete(oldest.value);
  }
}
