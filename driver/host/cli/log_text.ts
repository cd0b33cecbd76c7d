/**
 * Entries of logs as text for people and as JSON for machines. What stands in a
 * file may come from a device: nothing of it reaches a terminal as it is.
 *
 * @module
 */

import type { LogLevel } from "../../driver.ts";
import type {
  LogEntry,
  LogGap,
  LogLine,
  UnreadableLine,
} from "../logs/log_entry.ts";
import { harmless } from "./text.ts";

/** How to show entries. */
export interface LogTextOptions {
  readonly hasColor: boolean;
  /** Width of the column of names. */
  readonly nameWidth: number;
}

/** Members that stand in the line's beginning, or that only tell writers apart. */
const SHOWN_ALREADY = new Set([
  ...["ts", "level", "event", "msg"],
  ...["driver", "instance", "run", "pid", "boot", "dev", "seq"],
]);
/** A line of ours has 8 KiB at most; others are cut. */
const VALUE_LENGTH_MAX = 2_000;

const DIM = "\x1b[2m";
const LEVEL_COLORS: Readonly<Record<LogLevel, string>> = {
  debug: DIM,
  info: "",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};
const LOSS_COLOR = "\x1b[35m";

/** One entry as one line, without a line break. */
export function logText(entry: LogEntry, options: LogTextOptions): string {
  const paint = painter(options.hasColor);
  const name = harmless(entry.source, 40).padEnd(options.nameWidth);
  const time = paint(timeText(entry), DIM);
  if (entry.kind === "line") {
    const color = LEVEL_COLORS[entry.level];
    const level = paint(entry.level.padEnd(5), color);
    return `${time} ${level} ${name}  ${lineText(entry, paint)}`;
  }
  const text = entry.kind === "gap"
    ? gapText(entry)
    : entry.kind === "note"
    ? harmless(entry.text, VALUE_LENGTH_MAX)
    : unreadableText(entry);
  return `${time} ${paint("-----", LOSS_COLOR)} ${name}  ${
    paint(text, LOSS_COLOR)
  }`;
}

/** One entry as one JSON object: a line as it was written, everything else under `log.reader.…`. */
export function logJson(entry: LogEntry): string {
  return asciiControls(JSON.stringify(jsonObject(entry)));
}

function jsonObject(entry: LogEntry): Readonly<Record<string, unknown>> {
  const { source: log } = entry;
  if (entry.kind === "line") return { log, ...entry.fields };
  const ts = entry.atMs === undefined ? {} : { ts: timeText(entry) };
  const head = { log, ...ts, level: "warn" };
  switch (entry.kind) {
    case "gap":
      return {
        ...head,
        event: "log.reader.gap",
        msg: gapText(entry),
        from_seq: entry.from,
        to_seq: entry.to,
      };
    case "note":
      return { ...head, event: "log.reader.note", msg: entry.text };
    case "unreadable":
      return {
        ...head,
        event: "log.reader.unreadable",
        msg: unreadableText(entry),
        text: entry.text,
        length_bytes: entry.lengthBytes,
      };
  }
}

/** As in the file, so that it can be found there and be given to --since. */
function timeText({ atMs }: LogEntry): string {
  return atMs === undefined
    ? "-".padEnd(24)
    : new Date(atMs).toISOString().padEnd(24);
}

function lineText(line: LogLine, paint: Paint): string {
  const { event, message, fields, source } = line;
  const { driver } = fields;
  // The supervisor's own log is about several drivers.
  const about = typeof driver === "string" && source === "supervisor"
    ? `${harmless(driver, 40)}: `
    : "";
  const isSaid = (value: unknown): boolean =>
    typeof value === "string" && value.length > 1 && message.includes(value);
  const more = Object.entries(fields)
    .filter(([name, value]) => !SHOWN_ALREADY.has(name) && !isSaid(value))
    .map(([name, value]) => `${harmless(name, 40)}=${valueText(value)}`);
  return [
    paint(harmless(event, 80) || "(no event)", DIM),
    `${about}${harmless(message, VALUE_LENGTH_MAX)}`,
    paint(more.join(" "), DIM),
  ].filter((part) => part !== "").join("  ");
}

function valueText(value: unknown): string {
  const isWord = typeof value === "string" && /^[^\s"=]+$/.test(value);
  return harmless(isWord ? value : JSON.stringify(value), VALUE_LENGTH_MAX);
}

function gapText({ from, to }: LogGap): string {
  const count = to - from + 1;
  return count === 1
    ? `1 line is missing here: number ${from}`
    : `${count} lines are missing here: numbers ${from} to ${to}`;
}

function unreadableText(line: UnreadableLine): string {
  const { text, lengthBytes, isTorn } = line;
  const what = isTorn ? "torn line" : "no line of a log";
  return `${what}, ${lengthBytes} bytes: ${harmless(text, 200)}`;
}

type Paint = (text: string, color: string) => string;

function painter(hasColor: boolean): Paint {
  return (text, color) =>
    hasColor && color !== "" && text !== "" ? `${color}${text}\x1b[0m` : text;
}

/** JSON keeps controls above U+001F as they are; here a terminal may be at the other end. */
function asciiControls(json: string): string {
  return json.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (letter) =>
      Array.from(
        { length: letter.length },
        (_, at) => `\\u${letter.charCodeAt(at).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}
