// @ts-check
/// <reference lib="dom" />
/**
 * A form made of the commands a driver declares, and what came of them.
 *
 * @module
 */

/** @import { Api } from "./api.js" */
/** @import { DriverModel } from "./model.js" */
/** @import { CommandView as Command, Json } from "./words.d.ts" */

import { keyOf } from "./api.js";
import { el, section, setAttributes, setText } from "./dom.js";
import { FieldView } from "./field_view.js";
import { fieldOf, readFields } from "./form.js";
import { ResultList } from "./result_list.js";
import { harmless } from "./text.js";

/** Commands of a driver. */
export class CommandsView {
  #api;
  #driver;
  /** @type {readonly Command[]} */
  #commands = [];
  #declared = "";
  /** @type {FieldView[]} */
  #fields = [];
  #isRunning = false;
  #isLinked = true;
  #select = el("select", { id: "command" });
  #about = el("p", { class: "soft", id: "command-about" });
  #inputs = el("div", { class: "fields" });
  #button = el("button", { type: "submit", class: "primary" }, "Run");
  #note = el("p", { class: "hint soft" });
  #problem = el("p", { class: "problem", role: "alert" });
  #empty = el("p", { class: "soft" }, "It declares no commands.");
  #form = el(
    "form",
    { class: "command", novalidate: true },
    el(
      "div",
      { class: "field" },
      el("label", { for: "command" }, "Command"),
      this.#select,
      this.#about,
    ),
    this.#inputs,
    this.#problem,
    el("div", { class: "bar" }, this.#button, this.#note),
  );
  #results = new ResultList();
  node = section(
    "Commands",
    "commands-panel",
    this.#empty,
    this.#form,
    this.#results.node,
  );

  /**
   * @param {Api} api
   * @param {string} driver
   */
  constructor(api, driver) {
    this.#api = api;
    this.#driver = driver;
    setAttributes(this.#select, { "aria-describedby": "command-about" });
    this.#select.addEventListener("change", () => this.#choose());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  /**
   * @param {DriverModel} driver
   * @param {boolean} isLinked
   * @returns {void}
   */
  update({ detail, view }, isLinked) {
    this.#isLinked = isLinked;
    this.#declare(detail?.commands ?? []);
    this.#showButton();
    const { idempotent = false } = this.#chosen ?? {};
    const away = idempotent
      ? "The driver is away: this command waits for it."
      : "The driver is away: this command will be refused.";
    const isAway = view.state !== "ready" && this.#chosen !== undefined;
    setText(this.#note, isAway ? away : "");
  }

  get #chosen() {
    return this.#commands[this.#select.selectedIndex];
  }

  get #isBlocked() {
    return this.#isRunning || !this.#isLinked;
  }

  /** Another version of a driver may declare others. @param {readonly Command[]} commands */
  #declare(commands) {
    const declared = JSON.stringify(commands);
    if (declared === this.#declared) return;
    const before = this.#chosen?.name;
    this.#declared = declared;
    this.#commands = commands;
    this.#select.replaceChildren(
      ...commands.map(({ name }) => el("option", {}, harmless(name, 60))),
    );
    const index = commands.findIndex(({ name }) => name === before);
    this.#select.selectedIndex = Math.max(0, index);
    this.#empty.hidden = commands.length > 0;
    this.#form.hidden = commands.length === 0;
    this.#choose();
  }

  #choose() {
    const { description = "", params = {} } = this.#chosen ?? {};
    setText(this.#about, harmless(description, 400));
    setText(this.#problem, "");
    this.#fields = Object.entries(params).map(([name, spec]) =>
      new FieldView(fieldOf(name, spec))
    );
    this.#inputs.replaceChildren(...this.#fields.map(({ node }) => node));
  }

  #showButton() {
    // Not `disabled`: that would take the focus from whoever pressed it.
    setAttributes(this.#button, { "aria-disabled": this.#isBlocked });
    setText(this.#button, this.#isRunning ? "Running…" : "Run");
  }

  async #submit() {
    const command = this.#chosen;
    if (command === undefined || this.#isBlocked) return;
    const params = this.#read(command);
    if (params === undefined) return;
    const key = keyOf(crypto.getRandomValues(new Uint8Array(16)));
    const call = { driver: this.#driver, command: command.name, params, key };
    this.#isRunning = true;
    this.#showButton();
    await this.#results.show(call, () => this.#api.run(call));
    this.#isRunning = false;
    this.#showButton();
  }

  /**
   * What was typed; `undefined` where something is wrong, which is said.
   *
   * @param {Command} command
   * @returns {Record<string, Json> | undefined}
   */
  #read({ params: specs }) {
    const byName = new Map(this.#fields.map((field) => [field.name, field]));
    const { params, problems } = readFields(
      specs,
      (name) => byName.get(name)?.text ?? "",
    );
    for (const field of this.#fields) field.say(problems.get(field.name));
    const [first] = problems.keys();
    setText(
      this.#problem,
      problems.size === 0
        ? ""
        : [...problems].map(([name, problem]) =>
          `${harmless(name, 60)}: ${problem}.`
        ).join(" "),
    );
    if (first === undefined) return params;
    byName.get(first)?.focus();
    return undefined;
  }
}
