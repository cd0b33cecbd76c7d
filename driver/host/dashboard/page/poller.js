// @ts-check
/**
 * Asks for what has changed, once a second, and knows how the link to the
 * supervisor is.
 *
 * @module
 */

/** @import { Api } from "./api.js" */
/** @import { Model } from "./model.js" */

import { RefusedError, TokenError } from "./api.js";
import { inTurn } from "./model.js";

/** How often. */
export const POLL_MS = 1_000;
/** Between two polls, whatever happens meanwhile. */
const PAUSE_MS = 200;
/** Details asked for at a time; with more drivers they are asked in turn. */
const DETAILS_MAX = 8;
/** A status older than this is not what is now. */
export const STALE_MS = 3_500;

/**
 * How the link is. `lost` begins with the last answer that came.
 *
 * @typedef {{ readonly kind: "connecting" } | { readonly kind: "live" } | { readonly kind: "lost"; readonly sinceMs: number; readonly reason: string }} Link
 */

/**
 * What polling is done with.
 *
 * @typedef {object} PollerOptions
 * @property {Api} api
 * @property {Model} model
 * @property {() => number} nowMs
 * @property {() => string | undefined} selected The driver whose page is open.
 * @property {() => void} onChange
 * @property {(problem: string) => void} onToken
 */

/** Polls. */
export class Poller {
  #options;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #interval;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;
  #isBusy = false;
  #lastMs = -Infinity;
  #turn = 0;
  /** @type {string | undefined} */
  #reason;

  /** @param {PollerOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** @returns {Link} */
  get link() {
    const { model, nowMs } = this.#options;
    const isOld = nowMs() - model.statusAtMs > STALE_MS;
    const reason = this.#reason ?? (isOld ? "It does not answer" : undefined);
    if (model.status === undefined) {
      return this.#reason === undefined
        ? { kind: "connecting" }
        : { kind: "lost", sinceMs: nowMs(), reason: this.#reason };
    }
    return reason === undefined
      ? { kind: "live" }
      : { kind: "lost", sinceMs: model.statusAtMs, reason };
  }

  /** Begins, or begins again. */
  start() {
    this.stop();
    this.#interval = setInterval(() => this.#tick(), POLL_MS);
    this.#tick();
  }

  /** Asks nothing any more. */
  stop() {
    clearInterval(this.#interval);
    clearTimeout(this.#next);
    this.#interval = undefined;
    this.#next = undefined;
  }

  /** Something happened: does not wait for the next second. */
  now() {
    if (this.#interval === undefined || this.#next !== undefined) return;
    const passedMs = this.#options.nowMs() - this.#lastMs;
    this.#next = setTimeout(() => {
      this.#next = undefined;
      void this.#poll();
    }, Math.max(0, PAUSE_MS - passedMs));
  }

  /** Reads what is there of the open driver's log. */
  async readLog() {
    const { api, model, selected, onChange } = this.#options;
    const name = selected();
    if (name === undefined) return;
    try {
      const path = `/drivers/${encodeURIComponent(name)}/log?level=info`;
      const { lines } = await api.get(path);
      model.drivers.get(name)?.takeLines(lines);
      onChange();
    } catch {
      // The next poll says what is wrong.
    }
  }

  #tick() {
    this.#options.onChange();
    void this.#poll();
  }

  async #poll() {
    // One at a time: a slow answer is not asked for twice.
    if (this.#isBusy) return;
    this.#isBusy = true;
    const { api, model, nowMs, onChange, onToken } = this.#options;
    this.#lastMs = nowMs();
    try {
      model.take(await api.get("/status"), nowMs());
      this.#reason = undefined;
      await this.#askDetails();
    } catch (error) {
      if (error instanceof TokenError) onToken("This is not the token.");
      else this.#reason = error instanceof Error ? error.message : "?";
    } finally {
      this.#isBusy = false;
    }
    onChange();
  }

  async #askDetails() {
    const { model, selected } = this.#options;
    const name = selected();
    const names = name === undefined
      ? inTurn([...model.drivers.keys()], this.#turn++, DETAILS_MAX)
      : [name];
    await Promise.all(names.map((one) => this.#askDetail(one)));
  }

  /** @param {string} name */
  async #askDetail(name) {
    const { api, model, nowMs } = this.#options;
    const driver = model.drivers.get(name);
    if (driver === undefined) return;
    try {
      const detail = await api.get(`/drivers/${encodeURIComponent(name)}`);
      driver.takeDetail(detail, nowMs());
    } catch (error) {
      // It left the configuration meanwhile: the next status says so.
      if (!(error instanceof RefusedError)) throw error;
    }
  }
}
