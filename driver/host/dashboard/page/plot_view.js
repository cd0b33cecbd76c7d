// @ts-check
/// <reference lib="dom" />
/**
 * A plot of numbers over time, drawn at the size it has on the screen, with axes,
 * units, and a cursor that mouse, finger and arrow keys move.
 *
 * @module
 */

/** @import { Point } from "./words.d.ts" */
/** @import { Axis, AxisOptions } from "./scale.js" */
/** @import { Sheet } from "./sheet.js" */
/** @import { TimeCursor } from "./time_cursor.js" */

import { el, setAttributes, svg } from "./dom.js";
import { nearest } from "./history.js";
import { areaPath, linePath, rangeOf } from "./plot_path.js";
import { prefixOf, valueAxis } from "./scale.js";
import { SHEET_HEIGHT, sheetOf, valueText } from "./sheet.js";
import { timeText, UNKNOWN } from "./text.js";

/**
 * One line of a plot.
 *
 * @typedef {object} Line
 * @property {string} label
 * @property {readonly Point[]} points
 */

/**
 * What a plot shows now.
 *
 * @typedef {object} PlotContent
 * @property {readonly Line[]} lines
 * @property {number} fromMs
 * @property {number} toMs
 * @property {readonly number[]} marks When its process ended.
 */

/** A plot. */
export class PlotView {
  /** @type {HTMLElement} */
  node;
  #title;
  #unit;
  #cursor;
  #axisOptions;
  #width = 0;
  /** @type {PlotContent} */
  #content = { lines: [], fromMs: 0, toMs: 1, marks: [] };
  /** @type {Sheet | undefined} */
  #sheet;
  #area = el("div", { class: "plot-area", tabindex: 0, role: "slider" });
  #canvas = svg("svg", { "aria-hidden": "true", height: SHEET_HEIGHT });
  #readout = el("p", { class: "plot-readout" });

