// @ts-check
/// <reference lib="dom" />
/**
 * Names with their values, brought up to date in place.
 *
 * @module
 */

/** @import { View } from "./dom.js" */

import { el, keyedList, setText } from "./dom.js";

/**
 * A name and its value.
 *
 * @typedef {readonly [name: string, value: string]} Fact
 */

/** A list of facts. */
export class FactList {
  node;
  #sync;

  /** @param {string} className */
  constructor(className) {
    this.node = el("dl", { class: className });
    this.#sync = keyedList(this.node, makeFact);
  }

  /**
   * @param {readonly Fact[]} facts
   * @returns {void}
   */
  update(facts) {
    this.#sync(facts, ([name]) => name);
  }
}

/** @param {Fact} fact @returns {View<Fact>} */
function makeFact([name]) {
  const value = el("dd");
  return {
    node: el("div", {}, el("dt", {}, name), value),
    update: ([, text]) => setText(value, text),
  };
}
