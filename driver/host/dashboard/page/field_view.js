// @ts-check
/// <reference lib="dom" />
/**
 * One parameter of a command as a field, with its hint and what is wrong with it.
 *
 * @module
 */

/** @import { Field } from "./form.js" */

import { el, setAttributes, setText } from "./dom.js";
import { harmless } from "./text.js";

/** A field. Its name is the driver's; its ids are ours. */
export class FieldView {
  node;
  #field;
  #control;
  #problem;

  /** @param {Field} field */
  constructor(field) {
    this.#field = field;
    // A truth value that must be given is given by being there: unchecked is false.
    const id = `field-${++fields}`;
    this.#control = controlOf(field, id);
    this.#problem = el("p", { class: "problem", id: `${id}-problem` });
    this.#problem.hidden = true;
    const hint = el("p", { class: "hint soft", id: `${id}-hint` }, field.hint);
    const optional = field.isRequired
      ? []
      : [" ", el("span", { class: "soft" }, "(optional)")];
    const label = el(
      "label",
      { for: id },
      harmless(field.name, 60),
      ...optional,
    );
    this.node = el(
      "div",
      { class: `field field-${field.kind}` },
      label,
      this.#control,
      hint,
      this.#problem,
    );
    this.say(undefined);
  }

  /** @returns {string} The parameter. */
  get name() {
    return this.#field.name;
  }

  /** @returns {string} What was typed or chosen. */
  get text() {
    if (this.#control instanceof HTMLInputElement) {
      if (this.#control.type === "checkbox") {
        return String(this.#control.checked);
      }
    }
    return this.#control.value;
  }

  /** Puts the focus here. */
  focus() {
    this.#control.focus();
  }

  /**
   * Says what is wrong, or that nothing is.
   *
   * @param {string | undefined} problem
   * @returns {void}
   */
  say(problem) {
    const { id } = this.#control;
    setText(this.#problem, problem ?? "");
    this.#problem.hidden = problem === undefined;
    setAttributes(this.#control, {
      "aria-invalid": problem === undefined ? undefined : "true",
      "aria-describedby": problem === undefined
        ? `${id}-hint`
        : `${id}-problem ${id}-hint`,
    });
  }
}

let fields = 0;

/** @param {Field} field @param {string} id */
function controlOf({ kind, choices, isRequired }, id) {
  // What browsers remember, correct or write large is no help with SCPI.
  const plain = { id, autocomplete: "off", spellcheck: "false" };
  switch (kind) {
    case "choice":
      return chooser(id, isRequired, choices);
    case "truth":
      return isRequired
        ? el("input", { id, type: "checkbox" })
        : chooser(id, false, ["true", "false"]);
    case "text":
      return el("textarea", { ...plain, rows: 2, autocapitalize: "off" });
    case "number":
      return el("input", { ...plain, type: "text", inputmode: "decimal" });
    case "line":
      return el("input", { ...plain, type: "text", autocapitalize: "off" });
  }
}

/** @param {string} id @param {boolean} isRequired @param {readonly string[]} choices */
function chooser(id, isRequired, choices) {
  const none = isRequired ? "choose one" : "not given";
  return el(
    "select",
    { id },
    el("option", { value: "" }, none),
    ...choices.map((choice) =>
      el("option", { value: choice }, harmless(choice, 80))
    ),
  );
}
