// @ts-check
/// <reference lib="dom" />
/**
 * The end of a driver's log, as it grows.
 *
 * @module
 */

/** @import { DriverModel } from "./model.js" */
/** @import { LogLine } from "./words.d.ts" */

import { el, section, setText } from "./dom.js";
import { countText, dataText, harmless, timeText } from "./text.js";

const LEVELS = ["debug", "info", "warn", "error"];

/** A log. */
export class LogView {
  #level = el(
    "select",
    { id: "log-level" },
    el("option", { value: "info" }, "all"),
    el("option", { value: "warn" }, "warnings and errors"),
    el("option", { value: "error" }, "errors only"),
  );
  #follow = el("input", { type: "checkbox", id: "log-follow", checked: true });
  #list = el("ol", {
    class: "log",
    tabindex: 0,
    role: "log",
    "aria-live": "off",
    "aria-label": "Log lines, oldest first",
  });
  #count = el("span", { class: "soft" });
  node = section(
    "Log",
    "log-panel",
    el(
      "div",
      { class: "bar" },
      el("label", { for: "log-level" }, "Show"),
      this.#level,
      el("label", { for: "log-follow" }, this.#follow, "Follow"),
      this.#count,
    ),
    this.#list,
  );
  #shown = "";

  constructor() {
    this.#list.addEventListener("scroll", () => {
      this.#follow.checked = this.#isAtEnd();
    });
    this.#follow.addEventListener("change", () => this.#scroll());
  }

  /**
   * @param {DriverModel} driver
   * @returns {void}
   */
  update(driver) {
    const least = LEVELS.indexOf(this.#level.value);
    const shown = `${driver.linesVersion} ${least}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const lines = driver.lines.filter(({ level }) =>
      LEVELS.indexOf(level) >= least
    );
    setText(this.#count, countText(lines.length, "line"));
    this.#show(lines);
    this.#scroll();
  }

  /** Only what is new is made; what is too old is removed. @param {readonly LogLine[]} lines */
  #show(lines) {
    const wanted = new Set(lines.map(({ sequence }) => String(sequence)));
    /** @type {Map<string, Element>} */
    const known = new Map();
    for (const node of [...this.#list.children]) {
      const key = node.getAttribute("data-sequence") ?? "";
      if (wanted.has(key)) known.set(key, node);
      else node.remove();
    }
    /** @type {Element | null} */
    let at = this.#list.firstElementChild;
    for (const line of lines) {
      const node = known.get(String(line.sequence)) ?? lineNode(line);
      if (node === at) at = at.nextElementSibling;
      else this.#list.insertBefore(node, at);
    }
  }

  #scroll() {
    if (!this.#follow.checked) return;
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < 24;
  }
}

/** @param {LogLine} line */
function lineNode({ sequence, at, level, event, message, fields }) {
  const rest = Object.keys(fields).length === 0
    ? []
    : [" ", el("span", { class: "log-fields" }, dataText(fields, 400))];
  return el(
    "li",
    { "data-sequence": sequence, "data-level": level },
    el("time", { datetime: at }, timeText(Date.parse(at))),
    el("span", { class: "log-level" }, level),
    el("span", { class: "log-event" }, harmless(event, 60)),
    el(
      "span",
      { class: "log-text" },
      el("span", { class: "log-message" }, harmless(message, 1_000)),
      ...rest,
    ),
  );
}
