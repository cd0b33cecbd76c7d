// @ts-check
/// <reference lib="dom" />
/**
 * What a driver said last, each kind with its age and its course.
 *
 * @module
 */

/** @import { View } from "./dom.js" */
/** @import { DriverModel } from "./model.js" */
/** @import { Span } from "./spark_view.js" */
/** @import { Reading } from "./readings.js" */

import { el, keyedList, section, setAttributes, setText } from "./dom.js";
import { Sparkline } from "./spark_view.js";
import { durationText } from "./text.js";

/**
 * @typedef {object} Item
 * @property {Reading} reading
 * @property {DriverModel} driver
 * @property {Span} span
 */

/** Values of a driver. */
export class ValuesView {
  #list = el("ul", { class: "values" });
  #empty = el("p", { class: "soft" }, "It has said nothing yet.");
  node = section("Values", "values-panel", this.#empty, this.#list);
  #sync = keyedList(this.#list, makeValue);

  /**
   * @param {DriverModel} driver
   * @param {Span} span
   * @returns {void}
   */
  update(driver, span) {
    const { readings } = driver;
    this.#empty.hidden = readings.length > 0;
    this.#sync(
      readings.map((reading) => ({ reading, driver, span })),
      ({ reading }) => reading.key,
    );
  }
}

/** @param {Item} first @returns {View<Item>} */
function makeValue({ reading: { label, key } }) {
  const text = el("p", { class: "value-text" });
  const age = el("p", { class: "value-age soft" });
  const spark = new Sparkline();
  const title = el("h3", {}, label);
  return {
    node: el("li", { class: "value" }, title, text, spark.node, age),
    update: ({ reading, driver, span }) => {
      setText(text, reading.text);
      setAttributes(text, {
        "data-stale": reading.stale,
        "data-long": !reading.isValue,
      });
      // A value has a plot of its own.
      const series = reading.isValue ? undefined : driver.values.get(key);
      setAttributes(spark.node, { class: series ? "spark" : "spark none" });
      if (series !== undefined) spark.update(series.points, span);
      setText(age, ageText(reading));
    },
  };
}

/** @param {Reading} reading */
function ageText({ stale, ageMs }) {
  if (ageMs < 2_000 && !stale) return "now";
  return `${durationText(ageMs)} ago`;
}