  /**
   * @param {{ readonly title: string; readonly unit: string; readonly cursor: TimeCursor; readonly axis?: AxisOptions }} options
   */
  constructor({ title, unit, cursor, axis = {} }) {
    this.#title = title;
    this.#unit = unit;
    this.#cursor = cursor;
    this.#axisOptions = axis;
    this.#area.append(this.#canvas);
    this.node = el(
      "figure",
      { class: "plot" },
      el("figcaption", {}, el("h3", {}, title), this.#readout),
      this.#area,
    );
    this.#listen();
  }

  /**
   * @param {PlotContent} content
   * @returns {void}
   */
  update(content) {
    this.#content = content;
    this.#draw();
  }

  #listen() {
    new ResizeObserver(([entry]) => {
      this.#width = Math.round(entry?.contentRect.width ?? 0);
      this.#draw();
    }).observe(this.#area);
    this.#cursor.follow(this.#area, {
      timeAt: (offset) => this.#sheet?.timeAt(offset) ?? this.#content.toMs,
      range: () => this.#content,
    });
    this.#cursor.onMove(() => this.#draw());
  }

  /** Where the cursor is, if it is on this sheet. */
  get #cursorMs() {
    const { fromMs, toMs } = this.#content;
    const { atMs } = this.#cursor;
    return atMs === undefined || atMs < fromMs || atMs > toMs
      ? undefined
      : atMs;
  }

  #draw() {
    const axis = this.#axis();
    this.#say(axis);
    if (this.#width <= 0 || !this.node.isConnected) return;
    const { lines, fromMs, toMs, marks } = this.#content;
    const width = this.#width;
    const { factor } = this.#prefix(axis);
    const sheet = this.#sheet = sheetOf({ axis, width, fromMs, toMs, factor });
    setAttributes(this.#canvas, {
      width,
      viewBox: `0 0 ${width} ${SHEET_HEIGHT}`,
    });
    const inView = marks.filter((atMs) => atMs >= fromMs && atMs <= toMs);
    this.#canvas.replaceChildren(
      ...drawAxes(sheet),
      ...inView.map((atMs) => verticalAt(atMs, sheet, "plot-mark")),
      ...lines.flatMap(({ points }, index) =>
        drawLine(points.filter((point) => point.atMs >= fromMs), {
          ...sheet,
          className: `series-${index + 1}`,
          isFilled: lines.length === 1,
        })
      ),
      ...this.#drawCursor(sheet),
    );
  }

  #axis() {
    const { lines, fromMs } = this.#content;
    const ranges = lines.map(({ points }) => rangeOf(points, fromMs))
      .filter((range) => range !== undefined);
    return valueAxis(
      Math.min(...ranges.map(({ lowest }) => lowest)),
      Math.max(...ranges.map(({ highest }) => highest)),
      this.#axisOptions,
    );
  }

  /** @param {Axis} axis */
  #prefix(axis) {
    return this.#axisOptions.hasPrefix === true
      ? prefixOf(axis)
      : { sign: "", factor: 1 };
  }

  /** @param {Sheet} sheet */
  #drawCursor(sheet) {
    const atMs = this.#cursorMs;
    if (atMs === undefined) return [];
    const dots = this.#content.lines.flatMap(({ points }, index) => {
      const point = nearest(points, atMs);
      if (point === undefined || point.value === null) return [];
      return [svg("circle", {
        class: `plot-dot series-${index + 1}`,
        cx: sheet.x(point.atMs),
        cy: sheet.y(point.value),
        r: 4,
      })];
    });
    return [verticalAt(atMs, sheet, "plot-cursor"), ...dots];
  }

  /** What the plot shows, in words: the newest, or what lies under the cursor. @param {Axis} axis */
  #say(axis) {
    const { lines } = this.#content;
    const atMs = this.#cursorMs;
    const { sign, factor } = this.#prefix(axis);
    const parts = lines.map(({ label, points }) => {
      const point = atMs === undefined ? points.at(-1) : nearest(points, atMs);
      const value = point?.value ?? null;
      const text = valueText(value === null ? null : value / factor, axis);
      const unit = text === UNKNOWN ? "" : ` ${sign}${this.#unit}`;
      return { label, text: `${text}${unit}`.trimEnd() };
    });
    this.#readout.replaceChildren(
      ...(atMs === undefined
        ? []
        : [el("span", { class: "soft" }, timeText(atMs))]),
      ...parts.map(({ label, text }, index) =>
        el(
          "span",
          { class: `series-${index + 1}` },
          ...(lines.length > 1 ? [key(index), label, " "] : []),
          el("b", {}, text),
        )
      ),
    );
    const said = parts.map(({ label, text }) => `${label} ${text}`).join(", ");
    this.#describe(said);
  }

  /** @param {string} said */
  #describe(said) {
    const { fromMs, toMs } = this.#content;
    const atMs = this.#cursorMs;
    // Who has the focus here and has not moved is not told anew each second.
    const isHeard = document.activeElement === this.#area;
    if (isHeard && atMs === undefined) return;
    const nowMs = atMs ?? toMs;
    setAttributes(this.#area, {
      "aria-label": `${this.#title} over time`,
      "aria-valuemin": Math.round(fromMs / 1000),
      "aria-valuemax": Math.round(toMs / 1000),
      "aria-valuenow": Math.round(nowMs / 1000),
      "aria-valuetext": `${timeText(nowMs)}: ${said}`,
    });
  }
}

/**
 * A line, and the surface below it where it is the only one.
 *
 * @param {readonly Point[]} points
 * @param {{ x: (atMs: number) => number; y: (value: number) => number; baseY: number; className: string; isFilled: boolean }} options
 * @returns {SVGElement[]}
 */
export function drawLine(points, options) {
  const line = svg("path", {
    class: `plot-line ${options.className}`,
    d: linePath(points, options),
  });
  if (!options.isFilled) return [line];
  const surface = svg("path", {
    class: `plot-surface ${options.className}`,
    d: areaPath(points, options),
  });
  return [surface, line];
}

/** @param {Sheet} sheet @returns {SVGElement[]} */
function drawAxes({ left, right, values, times }) {
  return [
    ...values.flatMap(({ text, x, y, lineY }) => [
      svg("path", { class: "plot-grid", d: `M${left},${lineY}H${right}` }),
      label(text, { x, y, "text-anchor": "end" }),
    ]),
    ...times.map(({ text, x, y }) =>
      label(text, { x, y, "text-anchor": "middle" })
    ),
  ];
}

/** @param {number} atMs @param {Sheet} sheet @param {string} className */
function verticalAt(atMs, { x, topY, baseY }, className) {
  const d = `M${x(atMs).toFixed(1)},${topY}V${baseY}`;
  return svg("path", { class: className, d });
}

/** @param {string} text @param {Readonly<Record<string, string | number>>} place */
function label(text, place) {
  return svg("text", { ...place, class: "plot-label" }, text);
}

/** The line itself beside its name, dashes and all. @param {number} index */
function key(index) {
  const line = svg("path", {
    class: `plot-line series-${index + 1}`,
    d: "M1,4H19",
  });
  return svg(
    "svg",
    { class: "key", viewBox: "0 0 20 8", "aria-hidden": "true" },
    line,
  );
}
