/**
 * Several logs as one: by time, each log in its own order whatever its clock did.
 *
 * @module
 */

import type { LogEntry } from "./log_entry.ts";

/** Merges. Holds one entry of each stream. */
export function* mergeByTime(
  streams: readonly Iterator<LogEntry>[],
): Generator<LogEntry> {
  const heads: Head[] = [];
  for (const stream of streams) {
    const head: Head = { stream, entry: undefined, atMs: -Infinity };
    if (advance(head)) heads.push(head);
  }
  while (heads.length > 0) {
    const [first, ...others] = heads;
    if (first === undefined) return;
    const next = others.reduce(
      (best, head) => head.atMs < best.atMs ? head : best,
      first,
    );
    if (next.entry !== undefined) yield next.entry;
    if (!advance(next)) heads.splice(heads.indexOf(next), 1);
  }
}

interface Head {
  readonly stream: Iterator<LogEntry>;
  entry: LogEntry | undefined;
  /** Of the entry, or of the one before where it has none. */
  atMs: number;
}

function advance(head: Head): boolean {
  const { done, value } = head.stream.next();
  if (done === true) return false;
  head.entry = value;
  head.atMs = value.atMs ?? head.atMs;
  return true;
}
