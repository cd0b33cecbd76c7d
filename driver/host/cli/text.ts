/**
 * Text for people: what devices say made harmless, durations, columns.
 *
 * @module
 */

import { cellsOf } from "./cells.ts";
import { CliError, EXIT } from "./exit_codes.ts";

/**
 * A text from a device, a driver or a file, safe on a terminal: control
 * characters, escapes, line ends and characters that turn the writing direction
 * become `\u{…}`, and at most `maxLength` characters remain.
 */
export function harmless(text: string, maxLength = 200): string {
  const shown = text.replace(
    UNSAFE,
    (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`,
  );
  const letters = [...shown];
  return letters.length <= maxLength
    ? shown
    : `${letters.slice(0, maxLength - 1).join("")}…`;
}

/** Like {@linkcode harmless}, but keeps line ends and tabs: for whole messages of ours. */
export function harmlessLines(text: string): string {
  return text.split("\n").map((line) => harmless(line, 2_000)).join("\n");
}

/** Controls, marks without width or that turn the direction, separators of lines, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Reads `12s`, `500ms`, `2m`, `1h`, or seconds without a unit; gives milliseconds.
 *
 * @throws {CliError} When it is no duration above zero and up to a day.
 */
export function parseDuration(text: string, flag: string): number {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const unitMs = UNITS_MS[found?.[2] ?? "s"] ?? 0;
  const durationMs = Number(found?.[1] ?? NaN) * unitMs;
  if (durationMs > 0 && durationMs <= DAY_MS) return durationMs;
  throw new CliError(
    EXIT.usage,
    `Cannot use ${JSON.stringify(harmless(text))} for --${flag}: ` +
      "expected a time such as 500ms, 12s, 5m or 1h, up to 24h",
  );
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const DAY_MS = 86_400_000;

/**
 * Reads a moment: `10m` or `3d` ago, or a date with a time, as `2026-07-30`,
 * `2026-07-30T12:00` or as it stands in a log. Without a zone it is UTC, as
 * logs are. Gives milliseconds of the wall clock.
 *
 * @throws {CliError} When it is neither.
 */
export function parseMoment(
  text: string,
  options: { readonly flag: string; readonly nowMs: number },
): number {
  const { flag, nowMs } = options;
  const ago = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const unitMs = { ...UNITS_MS, d: DAY_MS }[ago?.[2] ?? ""];
  if (unitMs !== undefined) return nowMs - Number(ago?.[1]) * unitMs;
  const date =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/
      .exec(text);
  const [, day = "", time = "00:00", zone = "Z"] = date ?? [];
  const atMs = Date.parse(`${day}T${time}${zone}`);
  if (!Number.isNaN(atMs)) return atMs;
  throw new CliError(
    EXIT.usage,
    `Cannot use ${JSON.stringify(harmless(text, 40))} for --${flag}: ` +
      "expected a time ago such as 10m, 2h or 3d, or a date such as " +
      "2026-07-30 or 2026-07-30T12:00 (UTC)",
  );
}

/** Columns as wide as their widest cell, two spaces apart; the last is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cellsOf(cell));
    });
  }
  return rows.map((row) =>
    row.map((cell, index) =>
      index === row.length - 1 ? cell : cell + " ".repeat(
        (widths[index] ?? 0) - cellsOf(cell),
      )
    ).join("  ").trimEnd()
  );
}

/** A number as people write it: `1 234`, `0.52`, `12.3`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1_000) return String(value);
  if (size >= 1_000) {
    return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, " ");
  }
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Whether a driver's next process waits already; `-` from a supervisor that does not say. */
export function standbyText(standby: boolean | undefined): string {
  if (standby === undefined) return "-";
  return standby ? "ready" : "none";
}
