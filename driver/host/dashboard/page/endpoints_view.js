// @ts-check
/// <reference lib="dom" />
/**
 * What moved over each endpoint since the process began.
 *
 * @module
 */

/** @import { View } from "./dom.js" */
/** @import { DriverModel } from "./model.js" */
/** @import { EndpointView } from "./words.d.ts" */

import { el, keyedList, section, setText, table } from "./dom.js";
import { bytesText, numberText } from "./text.js";

const HEADS = ["Endpoint", "Type", "Done", "Not done", "In", "Out", "Waiting"];

/** Endpoints of a driver. */
export class EndpointsView {
  #body = el("tbody");
  #table = table("Endpoints", HEADS, this.#body);
  #empty = el("p", { class: "soft" }, "None was used yet.");
  node = section("Endpoints", "endpoints-panel", this.#empty, this.#table);
  #sync = keyedList(this.#body, makeRow);

  /**
   * @param {DriverModel} driver
   * @returns {void}
   */
  update({ detail }) {
    const endpoints = detail?.endpoints ?? [];
    this.#empty.hidden = endpoints.length > 0;
    this.#table.hidden = endpoints.length === 0;
    this.#sync(endpoints, ({ endpoint, type }) => `${endpoint} ${type}`);
  }
}

/** @param {EndpointView} first @returns {View<EndpointView>} */
function makeRow({ endpoint, type }) {
  const cells = HEADS.slice(2).map(() => el("td", { class: "number" }));
  return {
    node: el("tr", {}, el("td", {}, endpoint), el("td", {}, type), ...cells),
    update: (now) => {
      for (const [index, text] of textsOf(now).entries()) {
        const cell = cells[index];
        if (cell !== undefined) setText(cell, text);
      }
    },
  };
}

/** @param {EndpointView} endpoint */
function textsOf(endpoint) {
  const { ended, in_flight: inFlight, paused } = endpoint;
  const { completed = 0 } = ended;
  const all = Object.values(ended).reduce((sum, count) => sum + count, 0);
  return [
    numberText(completed),
    numberText(all - completed),
    bytesText(endpoint.bytes_in),
    bytesText(endpoint.bytes_out),
    paused ? `${numberText(inFlight)}, paused` : numberText(inFlight),
  ];
}
