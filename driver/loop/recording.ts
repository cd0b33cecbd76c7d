/**
 * Events of a journal as text, for a pipe and a crash bundle: one JSON array a
 * line. Read back as untrusted input.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import {
  JOURNAL_KINDS,
  type JournalEvent,
  type JournalKind,
} from "./journal.ts";

/** Characters of a name; what is longer is cut. */
const NAME_MAX = 256;
/** Bytes of one payload: a report or a transfer of the usual size; the rest is counted. */
export const PAYLOAD_BYTES_MAX = 64 * 1024;
/** A line with the longest payload, and as much again for what stands beside it. */
export const LINE_CHARACTERS_MAX = 4 * PAYLOAD_BYTES_MAX;
/** Deeper than any detail of ours. */
const DEPTH_MAX = 32;

const KINDS: ReadonlySet<unknown> = new Set(JOURNAL_KINDS);

/** `[sequence, timeMs, epoch, kind, name, sizeBytes, {id, data, detail}]`, without a newline. */
export function encodeEvent(event: JournalEvent): string {
  const { sequence, timeMs, epoch, kind, name, sizeBytes } = event;
  // Microseconds say enough; more digits would cost more than the rest.
  const time = Math.round(timeMs * 1000) / 1000;
  const start = `[${sequence},${time},${epoch},"${kind}",${
    JSON.stringify(name.slice(0, NAME_MAX))
  },${sizeBytes}`;
  const { id, payload, detail } = event;
  if (id === undefined && payload === undefined && detail === undefined) {
    return `${start}]`;
  }
  const more = {
    ...(id === undefined ? {} : { id }),
    ...(payload === undefined
      ? {}
      : { data: toHex(payload.subarray(0, PAYLOAD_BYTES_MAX)) }),
    ...(detail === undefined ? {} : { detail }),
  };
  return `${start},${JSON.stringify(more)}]`;
}

/**
 * Reads a line.
 *
 * @throws {SyntaxError} When it is no event.
 */
export function decodeEvent(line: string): JournalEvent {
  if (line.length > LINE_CHARACTERS_MAX) throw bad("it is too long");
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw bad("not JSON");
  }
  return eventOf(value);
}

/**
 * Reads an event from what a line parses to.
 *
 * @throws {SyntaxError} When it is none.
 */
export function eventOf(value: unknown): JournalEvent {
  if (!Array.isArray(value) || value.length < 6 || value.length > 7) {
    throw bad("not an array of six or seven");
  }
  const [sequence, timeMs, epoch, kind, name, sizeBytes, more] = value;
  if (!KINDS.has(kind)) throw bad("an unknown kind");
  if (typeof name !== "string" || name.length > NAME_MAX) {
    throw bad("its name is no text, or too long");
  }
  return {
    sequence: countOf(sequence, "sequence"),
    timeMs: numberOf(timeMs, "time"),
    epoch: countOf(epoch, "epoch"),
    kind: kind as JournalKind,
    name,
    sizeBytes: countOf(sizeBytes, "size"),
    ...(more === undefined ? {} : moreOf(more)),
  };
}

function moreOf(
  value: unknown,
): Pick<JournalEvent, "id" | "payload" | "detail"> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad("its seventh member is no object");
  }
  const { id, data, detail } = value as Readonly<Record<string, unknown>>;
  if (detail !== undefined) checkDepth(detail, DEPTH_MAX);
  return {
    ...(id === undefined ? {} : { id: countOf(id, "id") }),
    ...(data === undefined ? {} : { payload: bytesOf(data) }),
    ...(detail === undefined ? {} : { detail: detail as Json }),
  };
}

function countOf(value: unknown, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) {
    return value as number;
  }
  throw bad(`its ${what} is no whole number from 0`);
}

function numberOf(value: unknown, what: string): number {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value;
  throw bad(`its ${what} is no number from 0`);
}

function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  const isHex = typeof value === "string" &&
    value.length <= 2 * PAYLOAD_BYTES_MAX && /^(?:[0-9a-f]{2})*$/.test(value);
  if (!isHex) throw bad("its data are not hexadecimal, or too long");
  const bytes = new Uint8Array(value.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = parseInt(value.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

function checkDepth(value: unknown, depthLeft: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depthLeft === 0) throw bad("its detail is nested too deep");
  for (const member of Object.values(value)) checkDepth(member, depthLeft - 1);
}

const HEX = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);

/** Bytes as people read them: two digits each. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

function bad(reason: string): SyntaxError {
  return new SyntaxError(`Cannot read an event of the journal: ${reason}`);
}
