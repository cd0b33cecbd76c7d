// @ts-check
/**
 * Values as people read them. What drivers and devices say may hold anything, so
 * it passes through `harmless` before it is shown.
 *
 * @module
 */

/** @import { Json } from "./words.d.ts" */

/** Controls, marks without width or that turn the direction, separators of lines, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** What stands where nothing is known. */
export const UNKNOWN = "–";

/**
 * A text of a driver or a device: what would hide, turn or break it becomes
 * `\u{…}`, and at most `lengthMax` characters remain.
 *
 * @param {string} text
 * @param {number} [lengthMax]
 * @returns {string}
 */
export function harmless(text, lengthMax = 200) {
  // Before the work: a text of megabytes is cut, not escaped whole.
  const shown = text.slice(0, lengthMax * 2 + 2).replace(
    UNSAFE,
    (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`,
  );
  const letters = [...shown];
  return letters.length <= lengthMax
    ? shown
    : `${letters.slice(0, lengthMax - 1).join("")}…`;
}

/**
 * An answer as it stands in a block of its own: lines are kept, all else as in
 * `harmless`.
 *
 * @param {Json} value
 * @param {number} [lengthMax]
 * @returns {string}
 */
export function blockText(value, lengthMax = 20_000) {
  const text = typeof value === "string"
    ? value
    : JSON.stringify(value, undefined, 2);
  const lines = (text ?? "").slice(0, lengthMax + 1).split(/\r\n|\n/);
  const shown = lines.map((line) => harmless(line, lengthMax)).join("\n");
  return shown.length <= lengthMax ? shown : `${shown.slice(0, lengthMax)}…`;
}

/**
 * JSON in one line; a text stands without its quotes.
 *
 * @param {Json} value
 * @param {number} [lengthMax]
 * @returns {string}
 */
export function jsonText(value, lengthMax = 200) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return harmless(text ?? "", lengthMax);
}

/**
 * What a driver said: a measured value reads as one, anything else as names and values.
 *
 * @param {{ readonly [key: string]: Json }} data
 * @param {number} [lengthMax]
 * @returns {string}
 */
export function dataText(data, lengthMax = 200) {
  const { value, unit } = data;
  if (typeof value === "number" && typeof unit === "string") {
    return `${value} ${harmless(unit, 16)}`.trimEnd();
  }
  const text = Object.entries(data).slice(0, 64)
    .map(([name, member]) => `${harmless(name, 40)} ${jsonText(member, 80)}`)
    .join(", ");
  return harmless(text === "" ? UNKNOWN : text, lengthMax);
}

/**
 * A number with as many digits as say something: `1 234`, `0.52`, `12.3`.
 *
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function numberText(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return UNKNOWN;
  }
  const size = Math.abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  if (size >= 1000) return grouped(Math.round(value));
  if (Number.isInteger(value)) return signed(String(value));
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4;
  return signed(value.toFixed(digits));
}

/**
 * A number with its unit; what is not known has none.
 *
 * @param {number | null | undefined} value
 * @param {string} unit
 * @returns {string}
 */
export function withUnit(value, unit) {
  const text = numberText(value);
  return text === UNKNOWN ? text : `${text} ${unit}`.trimEnd();
}

/**
 * A number of bytes in the unit that fits. IEC 80000-13, the decimal prefixes.
 *
 * @param {number} bytes
 * @returns {string}
 */
export function bytesText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, index] = [bytes, 0];
  for (; value >= 1000 && index < units.length - 1; index++) value /= 1000;
  return `${numberText(value)} ${units[index]}`;
}

/**
 * How long something takes or took.
 *
 * @param {number | null | undefined} durationMs
 * @returns {string}
 */
export function durationText(durationMs) {
  if (durationMs === null || durationMs === undefined) return UNKNOWN;
  if (!Number.isFinite(durationMs)) return UNKNOWN;
  if (durationMs < 1000) return `${Math.max(0, Math.round(durationMs))} ms`;
  const seconds = Math.floor(durationMs / 1000);
  const steps = /** @type {const} */ ([[86_400, "d", 3600, "h"], [
    3600,
    "h",
    60,
    "min",
  ], [60, "min", 1, "s"]]);
  for (const [size, unit, partSize, partUnit] of steps) {
    if (seconds < size) continue;
    const part = Math.floor((seconds % size) / partSize);
    const whole = `${Math.floor(seconds / size)} ${unit}`;
    return part === 0 ? whole : `${whole} ${part} ${partUnit}`;
  }
  return `${seconds} s`;
}

/**
 * Time of day at this place: `14:03:22`.
 *
 * @param {number} wallMs
 * @returns {string}
 */
export function timeText(wallMs) {
  const at = new Date(wallMs);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * Time of day, with the date when it is another day than `nowMs` is.
 *
 * @param {number} wallMs
 * @param {number} nowMs
 * @returns {string}
 */
export function dateTimeText(wallMs, nowMs) {
  const at = new Date(wallMs);
  const now = new Date(nowMs);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  if (at.toDateString() === now.toDateString()) return timeText(wallMs);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()]
    .map((part) => String(part).padStart(2, "0")).join("-");
  return `${day} ${timeText(wallMs)}`;
}

/**
 * `1 restart`, `3 restarts`.
 *
 * @param {number} count
 * @param {string} noun
 * @returns {string}
 */
export function countText(count, noun) {
  return `${numberText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** @param {number} whole */
function grouped(whole) {
  // A narrow space that does not break. ISO 80000-1, 7.3.1.
  return signed(String(whole).replace(/\B(?=(\d{3})+$)/g, "\u202f"));
}

/** A minus is wider than a hyphen. @param {string} text */
function signed(text) {
  return text.replace("-", "\u2212");
}
