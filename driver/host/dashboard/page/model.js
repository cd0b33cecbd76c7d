// @ts-check
/**
 * All the page knows: what it was told last, what it remembers, and what is new
 * since. No element of the page in here.
 *
 * @module
 */

/** @import { Reading } from "./readings.js" */
/** @import { DetailView, DriverView, EndpointView, LogLine, StatusView } from "./words.d.ts" */

import { HISTORY_MS, Rate, Series, States } from "./history.js";
import { Quantiles } from "./latency.js";
import { readingsOf } from "./readings.js";
import { shownState } from "./states.js";
import { harmless } from "./text.js";

/** Lines of a log the page keeps for each driver. */
export const LINES_MAX = 400;
/** Numbers of what a driver says that are remembered over time. */
const VALUE_SERIES_MAX = 12;

/** One driver, as the page knows it. */
export class DriverModel {
  /** @type {DriverView} */
  view;
  /** @type {DetailView | undefined} */
  detail;
  rate = new Series();
  lag = new Series();
  median = new Series();
  high = new Series();
  bytesIn = new Series();
  bytesOut = new Series();
  queue = new Series();
  states = new States();
  /** What it said last. @type {readonly Reading[]} */
  readings = [];
  /** Numbers of its readings over time, by their key. @type {Map<string, Series>} */
  values = new Map();
  /** When ends of its process were seen. @type {number[]} */
  ends = [];
  /** @type {LogLine[]} */
  lines = [];
  /** Grows with each change of `lines`. */
  linesVersion = 0;
  #reports = new Rate();
  #quantiles = new Quantiles();
  #in = new Rate();
  #out = new Rate();

  /** @param {DriverView} view */
  constructor(view) {
    this.view = view;
  }

  /**
   * @param {DriverView} view
   * @param {{ readonly atMs: number; readonly uptimeMs: number }} now
   * @returns {void}
   */
  take(view, { atMs, uptimeMs }) {
    const isServing = view.state === "ready";
    const rate = this.#reports.take({
      count: view.reports,
      atMs: uptimeMs - (view.heartbeat_age_ms ?? 0),
      pid: view.pid,
    });
    this.rate.add(atMs, isServing ? rate : null);
    this.lag.add(atMs, isServing ? view.loop_lag_ms : null);
    this.queue.add(atMs, isServing ? waitingOf(view) : null);
    if (endsOf(view) > endsOf(this.view)) this.ends.push(atMs);
    this.ends = this.ends.filter((endMs) => endMs >= atMs - HISTORY_MS);
    this.states.see(atMs, view.state);
    this.view = view;
  }

  /**
   * @param {DetailView} detail
   * @param {number} atMs
   * @returns {void}
   */
  takeDetail(detail, atMs) {
    this.detail = detail;
    this.readings = readingsOf(detail);
    this.#takeTelemetry(detail, atMs);
    for (const { key, number, stale } of this.readings) {
      const value = stale ? null : number;
      const known = this.values.get(key);
      if (known !== undefined) known.add(atMs, value);
      else if (value !== null && this.values.size < VALUE_SERIES_MAX) {
        const series = new Series();
        series.add(atMs, value);
        this.values.set(key, series);
      }
    }
  }

  /** @param {DetailView} detail @param {number} atMs */
  #takeTelemetry(detail, atMs) {
    const { pid, endpoints, handler_latency: histogram } = detail;
    const isServing = detail.state === "ready";
    const countedMs = atMs - (detail.heartbeat_age_ms ?? 0);
    const found = this.#quantiles.take({ histogram, atMs: countedMs, pid });
    this.median.add(atMs, isServing ? found?.median ?? null : null);
    this.high.add(atMs, isServing ? found?.high ?? null : null);
    const sum = (/** @type {(one: EndpointView) => number} */ bytesOf) => ({
      count: endpoints.reduce((bytes, one) => bytes + bytesOf(one), 0),
      atMs: countedMs,
      pid,
    });
    const rates = [
      this.#in.take(sum((one) => one.bytes_in)),
      this.#out.take(sum((one) => one.bytes_out)),
    ];
    const [bytesIn, bytesOut] = isServing ? rates : [null, null];
    this.bytesIn.add(atMs, bytesIn);
    this.bytesOut.add(atMs, bytesOut);
  }

  /**
   * Lines of its log, in any order, some of them known.
   *
   * @param {readonly LogLine[]} lines
   * @returns {void}
   */
  takeLines(lines) {
    const known = new Set(this.lines.map(({ sequence }) => sequence));
    const added = lines.filter(({ sequence }) => !known.has(sequence));
    if (added.length === 0) return;
    this.lines = [...this.lines, ...added]
      .sort((a, b) => a.sequence - b.sequence).slice(-LINES_MAX);
    this.linesVersion++;
  }

  /** Another supervisor numbers anew. */
  forgetLines() {
    this.lines = [];
    this.linesVersion++;
  }
}

/** Everything. */
export class Model {
  /** In the order of the configuration. @type {Map<string, DriverModel>} */
  drivers = new Map();
  /** @type {StatusView | undefined} */
  status;
  /** When the last status came. */
  statusAtMs = 0;
  /** Sentences for who does not see the page. @type {string[]} */
  news = [];

  /**
   * @param {StatusView} status
   * @param {number} atMs
   * @returns {boolean} Whether a driver is in another state than before.
   */
  take(status, atMs) {
    const isOther = this.status !== undefined &&
      status.uptime_ms < this.status.uptime_ms;
    /** @type {Map<string, DriverModel>} */
    const drivers = new Map();
    let isChanged = false;
    for (const view of status.drivers) {
      const driver = this.drivers.get(view.name) ?? new DriverModel(view);
      if (isOther) driver.forgetLines();
      isChanged = this.#tell(driver.view, view) || isChanged;
      driver.take(view, { atMs, uptimeMs: status.uptime_ms });
      drivers.set(view.name, driver);
    }
    this.drivers = drivers;
    this.status = status;
    this.statusAtMs = atMs;
    return isChanged;
  }

  /** @returns {string[]} The news, once. */
  takeNews() {
    return this.news.splice(0);
  }

  /** @param {DriverView} before @param {DriverView} now */
  #tell(before, now) {
    const is = shownState(now).word;
    if (shownState(before).word === is) return false;
    const cause = now.degraded ?? now.cause;
    const why = cause === null ? "" : `: ${harmless(cause, 120)}`;
    this.news.push(`${harmless(now.name, 40)}: ${is}${why}`);
    return true;
  }
}

/**
 * Messages that wait for a driver, those included that the supervisor holds.
 *
 * @param {DriverView} view
 * @returns {number}
 */
export function waitingOf({ mailbox, queued_commands: queued }) {
  return mailbox.control + mailbox.commands + mailbox.reports + queued;
}

/**
 * How often its processes ended other than in order.
 *
 * @param {DriverView} view
 * @returns {number}
 */
export function endsOf({ exit_counts: counts }) {
  return Object.entries(counts).reduce(
    (sum, [exitClass, count]) => exitClass === "clean" ? sum : sum + count,
    0,
  );
}

/**
 * The drivers whose details are asked for next, in turn, so that many drivers
 * are as cheap as a few.
 *
 * @param {readonly string[]} names
 * @param {number} turn
 * @param {number} countMax
 * @returns {string[]}
 */
export function inTurn(names, turn, countMax) {
  if (names.length <= countMax) return [...names];
  const first = (turn * countMax) % names.length;
  return [...names.slice(first), ...names].slice(0, countMax);
}
