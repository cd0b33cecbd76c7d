/**
 * Which entries are wanted: by level, by the beginning of the event, by time,
 * by driver.
 *
 * @module
 */

import type { LogLevel } from "../../driver.ts";
import { LOG_LEVELS, type LogEntry } from "./log_entry.ts";

/** What is wanted. What is absent does not choose. */
export interface LogFilter {
  /** This level and those above. */
  readonly level?: LogLevel;
  /** Beginning of the event's name. */
  readonly event?: string;
  /** Wall clock. */
  readonly sinceMs?: number;
  /** Of a log of several drivers: only lines about these. */
  readonly drivers?: readonly string[];
}

/**
 * Whether an entry is wanted. What cannot be read has no level and no event,
 * and losses have none either: they are shown whatever these are.
 */
export function isWanted(entry: LogEntry, filter: LogFilter): boolean {
  const { level, event, sinceMs, drivers } = filter;
  if (sinceMs !== undefined && (entry.atMs ?? Infinity) < sinceMs) return false;
  if (entry.kind !== "line") return true;
  const rank = LOG_LEVELS.indexOf(entry.level);
  if (level !== undefined && rank < LOG_LEVELS.indexOf(level)) return false;
  if (event !== undefined && !entry.event.startsWith(event)) return false;
  if (drivers === undefined) return true;
  const { driver } = entry.fields;
  return typeof driver === "string" && drivers.includes(driver);
}
