/**
 * The levels of log lines in their order.
 *
 * @module
 */

import type { LogLevel } from "../driver.ts";

/** Lowest first: what is dropped first when there is no room. */
export const LOG_LEVELS: readonly LogLevel[] = [
  "debug",
  "info",
  "warn",
  "error",
];

/** Whether a line of `level` is shown to who asked for `least` and above. */
export function isAtLeast(level: LogLevel, least: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least);
}
