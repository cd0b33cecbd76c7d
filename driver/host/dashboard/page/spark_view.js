// @ts-check
/// <reference lib="dom" />
/**
 * Small drawings without axes: the course of a number, and the states of a
 * driver as a band. What they show stands beside them in words.
 *
 * @module
 */

/** @import { AxisOptions } from "./scale.js" */
/** @import { Point, Stretch } from "./words.d.ts" */

import { setAttributes, svg } from "./dom.js";
import { rangeOf } from "./plot_path.js";
import { drawLine } from "./plot_view.js";
import { valueAxis } from "./scale.js";
import { shownStateName } from "./states.js";

const WIDTH = 200;
const HEIGHT = 40;
/** Room for half a stroke. */
const MARGIN = 2;

/**
 * A stretch of time.
 *
 * @typedef {{ readonly fromMs: number; readonly toMs: number }} Span
 */

/** The course of a number. */
export class Sparkline {
  node = svg("svg", {
    class: "spark",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  #axis;

  /** @param {AxisOptions} [axis] */
  constructor(axis = {}) {
    this.#axis = axis;
  }

  /**
   * @param {readonly Point[]} points
   * @param {Span} span
   * @returns {void}
   */
  update(points, { fromMs, toMs }) {
    const inView = points.filter((point) => point.atMs >= fromMs);
    const range = rangeOf(inView, fromMs);
    const axis = valueAxis(
      range?.lowest ?? 0,
      range?.highest ?? 1,
      this.#axis,
    );
    const inner = HEIGHT - 2 * MARGIN;
    this.node.replaceChildren(...drawLine(inView, {
      x: (atMs) => (atMs - fromMs) / (toMs - fromMs) * WIDTH,
      y: (value) =>
        HEIGHT - MARGIN - (value - axis.from) / (axis.to - axis.from) * inner,
      baseY: HEIGHT,
      className: "series-1",
      isFilled: true,
    }));
  }
}

/** The states of a driver. */
export class StateBand {
  node = svg("svg", {
    class: "band",
    viewBox: `0 0 ${WIDTH} 10`,
    preserveAspectRatio: "none",
    role: "img",
  });

  /**
   * @param {readonly Stretch[]} stretches
   * @param {Span} span
   * @returns {void}
   */
  update(stretches, { fromMs, toMs }) {
    const inView = stretches.filter((stretch) => stretch.toMs >= fromMs);
    const x = (/** @type {number} */ atMs) =>
      (Math.max(atMs, fromMs) - fromMs) / (toMs - fromMs) * WIDTH;
    this.node.replaceChildren(...inView.map((stretch, index) => {
      const next = inView[index + 1];
      // Up to the next look, unless there is a hole.
      const endMs = next !== undefined && next.fromMs - stretch.toMs < 4_000
        ? next.fromMs
        : stretch.toMs;
      return svg("rect", {
        "data-tone": shownStateName(stretch.state).tone,
        x: x(stretch.fromMs),
        // A state of an instant is seen all the same.
        width: Math.max(0.7, x(endMs) - x(stretch.fromMs)),
        y: 0,
        height: 10,
      });
    }));
    const words = inView.slice(-8).map(({ state }) =>
      shownStateName(state).word
    );
    setAttributes(this.node, { "aria-label": `States: ${words.join(", ")}` });
  }
}
