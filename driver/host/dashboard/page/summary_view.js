// @ts-check
/// <reference lib="dom" />
/**
 * The head of the page: how many drivers are how, and how the link is.
 *
 * @module
 */

/** @import { View } from "./dom.js" */
/** @import { Model } from "./model.js" */
/** @import { Link } from "./poller.js" */

import { el, keyedList, setAttributes, setText, svg } from "./dom.js";
import { badge } from "./icons.js";
import { summaryOf } from "./states.js";
import { harmless } from "./text.js";

/** @typedef {ReturnType<typeof summaryOf>[number]} Count */

/** The head. */
export class SummaryView {
  #counts = el("ul", { class: "counts", "aria-label": "Drivers by state" });
  #link = el("span", { class: "link-word" });
  #version = el("span", { class: "version soft" });
  #linkState = el("p", { class: "link", role: "status" }, this.#link);
  node = el(
    "header",
    { class: "top" },
    el("a", { class: "name", href: "#/" }, logo(), "Driver Space"),
    this.#counts,
    this.#version,
    this.#linkState,
  );
  #sync = keyedList(this.#counts, makeCount);

  /** Nothing is known before the token is. */
  lock() {
    this.#sync([], () => "");
    setText(this.#version, "");
    setText(this.#link, "Token needed");
    setAttributes(this.#linkState, { "data-link": "connecting" });
  }

  /**
   * @param {Model} model
   * @param {Link} link
   * @returns {void}
   */
  update(model, link) {
    const views = [...model.drivers.values()].map(({ view }) => view);
    this.#sync(summaryOf(views), ({ shown }) => shown.word);
    const { version, stopping = false } = model.status ?? {};
    const text = version === undefined ? "" : `v${harmless(version, 20)}`;
    setText(this.#version, text);
    const words = {
      connecting: "Connecting",
      live: stopping ? "Stopping" : "Live",
      lost: "Link lost",
    };
    setText(this.#link, words[link.kind]);
    setAttributes(this.#linkState, { "data-link": link.kind });
  }
}

/** @param {Count} first @returns {View<Count>} */
function makeCount({ shown }) {
  const state = badge();
  const node = el("li", {}, state.node);
  return {
    node,
    update: ({ count }) =>
      state.update({ word: `${count} ${shown.word}`, tone: shown.tone }),
  };
}

/** A plug with its waves. */
function logo() {
  return svg(
    "svg",
    { class: "logo", viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("path", {
      d: "M12 21V9M12 3v2M8 9h8M12 15l4.5-2.6V11M12 18l-4.5-2.6V13",
    }),
    svg("circle", { cx: 12, cy: 5, r: 2 }),
    svg("circle", { cx: 7.5, cy: 12, r: 1.4 }),
    svg("rect", { x: 15.2, y: 8.2, width: 2.6, height: 2.6, rx: 0.5 }),
  );
}
