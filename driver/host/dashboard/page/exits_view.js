// @ts-check
/// <reference lib="dom" />
/**
 * Why a driver's processes ended, and what states it went through.
 *
 * @module
 */

/** @import { View } from "./dom.js" */
/** @import { Outage } from "./recovery.js" */
/** @import { TransitionView } from "./words.d.ts" */
/** @import { DriverModel } from "./model.js" */

import { el, keyedList, section, setText, table } from "./dom.js";
import { badge } from "./icons.js";
import { outagesOf } from "./recovery.js";
import {
  exitTone,
  exitWord,
  restartReasons,
  shownStateName,
} from "./states.js";
import { countText, dateTimeText, durationText, harmless } from "./text.js";

/** Rows shown; the rest is in the log. */
const ROWS_MAX = 12;

/** Restarts, with their reasons. */
export class ExitsView {
  #reasons = el("p", { class: "reasons" });
  #body = el("tbody");
  #table = table(
    "Restarts",
    ["Time", "Reason", "Ran for", "Back after"],
    this.#body,
  );
  #empty = el("p", { class: "soft" }, "None of its processes has failed.");
  node = section(
    "Restarts",
    "exits-panel",
    this.#reasons,
    this.#empty,
    this.#table,
  );
  #sync = keyedList(this.#body, makeExit);

  /**
   * @param {DriverModel} driver
   * @param {number} nowMs
   * @returns {void}
   */
  update({ view, detail }, nowMs) {
    const { exits = [], transitions = [] } = detail ?? {};
    const outages = outagesOf(exits, transitions).slice(0, ROWS_MAX);
    this.#empty.hidden = outages.length > 0;
    this.#table.hidden = outages.length === 0;
    const reasons = restartReasons(view.exit_counts).map(
      ({ exitClass, count }) =>
        `${exitWord(exitClass)}: ${countText(count, "time")}`,
    );
    setText(this.#reasons, reasons.join(" · "));
    this.#sync(
      outages.map((outage) => ({ ...outage, nowMs })),
      ({ exit }, index) => `${exit.at} ${outages.length - index}`,
    );
  }
}

/** @typedef {Outage & { readonly nowMs: number }} ExitItem */

/** @param {ExitItem} first @returns {View<ExitItem>} */
function makeExit({ exit }) {
  const time = el("td", { class: "nowrap" });
  const away = el("td", { class: "nowrap" });
  const reason = badge();
  reason.update({ word: exitWord(exit.class), tone: exitTone(exit.class) });
  const ran = exit.ready_ms > 0 ? durationText(exit.ready_ms) : "not ready";
  return {
    node: el(
      "tr",
      {},
      time,
      el(
        "td",
        { class: "said" },
        reason.node,
        el("p", {}, harmless(exit.message, 400)),
      ),
      el("td", { class: "nowrap" }, ran),
      away,
    ),
    update: ({ awayMs, nowMs }) => {
      setText(time, dateTimeText(Date.parse(exit.at), nowMs));
      setText(away, durationText(awayMs));
    },
  };
}

/** The states before. */
export class HistoryView {
  #body = el("tbody");
  node = section(
    "History",
    "history-panel",
    table("History", ["Time", "State", "Cause"], this.#body),
  );
  #sync = keyedList(this.#body, makeTransition);

  /**
   * @param {DriverModel} driver
   * @param {number} nowMs
   * @returns {void}
   */
  update({ detail }, nowMs) {
    const transitions = (detail?.transitions ?? []).slice(-ROWS_MAX)
      .toReversed();
    this.#sync(
      transitions.map((transition) => ({ transition, nowMs })),
      ({ transition: { at, from, to } }) => `${at} ${from} ${to}`,
    );
  }
}

/**
 * @typedef {{ readonly transition: TransitionView; readonly nowMs: number }} TransitionItem
 */

/** @param {TransitionItem} first @returns {View<TransitionItem>} */
function makeTransition({ transition }) {
  const time = el("td", { class: "nowrap" });
  const state = badge();
  state.update(shownStateName(transition.to));
  return {
    node: el(
      "tr",
      {},
      time,
      el("td", {}, state.node),
      el("td", { class: "said" }, harmless(transition.cause ?? "", 400)),
    ),
    update: ({ nowMs }) =>
      setText(time, dateTimeText(Date.parse(transition.at), nowMs)),
  };
}
