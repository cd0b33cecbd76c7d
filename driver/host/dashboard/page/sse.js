// @ts-check
/**
 * Server-sent events from a stream of text, since an EventSource can show no
 * token. HTML Living Standard, 9.2.6.
 *
 * @module
 */

/**
 * One event.
 *
 * @typedef {object} ServerEvent
 * @property {string} event Its name; `message` where none was given.
 * @property {string} data
 * @property {string} id Of the last event that bore one.
 */

/** A snapshot of 64 drivers has some hundred thousand characters; beyond this somebody else talks. */
export const EVENT_CHARACTERS_MAX = 8 * 1024 * 1024;

/** Takes pieces of text, gives whole events. */
export class EventParser {
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  #id = "";
  #size = 0;

  /**
   * @param {string} piece
   * @returns {ServerEvent[]}
   * @throws {RangeError} When an event does not end.
   */
  push(piece) {
    const text = this.#rest + piece;
    // A carriage return at the end may be half of a line end.
    const isOpen = text.endsWith("\r");
    const lines = (isOpen ? text.slice(0, -1) : text).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + (isOpen ? "\r" : "");
    /** @type {ServerEvent[]} */
    const events = [];
    for (const line of lines) this.#take(line, events);
    if (this.#size + this.#rest.length > EVENT_CHARACTERS_MAX) {
      throw new RangeError("An event does not end");
    }
    return events;
  }

  /**
   * @param {string} line
   * @param {ServerEvent[]} events
   */
  #take(line, events) {
    if (line === "") return this.#finish(events);
    this.#size += line.length;
    const at = line.indexOf(":");
    if (at === 0) return;
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    if (field === "data") this.#data.push(value);
    if (field === "id" && !value.includes("\0")) this.#id = value;
  }

  /** @param {ServerEvent[]} events */
  #finish(events) {
    if (this.#data.length > 0) {
      events.push({
        event: this.#event === "" ? "message" : this.#event,
        data: this.#data.join("\n"),
        id: this.#id,
      });
    }
    this.#event = "";
    this.#data = [];
    this.#size = 0;
  }
}
