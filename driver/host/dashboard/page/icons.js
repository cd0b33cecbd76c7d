// @ts-check
/// <reference lib="dom" />
/**
 * Marks that tell tones apart by their shape. Decoration beside a word: hidden
 * from who hears the page.
 *
 * @module
 */

/** @import { Shown } from "./states.js" */

import { el, setAttributes, setText, svg } from "./dom.js";

/** Strokes in a square of 16. @type {Readonly<Record<Shown["tone"], string>>} */
const SHAPES = {
  good: "M3.5 8.5l3 3 6-7",
  busy: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5M8 5v3l2 1.5",
  wait: "M5.5 2.5v4.2a2.5 2.5 0 0 0 5 0v-4.2M8 9.2v4.3",
  warn: "M8 2.5l6 11H2zM8 6.5v3M8 11.6v.1",
  bad: "M5.3 2.5h5.4l2.8 2.8v5.4l-2.8 2.8H5.3l-2.8-2.8V5.3zM8 5v3.6M8 11v.1",
  off: "M3 8h10",
};

/**
 * The mark of a tone.
 *
 * @param {Shown["tone"]} tone
 * @returns {SVGSVGElement}
 */
export function mark(tone) {
  return svg(
    "svg",
    { class: "mark", viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: SHAPES[tone] }),
  );
}

/**
 * A word with its mark.
 *
 * @returns {{ readonly node: HTMLElement; readonly update: (shown: Pick<Shown, "word" | "tone">) => void }}
 */
export function badge() {
  const word = el("span");
  const node = el("span", { class: "badge" }, mark("off"), word);
  /** @type {string | undefined} */
  let tone;
  return {
    node,
    update: (shown) => {
      setText(word, shown.word);
      if (tone === shown.tone) return;
      tone = shown.tone;
      setAttributes(node, { "data-tone": tone });
      node.firstChild?.replaceWith(mark(shown.tone));
    },
  };
}
