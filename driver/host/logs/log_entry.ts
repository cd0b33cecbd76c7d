/**
 * What a reader of logs sees: lines, and what is worth knowing between them.
 *
 * @module
 */

import type { LogLevel } from "../../driver.ts";
import type { RawLine } from "./line_cutter.ts";

/** Lowest first. */
export const LOG_LEVELS: readonly LogLevel[] = [
  "debug",
  "info",
  "warn",
  "error",
];

/** A line that is what it should be. */
export interface LogLine {
  readonly kind: "line";
  /** Name of the log it is from. */
  readonly source: string;
  /** Wall clock; `undefined` where it says none. */
  readonly atMs: number | undefined;
  readonly level: LogLevel;
  readonly event: string;
  readonly message: string;
  /** All of it, as it was written. */
  readonly fields: { readonly [name: string]: unknown };
}

/** A line that cannot be read: torn, or none of ours. */
export interface UnreadableLine {
  readonly kind: "unreadable";
  readonly source: string;
  /** Of the line before. */
  readonly atMs: number | undefined;
  /** Its beginning. */
  readonly text: string;
  readonly lengthBytes: number;
  /** Ends without a line break: its writer was killed, or the disk was full. */
  readonly isTorn: boolean;
}

/** Numbers that should have been there: lines were lost. */
export interface LogGap {
  readonly kind: "gap";
  readonly source: string;
  /** Of the line behind it. */
  readonly atMs: number | undefined;
  readonly from: number;
  readonly to: number;
}

/** What happened to the file itself. */
export interface LogNote {
  readonly kind: "note";
  readonly source: string;
  readonly atMs: number | undefined;
  readonly text: string;
}

/** What a reader of logs sees. */
export type LogEntry = LogLine | UnreadableLine | LogGap | LogNote;

/** Characters kept of what cannot be read; more helps nobody. */
const TEXT_KEPT = 200;

const BRACE = 0x7b;

const decoder = new TextDecoder();

/** Reads a line. `beforeMs` is the time of the one before it. */
export function readEntry(
  line: RawLine,
  from: { readonly source: string; readonly beforeMs: number | undefined },
): LogLine | UnreadableLine {
  const { source, beforeMs } = from;
  const fields = line.lengthBytes === line.bytes.length
    ? asObject(line.bytes)
    : undefined;
  if (fields !== undefined) return asLine(source, fields);
  const text = decoder.decode(line.bytes.subarray(0, TEXT_KEPT * 4));
  return {
    kind: "unreadable",
    source,
    atMs: beforeMs,
    text: [...text].slice(0, TEXT_KEPT).join(""),
    lengthBytes: line.lengthBytes,
    isTorn: line.isTorn,
  };
}

function asObject(
  bytes: Uint8Array,
): { readonly [name: string]: unknown } | undefined {
  // Most of what is no line is found here, without an exception.
  if (bytes[0] !== BRACE) return undefined;
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    const isObject = typeof value === "object" && value !== null &&
      !Array.isArray(value);
    return isObject ? value as { readonly [name: string]: unknown } : undefined;
  } catch {
    return undefined;
  }
}

function asLine(
  source: string,
  fields: { readonly [name: string]: unknown },
): LogLine {
  const { ts, level, event, msg } = fields;
  const atMs = typeof ts === "string" ? Date.parse(ts) : NaN;
  return {
    kind: "line",
    source,
    atMs: Number.isNaN(atMs) ? undefined : atMs,
    level: LOG_LEVELS.find((known) => known === level) ?? "info",
    event: typeof event === "string" ? event : "",
    message: typeof msg === "string" ? msg : "",
    fields,
  };
}
