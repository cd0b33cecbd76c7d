// @ts-check
/// <reference lib="dom" />
/**
 * Elements, made and changed. Texts become text nodes and nothing else: the page
 * never reads markup, and its policy forbids it to.
 *
 * @module
 */

/** @typedef {Readonly<Record<string, string | number | boolean | undefined>>} Attributes */
/** @typedef {Node | string} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes] `false` and `undefined` leave one out, `true` is one without a value.
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/**
 * An element of SVG.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/**
 * Sets attributes, those that changed.
 *
 * @param {Element} element
 * @param {Attributes} attributes
 * @returns {void}
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) {
      element.removeAttribute(name);
      continue;
    }
    const text = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/**
 * Sets a text, if it is another: what did not change is not announced again.
 *
 * @param {Node} node
 * @param {string} text
 * @returns {void}
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A part of the page with its own way of being brought up to date.
 *
 * @template Item
 * @typedef {object} View
 * @property {HTMLElement | SVGElement} node
 * @property {(item: Item) => void} update
 */

/**
 * Keeps children in step with a list: the same key keeps its element, and with
 * it the focus and what was typed.
 *
 * @template Item
 * @param {Element} parent
 * @param {(item: Item) => View<Item>} make
 * @returns {(items: readonly Item[], keyOf: (item: Item, index: number) => string) => void}
 */
export function keyedList(parent, make) {
  /** @type {Map<string, View<Item>>} */
  let views = new Map();
  return (items, keyOf) => {
    /** @type {Map<string, View<Item>>} */
    const kept = new Map();
    /** @type {Element | null} */
    let at = parent.firstElementChild;
    for (const [index, item] of items.entries()) {
      const key = keyOf(item, index);
      const view = views.get(key) ?? make(item);
      view.update(item);
      kept.set(key, view);
      if (view.node === at) at = at.nextElementSibling;
      else parent.insertBefore(view.node, at);
    }
    for (const [key, view] of views) {
      if (kept.get(key) !== view) view.node.remove();
    }
    views = kept;
  };
}

/**
 * A heading with what belongs to it, as a landmark that bears its name.
 *
 * @param {string} title
 * @param {string} className
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function section(title, className, ...children) {
  const id = `part-${++sections}`;
  return el(
    "section",
    { class: `panel ${className}`, "aria-labelledby": id },
    el("h2", { id }, title),
    ...children,
  );
}

let sections = 0;

/**
 * A table that scrolls by itself where it is too wide.
 *
 * @param {string} name For who hears it.
 * @param {readonly string[]} heads
 * @param {HTMLElement} body
 * @returns {HTMLElement}
 */
export function table(name, heads, body) {
  const cells = heads.map((head) => el("th", { scope: "col" }, head));
  return el(
    "div",
    { class: "scroller", tabindex: 0, role: "group", "aria-label": name },
    el("table", {}, el("thead", {}, el("tr", {}, ...cells)), body),
  );
}
