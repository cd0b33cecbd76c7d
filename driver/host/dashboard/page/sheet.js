// @ts-check
/**
 * The sheet a plot is drawn on: where its axes lie for the width it has, what is
 * written beside them, and which time lies below a pixel.
 *
 * @module
 */

/** @import { Axis } from "./scale.js" */

import { decimalsOf, timeTicks } from "./scale.js";
import { numberText, timeText } from "./text.js";

/** Height of every plot, in pixels. */
export const SHEET_HEIGHT = 168;
const TOP = 10;
const BOTTOM = 24;
const RIGHT = 10;
/** A character of a label, and the least that is left of the axis. */
const LETTER_WIDTH = 6.8;
const LEFT_MIN = 40;
/** Half of a time of day, and the room two of them need. */
const TIME_HALF = 24;
const TIME_ROOM = 84;

/**
 * A label and its place.
 *
 * @typedef {object} Label
 * @property {string} text
 * @property {number} x
 * @property {number} y
 */

/**
 * A sheet.
 *
 * @typedef {object} Sheet
 * @property {number} left
 * @property {number} right
 * @property {number} topY
 * @property {number} baseY
 * @property {(atMs: number) => number} x
 * @property {(value: number) => number} y
 * @property {(x: number) => number} timeAt
 * @property {readonly (Label & { readonly lineY: number })[]} values Right-aligned at `x`.
 * @property {readonly Label[]} times Centred at `x`.
 */

/**
 * Lays a sheet out.
 *
 * @param {{ readonly axis: Axis; readonly width: number; readonly fromMs: number; readonly toMs: number; readonly factor?: number }} options `factor`: that of the unit's prefix.
 * @returns {Sheet}
 */
export function sheetOf({ axis, width, fromMs, toMs, factor = 1 }) {
  const ticks = axis.ticks.map((tick) => tick / factor);
  const texts = ticks.map((tick) => tickText(tick, ticks));
  const longest = Math.max(0, ...texts.map(({ length }) => length));
  const left = Math.max(LEFT_MIN, Math.ceil(longest * LETTER_WIDTH) + 12);
  const right = width - RIGHT;
  const inner = Math.max(1, right - left);
  const baseY = SHEET_HEIGHT - BOTTOM;
  const x = (/** @type {number} */ atMs) =>
    left + (atMs - fromMs) / (toMs - fromMs) * inner;
  const y = (/** @type {number} */ value) =>
    baseY - (value - axis.from) / (axis.to - axis.from) * (baseY - TOP);
  const steps = Math.max(2, Math.floor(inner / TIME_ROOM));
  return {
    left,
    right,
    topY: TOP,
    baseY,
    x,
    y,
    timeAt: (at) => {
      const part = Math.min(1, Math.max(0, (at - left) / inner));
      return fromMs + part * (toMs - fromMs);
    },
    values: axis.ticks.map((tick, index) => ({
      text: texts[index] ?? "",
      x: left - 8,
      y: y(tick) + 4,
      lineY: y(tick),
    })),
    times: timeTicks(fromMs, toMs, steps).map((atMs) => ({
      text: timeText(atMs),
      // A label at an edge stays inside.
      x: Math.max(left + TIME_HALF, Math.min(x(atMs), right - TIME_HALF + 8)),
      y: SHEET_HEIGHT - 6,
    })),
  };
}

/**
 * A value as exact as its axis asks for: where ticks differ in the sixth digit,
 * two digits would be the same everywhere.
 *
 * @param {number | null | undefined} value
 * @param {Axis} axis
 * @returns {string}
 */
export function valueText(value, axis) {
  const isFine = value !== null && value !== undefined &&
    axis.to - axis.from < Math.abs(value) * 0.01;
  return isFine
    ? minus(value.toFixed(Math.min(12, decimalsOf(axis) + 1)))
    : numberText(value);
}

/** @param {number} tick @param {readonly number[]} ticks */
function tickText(tick, ticks) {
  const decimals = decimalsOf({ ticks });
  return Math.abs(tick) >= 1000 && decimals === 0
    ? numberText(tick)
    : minus(tick.toFixed(decimals));
}

/** @param {string} text */
function minus(text) {
  return text.replace("-", "\u2212");
}
