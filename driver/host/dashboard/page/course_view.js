// @ts-check
/// <reference lib="dom" />
/**
 * A driver over time: its states as a band, and below them its numbers, all on
 * the same stretch of time.
 *
 * @module
 */

/** @import { DriverModel } from "./model.js" */
/** @import { Reading } from "./readings.js" */
/** @import { Line } from "./plot_view.js" */
/** @import { AxisOptions } from "./scale.js" */
/** @import { Span } from "./spark_view.js" */

import { el, section } from "./dom.js";
import { PlotView } from "./plot_view.js";
import { StateBand } from "./spark_view.js";
import { TimeCursor } from "./time_cursor.js";

/**
 * A plot that every driver has.
 *
 * @typedef {object} PlotKind
 * @property {string} title
 * @property {string} unit
 * @property {AxisOptions} axis
 * @property {(driver: DriverModel) => Line[]} linesOf
 */

/** @type {readonly PlotKind[]} */
const KINDS = [
  {
    title: "Interrupts",
    unit: "/s",
    axis: { fromZero: true },
    linesOf: ({ rate }) => [{ label: "interrupts", points: rate.points }],
  },
  {
    title: "Latency",
    unit: "ms",
    axis: { fromZero: true },
    linesOf: ({ median, high, lag }) => [
      { label: "median", points: median.points },
      { label: "99 %", points: high.points },
      { label: "loop", points: lag.points },
    ],
  },
  {
    title: "Throughput",
    unit: "B/s",
    axis: { fromZero: true, hasPrefix: true },
    linesOf: ({ bytesIn, bytesOut }) => [
      { label: "in", points: bytesIn.points },
      { label: "out", points: bytesOut.points },
    ],
  },
  {
    title: "Queue depth",
    unit: "",
    axis: { fromZero: true, isWhole: true },
    linesOf: ({ queue }) => [{ label: "waiting", points: queue.points }],
  },
];

/** Plots of values; a driver may declare more than fit on a page. */
const VALUE_PLOTS_MAX = 6;

/** The course of a driver. */
export class CourseView {
  #cursor = new TimeCursor();
  #band = new StateBand();
  #plots = KINDS.map(({ title, unit, axis, linesOf }) => ({
    view: new PlotView({ title, unit, axis, cursor: this.#cursor }),
    linesOf,
  }));
  /** Of its values, by key. @type {Map<string, PlotView>} */
  #values = new Map();
  #grid = el(
    "div",
    { class: "plots" },
    ...this.#plots.map(({ view }) => view.node),
  );
  node = section(
    "Over time",
    "course-panel",
    el(
      "div",
      { class: "band-row" },
      el("span", {}, "State"),
      this.#band.node,
    ),
    this.#grid,
  );

  /**
   * @param {DriverModel} driver
   * @param {Span} span
   * @returns {void}
   */
  update(driver, span) {
    const common = { ...span, marks: driver.ends };
    this.#band.update(driver.states.stretches, span);
    for (const { view, linesOf } of this.#plots) {
      view.update({ ...common, lines: linesOf(driver) });
    }
    for (const reading of driver.readings) {
      const points = driver.values.get(reading.key)?.points;
      if (points === undefined || !reading.isValue) continue;
      this.#plotOf(reading)?.update({
        ...common,
        lines: [{ label: reading.label, points }],
      });
    }
  }

  /** What it measures comes first: that is what the device is there for. @param {Reading} reading */
  #plotOf({ key, label, unit }) {
    const known = this.#values.get(key);
    if (known !== undefined || this.#values.size >= VALUE_PLOTS_MAX) {
      return known;
    }
    const view = new PlotView({ title: label, unit, cursor: this.#cursor });
    const before = this.#plots[0]?.view.node ?? null;
    this.#grid.insertBefore(view.node, before);
    this.#values.set(key, view);
    return view;
  }
}
