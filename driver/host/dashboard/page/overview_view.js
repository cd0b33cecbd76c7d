// @ts-check
/// <reference lib="dom" />
/**
 * All drivers at a glance: a card for each.
 *
 * @module
 */

/** @import { DriverModel } from "./model.js" */
/** @import { Span } from "./spark_view.js" */
/** @import { View } from "./dom.js" */
/** @import { Fact } from "./fact_list.js" */

import { el, keyedList, setAttributes, setText } from "./dom.js";
import { FactList } from "./fact_list.js";
import { badge } from "./icons.js";
import { endsOf, waitingOf } from "./model.js";
import { headlineOf } from "./readings.js";
import { driverHash } from "./route.js";
import { Sparkline } from "./spark_view.js";
import { needsAttention, shownState } from "./states.js";
import {
  countText,
  durationText,
  harmless,
  numberText,
  UNKNOWN,
  withUnit,
} from "./text.js";

/**
 * What a card needs.
 *
 * @typedef {object} CardItem
 * @property {DriverModel} driver
 * @property {Span} span
 * @property {number} serverNowMs
 */

/** The overview. */
export class OverviewView {
  #grid = el("ul", { class: "cards" });
  #empty = el("p", { class: "soft" }, "There are no drivers.");
  node = el(
    "div",
    { class: "overview" },
    el("h1", { tabindex: -1 }, "Drivers"),
    this.#empty,
    this.#grid,
  );
  #sync = keyedList(this.#grid, makeCard);

  /**
   * @param {readonly CardItem[]} items
   * @returns {void}
   */
  update(items) {
    this.#empty.hidden = items.length > 0;
    this.#sync(items, ({ driver }) => driver.view.name);
  }
}

/** @param {CardItem} first @returns {View<CardItem>} */
function makeCard(first) {
  const { name } = first.driver.view;
  const link = el("a", { href: driverHash(name) }, harmless(name, 40));
  const state = badge();
  const device = el("p", { class: "card-device soft" });
  const reading = el("p", { class: "card-reading" });
  const readingOf = el("p", { class: "card-note soft" });
  const cause = el("p", { class: "card-cause" });
  const spark = new Sparkline({ fromZero: true });
  const numbers = new FactList("card-numbers");
  const foot = el("p", { class: "card-foot soft" });
  const node = el(
    "li",
    { class: "card" },
    el("div", { class: "card-head" }, el("h2", {}, link), state.node),
    device,
    el("div", { class: "card-main" }, reading, readingOf),
    cause,
    spark.node,
    numbers.node,
    foot,
  );
  return {
    node,
    update: ({ driver, span, serverNowMs }) => {
      const { view } = driver;
      const shown = shownState(view);
      setAttributes(node, { "data-tone": shown.tone });
      state.update(shown);
      setText(device, deviceText(view));
      updateReading(driver, { reading, readingOf });
      const why = view.degraded ?? view.cause;
      cause.hidden = !needsAttention(view) || why === null;
      setText(cause, harmless(why ?? "", 160));
      spark.update(driver.rate.points, span);
      numbers.update(factsOf(driver));
      setText(foot, footText(driver, serverNowMs));
    },
  };
}

/** @param {import("./words.d.ts").DriverView} view */
function deviceText({ device, driver }) {
  if (device === null) return harmless(driver, 80);
  const name = device.product ?? `${device.vendor_id}:${device.product_id}`;
  return `${harmless(name, 60)} · port ${harmless(device.port, 30)}`;
}

/**
 * @param {DriverModel} driver
 * @param {{ readonly reading: HTMLElement; readonly readingOf: HTMLElement }} parts
 */
function updateReading({ readings, view }, { reading, readingOf }) {
  const said = headlineOf(readings);
  if (said === undefined) {
    setText(reading, UNKNOWN);
    setAttributes(reading, { "data-stale": false, "data-long": false });
    return setText(readingOf, "nothing said yet");
  }
  const isStale = said.stale || view.state !== "ready";
  setText(reading, said.text);
  setAttributes(reading, {
    "data-stale": isStale,
    "data-long": !said.isValue,
  });
  const age = isStale ? [`${durationText(said.ageMs)} ago`] : [];
  setText(readingOf, [said.label, ...age].join(" · "));
}

/** @param {DriverModel} driver @returns {Fact[]} */
function factsOf({ rate, high, view }) {
  return [
    ["Interrupts", withUnit(rate.last?.value, "/s")],
    ["Latency", withUnit(high.last?.value, "ms")],
    ["Queue", numberText(waitingOf(view))],
    ["Restarts", numberText(endsOf(view))],
  ];
}

/** @param {DriverModel} driver @param {number} serverNowMs */
function footText({ view }, serverNowMs) {
  const { word } = shownState(view);
  const forMs = serverNowMs - Date.parse(view.since);
  const parts = [`${word} for ${durationText(Math.max(0, forMs))}`];
  if (view.next_attempt_ms !== null) {
    parts.push(`next attempt in ${durationText(view.next_attempt_ms)}`);
  }
  if (view.standby) parts.push("standby ready");
  if (view.dropped > 0) parts.push(countText(view.dropped, "drop"));
  if (!view.required) parts.push("optional");
  return parts.join(" · ");
}
