// @ts-check
/// <reference lib="dom" />
/**
 * One moment in time that every plot of a page shows: where the pointer is, or
 * where arrow keys went.
 *
 * @module
 */

/**
 * What a plot tells of itself.
 *
 * @typedef {object} TimePlot
 * @property {(offset: number) => number} timeAt The time below a pixel.
 * @property {() => { readonly fromMs: number; readonly toMs: number }} range
 */

const STEP_MS = 1_000;
const LEAP_MS = 10_000;

/** The moment. */
export class TimeCursor {
  /** Nowhere: plots show what is newest. @type {number | undefined} */
  atMs;
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /**
   * @param {() => void} listener
   * @returns {void}
   */
  onMove(listener) {
    this.#listeners.add(listener);
  }

  /**
   * Lets pointer and keys on an element move it.
   *
   * @param {HTMLElement} area
   * @param {TimePlot} plot
   * @returns {void}
   */
  follow(area, plot) {
    area.addEventListener("pointermove", (event) => {
      this.#move(plot.timeAt(event.offsetX));
    });
    area.addEventListener("pointerleave", () => this.#move(undefined));
    area.addEventListener("blur", () => this.#move(undefined));
    area.addEventListener("keydown", (event) => {
      const { fromMs, toMs } = plot.range();
      const to = target(event.key, { atMs: this.atMs ?? toMs, fromMs, toMs });
      if (to === null) return;
      event.preventDefault();
      this.#move(to);
    });
  }

  /** @param {number | undefined} atMs */
  #move(atMs) {
    if (this.atMs === atMs) return;
    this.atMs = atMs;
    for (const listener of this.#listeners) listener();
  }
}

/**
 * Where a key leads; `null`: it is none of ours. Keys of a slider. WAI-ARIA
 * Authoring Practices, Slider Pattern.
 *
 * @param {string} key
 * @param {{ readonly atMs: number; readonly fromMs: number; readonly toMs: number }} now
 * @returns {number | undefined | null}
 */
export function target(key, { atMs, fromMs, toMs }) {
  const within = (/** @type {number} */ to) =>
    Math.min(toMs, Math.max(fromMs, to));
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return within(atMs - STEP_MS);
    case "ArrowRight":
    case "ArrowUp":
      return within(atMs + STEP_MS);
    case "PageDown":
      return within(atMs - LEAP_MS);
    case "PageUp":
      return within(atMs + LEAP_MS);
    case "Home":
      return fromMs;
    case "End":
      return toMs;
    case "Escape":
      return undefined;
    default:
      return null;
  }
}
