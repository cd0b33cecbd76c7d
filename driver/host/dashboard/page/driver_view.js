// @ts-check
/// <reference lib="dom" />
/**
 * One driver, with everything that is known of it.
 *
 * @module
 */

/** @import { Api } from "./api.js" */
/** @import { DriverModel } from "./model.js" */
/** @import { Fact } from "./fact_list.js" */
/** @import { Span } from "./spark_view.js" */

import { CommandsView } from "./command_view.js";
import { CourseView } from "./course_view.js";
import { el, setText } from "./dom.js";
import { EndpointsView } from "./endpoints_view.js";
import { ExitsView, HistoryView } from "./exits_view.js";
import { FactList } from "./fact_list.js";
import { badge } from "./icons.js";
import { LogView } from "./log_view.js";
import { endsOf } from "./model.js";
import { canRetry, needsAttention, shownState } from "./states.js";
import { durationText, harmless, numberText, UNKNOWN } from "./text.js";
import { ValuesView } from "./values_view.js";

/**
 * What is shown, and when.
 *
 * @typedef {object} DriverItem
 * @property {DriverModel} driver
 * @property {Span} span
 * @property {number} serverNowMs
 * @property {boolean} isLinked
 */

/** The page of a driver. */
export class DriverPage {
  #api;
  #name;
  #state = badge();
  #meaning = el("p", { class: "meaning soft" });
  #cause = el("p", { class: "cause" });
  #retry = el("button", { type: "button", class: "primary" }, "Try again now");
  #retryNote = el("span", { class: "soft", role: "status" });
  #facts = new FactList("facts");
  #values = new ValuesView();
  #course = new CourseView();
  #commands;
  #endpoints = new EndpointsView();
  #exits = new ExitsView();
  #history = new HistoryView();
  #log = new LogView();
  node;

  /**
   * @param {Api} api
   * @param {string} name
   */
  constructor(api, name) {
    this.#api = api;
    this.#name = name;
    this.#commands = new CommandsView(api, name);
    this.#retry.addEventListener("click", () => void this.#tryAgain());
    this.node = el(
      "div",
      { class: "driver" },
      this.#head(),
      el(
        "div",
        { class: "columns" },
        this.#values.node,
        this.#exits.node,
      ),
      this.#course.node,
      el(
        "div",
        { class: "columns" },
        this.#commands.node,
        el(
          "div",
          { class: "stack" },
          this.#history.node,
          this.#endpoints.node,
        ),
      ),
      this.#log.node,
    );
  }

  /**
   * @param {DriverItem} item
   * @returns {void}
   */
  update({ driver, span, serverNowMs, isLinked }) {
    const { view } = driver;
    const shown = shownState(view);
    this.#state.update(shown);
    const forMs = Math.max(0, serverNowMs - Date.parse(view.since));
    setText(
      this.#meaning,
      `${shown.word} for ${durationText(forMs)}. ${shown.meaning}`,
    );
    const why = view.degraded ?? view.cause;
    this.#cause.hidden = why === null || !needsAttention(view);
    setText(this.#cause, harmless(why ?? "", 1_000));
    this.#retry.hidden = !canRetry(view);
    this.#retry.disabled = !isLinked;
    this.#facts.update(factsOf(driver));
    this.#values.update(driver, span);
    this.#course.update(driver, span);
    this.#commands.update(driver, isLinked);
    this.#endpoints.update(driver);
    this.#exits.update(driver, serverNowMs);
    this.#history.update(driver, serverNowMs);
    this.#log.update(driver);
  }

  #head() {
    return el(
      "div",
      { class: "driver-head" },
      el("a", { href: "#/", class: "back" }, "All drivers"),
      el(
        "div",
        { class: "driver-title" },
        el("h1", { tabindex: -1 }, harmless(this.#name, 40)),
        this.#state.node,
      ),
      this.#meaning,
      this.#cause,
      el("div", { class: "bar" }, this.#retry, this.#retryNote),
      this.#facts.node,
    );
  }

  async #tryAgain() {
    setText(this.#retryNote, "Asking…");
    try {
      await this.#api.retry(this.#name);
      setText(this.#retryNote, "It tries again.");
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      setText(this.#retryNote, harmless(message, 200));
    }
  }
}

/** @param {DriverModel} driver @returns {Fact[]} */
function factsOf(driver) {
  const { view } = driver;
  const { device } = view;
  const id = device === null
    ? UNKNOWN
    : `${device.vendor_id}:${device.product_id}`;
  return [
    ["Device", harmless(nameOf(device) ?? id, 60)],
    ["USB id", harmless(id, 20)],
    ["Port", harmless(device?.port ?? UNKNOWN, 40)],
    ["Serial number", harmless(device?.serial ?? UNKNOWN, 60)],
    ["Driver", harmless(view.driver, 80)],
    ["Process", view.pid === null ? UNKNOWN : String(view.pid)],
    ["Standby", view.standby ? "ready" : "none"],
    ["Starts", numberText(view.starts)],
    ["Restarts", numberText(endsOf(view))],
    ["Interrupts", numberText(view.reports)],
    ["Dropped", numberText(view.dropped)],
    ["Retries", numberText(retriesOf(driver))],
    ["Safe state", harmless(view.safe_state ?? "never needed", 40)],
    ...(view.next_attempt_ms === null ? [] : [
      /** @type {Fact} */ ([
        "Next attempt",
        `in ${durationText(view.next_attempt_ms)}`,
      ]),
    ]),
  ];
}

/** @param {DriverModel["view"]["device"]} device */
function nameOf(device) {
  if (device === null || device.product === null) return undefined;
  const { manufacturer, product } = device;
  return manufacturer === null || product.startsWith(manufacturer)
    ? product
    : `${manufacturer} ${product}`;
}

/** @param {DriverModel} driver */
function retriesOf({ detail }) {
  return Object.values(detail?.retries ?? {})
    .reduce((sum, count) => sum + count, 0);
}
