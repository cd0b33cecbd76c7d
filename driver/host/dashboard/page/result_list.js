// @ts-check
/// <reference lib="dom" />
/**
 * What came of commands, the newest first.
 *
 * @module
 */

/** @import { Json } from "./words.d.ts" */

import { RefusedError, TokenError } from "./api.js";
import { el, setAttributes, setText } from "./dom.js";
import { blockText, durationText, harmless, jsonText } from "./text.js";

/** Results kept on the page. */
const RESULTS_MAX = 20;

/**
 * A command that was sent.
 *
 * @typedef {object} Call
 * @property {string} command
 * @property {Readonly<Record<string, Json>>} params
 */

/** Results. */
export class ResultList {
  node = el("ol", {
    class: "results",
    role: "log",
    "aria-live": "polite",
    "aria-label": "Results, newest first",
  });

  /**
   * Shows a command while it runs and what comes of it. Never rejects.
   *
   * @param {Call} call
   * @param {() => Promise<Json>} run
   * @returns {Promise<void>}
   */
  async show(call, run) {
    const entry = new Entry(call);
    this.node.prepend(entry.node);
    while (this.node.children.length > RESULTS_MAX) {
      this.node.lastElementChild?.remove();
    }
    await entry.run(run);
  }
}

class Entry {
  #took = el("span", { class: "soft" }, "running…");
  #body = el("div", { class: "result-body" });
  node;

  /** @param {Call} call */
  constructor({ command, params }) {
    const given = Object.entries(params).map(([name, value]) =>
      `${harmless(name, 40)} ${jsonText(value, 80)}`
    ).join(", ");
    this.node = el(
      "li",
      { class: "result", "data-tone": "busy" },
      el(
        "p",
        { class: "result-head" },
        el("b", {}, harmless(command, 60)),
        " ",
        el("span", { class: "result-params" }, harmless(given, 200)),
        this.#took,
      ),
      this.#body,
    );
  }

  /**
   * @param {() => Promise<Json>} run
   * @returns {Promise<void>}
   */
  async run(run) {
    const startedMs = performance.now();
    this.#body.replaceChildren();
    setText(this.#took, "running…");
    try {
      this.#succeed(await run());
    } catch (error) {
      this.#fail(error, run);
    }
    setText(this.#took, durationText(performance.now() - startedMs));
  }

  /** @param {Json} value */
  #succeed(value) {
    setAttributes(this.node, { "data-tone": "good" });
    this.#body.replaceChildren(
      value === null
        ? el("p", { class: "soft" }, "Done; it answers nothing.")
        : el("pre", {}, blockText(value)),
    );
  }

  /** @param {unknown} error @param {() => Promise<Json>} run */
  #fail(error, run) {
    setAttributes(this.node, { "data-tone": "bad" });
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof RefusedError) {
      this.#body.replaceChildren(
        el("p", { class: "result-error" }, blockText(message, 2_000)),
        ...(error.advice === undefined
          ? []
          : [el("p", {}, blockText(error.advice, 2_000))]),
        el(
          "p",
          { class: "soft" },
          `${harmless(error.code, 40)}, ${error.status}`,
        ),
      );
      return;
    }
    if (error instanceof TokenError) {
      this.#body.replaceChildren(el("p", {}, "Refused: the token is needed."));
      return;
    }
    this.#offerAgain(message, run);
  }

  /** The answer was lost, not the command: its key makes a repetition harmless while it is known. @param {string} reason @param {() => Promise<Json>} run */
  #offerAgain(reason, run) {
    const button = el("button", { type: "button" }, "Ask for the answer again");
    button.addEventListener("click", () => void this.run(run));
    this.#body.replaceChildren(
      el(
        "p",
        {},
        `The answer was lost: ${harmless(reason, 200)}. The command may have ` +
          "been carried out. Asked within ten minutes, this supervisor gives " +
          "its answer and repeats nothing; one started anew carries it out " +
          "again.",
      ),
      button,
    );
  }
}
