// @ts-check
/// <reference lib="dom" />
/**
 * Asks for the token, once for each tab.
 *
 * @module
 */

import { el, setAttributes, setText } from "./dom.js";
import { tokenOf } from "./route.js";

/** The question. */
export class LoginView {
  #input = el("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "token-hint",
  });
  #problem = el("p", { class: "problem", role: "alert", id: "token-problem" });
  node = el(
    "form",
    { class: "login panel", novalidate: true },
    el("h1", { tabindex: -1 }, "Driver Space"),
    el(
      "p",
      { class: "soft" },
      "This supervisor answers only who knows its token.",
    ),
    el("label", { for: "token" }, "Token"),
    this.#input,
    el(
      "p",
      { class: "hint soft", id: "token-hint" },
      "The first line of the supervisor's token file, or the whole address " +
        "that driverspace dashboard prints. Kept for this tab only.",
    ),
    this.#problem,
    el("button", { type: "submit", class: "primary" }, "Open"),
  );

  /** @param {(token: string) => void} onToken */
  constructor(onToken) {
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      const typed = this.#input.value.trim();
      if (typed === "") return this.say("Type the token.");
      // Who copies the whole address means the token in it.
      onToken(tokenOf(typed.replace(/^[^#]*/, "")) ?? typed);
    });
  }

  /**
   * Says why it asks again.
   *
   * @param {string} problem
   * @returns {void}
   */
  say(problem) {
    setText(this.#problem, problem);
    setAttributes(this.#input, { "aria-invalid": problem !== "" && "true" });
    this.#input.focus();
    this.#input.select();
  }
}
