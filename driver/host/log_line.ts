/**
 * One line of the log as bytes: fields in the agreed order, at most
 * MAX_LOG_LINE_BYTES, always whole JSON, always one line.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import { MAX_LOG_LINE_BYTES } from "../limits.ts";

/** First members of every line, in this order. */
export interface LineHead {
  /** RFC 3339, UTC, milliseconds. */
  readonly ts: string;
  readonly level: string;
  /** Stable dotted name, part of the interface. */
  readonly event: string;
  /** One sentence for people. */
  readonly msg: string;
}

/** Members of a line. */
export type Fields = Readonly<Record<string, Json>>;

const encoder = new TextEncoder();

/** What is kept of a value that is not JSON: enough to see what it was. */
const PLAIN_DEPTH = 3;
const PLAIN_MEMBERS = 16;

/** A sentence keeps this much of itself when the line has to be cut. */
const CUT_MESSAGE_LENGTH = 1024;

/** What a line is made of. */
export interface LineParts {
  readonly head: LineHead;
  /** Fields of every line of this log. */
  readonly base: Fields;
  /** Fields of this line. */
  readonly fields: Fields;
  /** Puts a newline in front: the line before was torn. */
  readonly beginsNew: boolean;
}

/**
 * A line with its newline. Free fields never hide those of the head or the base. A line that is too
 * long loses its free fields, then the end of its sentence, and says so.
 */
export function encodeLine(parts: LineParts): Uint8Array {
  const { head, base, fields, beginsNew } = parts;
  const fixed = { ...head, ...base };
  const free = Object.fromEntries(
    Object.entries(fields).filter(([name]) => !Object.hasOwn(fixed, name)),
  );
  const candidates = [
    (): Fields => ({ ...fixed, ...free }),
    (): Fields => ({ ...fixed, ...shortOnes(free), truncated: true }),
    (): Fields => ({
      ...fixed,
      msg: head.msg.slice(0, CUT_MESSAGE_LENGTH),
      truncated: true,
    }),
    (): Fields => ({
      ...head,
      msg: "",
      seq: base["seq"] ?? 0,
      truncated: true,
    }),
  ];
  for (const candidate of candidates) {
    const line = encoder.encode(
      (beginsNew ? "\n" : "") + stringify(candidate()) + "\n",
    );
    if (line.length <= MAX_LOG_LINE_BYTES) return line;
  }
  return encoder.encode(
    `{"level":"error","event":"log.unwritable","truncated":true}\n`,
  );
}

/** Fields that cost little: numbers, truth values and short texts, sixteen at most. */
export function shortOnes(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) =>
      typeof value === "number" || typeof value === "boolean" ||
      (typeof value === "string" && value.length <= 128)
    ).slice(0, 16),
  );
}

/** JSON even of what a careless driver hands over: cycles and bigints become text. */
function stringify(value: Fields): string {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(plain(value, PLAIN_DEPTH));
  }
}

function plain(value: unknown, depthLeft: number): Json {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number" || typeof value === "string") return value;
  if (typeof value !== "object" || depthLeft === 0) return String(value);
  if (Array.isArray(value)) {
    return value.slice(0, PLAIN_MEMBERS).map((item) =>
      plain(item, depthLeft - 1)
    );
  }
  return Object.fromEntries(
    Object.entries(value).slice(0, PLAIN_MEMBERS).map((
      [name, item],
    ) => [name, plain(item, depthLeft - 1)]),
  );
}
