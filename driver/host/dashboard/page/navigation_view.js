// @ts-check
/// <reference lib="dom" />
/**
 * The way from one driver to the next, where there is room for it.
 *
 * @module
 */

/** @import { View } from "./dom.js" */
/** @import { DriverModel, Model } from "./model.js" */
/** @import { Route } from "./route.js" */

import { el, keyedList, setAttributes, setText } from "./dom.js";
import { mark } from "./icons.js";
import { driverHash } from "./route.js";
import { shownState } from "./states.js";
import { harmless } from "./text.js";

/** @typedef {{ readonly driver: DriverModel; readonly isCurrent: boolean }} Entry */

/** Links to every driver. */
export class NavigationView {
  #all = el("a", { href: "#/" }, "All drivers");
  #list = el("ul");
  node = el("nav", { "aria-label": "Drivers" }, this.#all, this.#list);
  #sync = keyedList(this.#list, makeEntry);

  /**
   * @param {Model | undefined} model
   * @param {Route} route
   * @returns {void}
   */
  update(model, route) {
    this.node.hidden = model === undefined || route.kind === "all";
    const current = route.kind === "driver" ? route.name : undefined;
    const entries = [...model?.drivers.values() ?? []].map((driver) => ({
      driver,
      isCurrent: driver.view.name === current,
    }));
    this.#sync(entries, ({ driver }) => driver.view.name);
  }
}

/** @param {Entry} first @returns {View<Entry>} */
function makeEntry({ driver: { view: { name } } }) {
  const word = el("span", { class: "nav-state soft" });
  const icon = el("span", { class: "nav-mark" });
  const link = el(
    "a",
    { href: driverHash(name) },
    icon,
    el("span", { class: "nav-name" }, harmless(name, 40)),
    word,
  );
  return {
    node: el("li", {}, link),
    update: ({ driver, isCurrent }) => {
      const shown = shownState(driver.view);
      if (icon.getAttribute("data-tone") !== shown.tone) {
        icon.replaceChildren(mark(shown.tone));
      }
      setAttributes(icon, { "data-tone": shown.tone });
      setText(word, shown.word);
      setAttributes(link, { "aria-current": isCurrent ? "page" : undefined });
    },
  };
}
