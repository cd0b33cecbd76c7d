// @ts-check
/**
 * Points to paths of SVG. Where nothing is known the line breaks off: a line
 * across a hole would be made up.
 *
 * @module
 */

/** @import { Point } from "./words.d.ts" */

import { HOLE_MS } from "./history.js";

/**
 * Where times and values lie on paper.
 *
 * @typedef {object} Paper
 * @property {(atMs: number) => number} x
 * @property {(value: number) => number} y
 */

/**
 * Runs of points without a hole between them.
 *
 * @param {readonly Point[]} points
 * @returns {{ readonly atMs: number; readonly value: number }[][]}
 */
export function runsOf(points) {
  /** @type {{ readonly atMs: number; readonly value: number }[][]} */
  const runs = [];
  /** @type {number | undefined} */
  let beforeMs;
  for (const { atMs, value } of points) {
    if (value === null) {
      beforeMs = undefined;
      continue;
    }
    const run = runs.at(-1);
    const goesOn = beforeMs !== undefined && atMs - beforeMs <= HOLE_MS;
    if (run !== undefined && goesOn) run.push({ atMs, value });
    else runs.push([{ atMs, value }]);
    beforeMs = atMs;
  }
  return runs;
}

/**
 * The line. A point that stands alone is a dot: a line as short as a round cap makes it visible.
 *
 * @param {readonly Point[]} points
 * @param {Paper} paper
 * @returns {string}
 */
export function linePath(points, paper) {
  return runsOf(points).map((run) => {
    const line = run.map((point) => place(point, paper)).join("L");
    return run.length === 1 ? `M${line}h0.01` : `M${line}`;
  }).join("");
}

/**
 * The surface below the line, down to `baseY`.
 *
 * @param {readonly Point[]} points
 * @param {Paper & { readonly baseY: number }} paper
 * @returns {string}
 */
export function areaPath(points, paper) {
  const base = rounded(paper.baseY);
  return runsOf(points).filter((run) => run.length > 1).map((run) => {
    const line = run.map((point) => place(point, paper)).join("L");
    const first = rounded(paper.x(run[0]?.atMs ?? 0));
    const last = rounded(paper.x(run.at(-1)?.atMs ?? 0));
    return `M${first},${base}L${line}L${last},${base}Z`;
  }).join("");
}

/**
 * Least and greatest of what is known in a stretch of time.
 *
 * @param {readonly Point[]} points
 * @param {number} fromMs
 * @returns {{ readonly lowest: number; readonly highest: number } | undefined}
 */
export function rangeOf(points, fromMs) {
  let lowest = Infinity;
  let highest = -Infinity;
  for (const { atMs, value } of points) {
    if (value === null || atMs < fromMs) continue;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  return lowest <= highest ? { lowest, highest } : undefined;
}

/** @param {{ readonly atMs: number; readonly value: number }} point @param {Paper} paper */
function place({ atMs, value }, paper) {
  return `${rounded(paper.x(atMs))},${rounded(paper.y(value))}`;
}

/** A tenth of a pixel is more than enough. @param {number} value */
function rounded(value) {
  return Math.round(value * 10) / 10;
}
