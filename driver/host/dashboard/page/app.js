// @ts-check
/// <reference lib="dom" />
/**
 * The page put together: asks once a second, follows the events, shows what is
 * known, and says when it is not known any more.
 *
 * @module
 */

/** @import { ServerEvent } from "./sse.js" */
/** @import { LogLine } from "./words.d.ts" */

import { Api } from "./api.js";
import { follow } from "./follow.js";
import { Frame } from "./frame_view.js";
import { Model } from "./model.js";
import { Poller } from "./poller.js";
import { routeOf, tokenOf } from "./route.js";

/** Everything but what drivers themselves tell: that is asked for, once a second. */
const EVENTS_PATH = "/events?without=driver.event&log=info";
/** A tab that nobody sees needs no stream; the supervisor has only so many. */
const HIDDEN_MS = 30_000;
/** Fast for an eye, and slow enough for a log that pours. */
const SOON_MS = 150;
const TOKEN_KEY = "driverspace.token";

class App {
  #model = new Model();
  #api = new Api((path, init) => fetch(path, init), takeToken());
  #frame = new Frame(this.#api, (token) => this.#login(token));
  #poller = new Poller({
    api: this.#api,
    model: this.#model,
    nowMs,
    selected: () => this.#selected,
    onChange: () => this.#show(),
    onToken: (problem) => this.#askToken(problem),
  });
  /** @type {AbortController | undefined} */
  #following;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;
  #isAsking = false;

  start() {
    globalThis.addEventListener("hashchange", () => this.#navigate());
    document.addEventListener("visibilitychange", () => this.#seen());
    this.#navigate();
    this.#run();
  }

  get #selected() {
    const route = routeOf(location.hash);
    return route.kind === "driver" ? route.name : undefined;
  }

  #run() {
    this.#isAsking = false;
    this.#frame.unlock();
    this.#poller.start();
    this.#followEvents();
  }

  /** @param {string} token */
  #login(token) {
    this.#api.token = token;
    sessionStorage.setItem(TOKEN_KEY, token);
    this.#run();
  }

  /** @param {string} problem */
  #askToken(problem) {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const hadToken = this.#api.token !== undefined;
    this.#api.token = undefined;
    sessionStorage.removeItem(TOKEN_KEY);
    this.#poller.stop();
    this.#following?.abort();
    this.#following = undefined;
    this.#frame.askToken(hadToken ? problem : "");
  }

  #navigate() {
    this.#frame.navigate(routeOf(location.hash));
    this.#poller.now();
    void this.#poller.readLog();
  }

  #show() {
    this.#frame.update({
      model: this.#model,
      link: this.#poller.link,
      nowMs: nowMs(),
      skewMs: this.#api.skewMs,
    });
  }

  #seen() {
    if (!document.hidden) return this.#followEvents();
    setTimeout(() => {
      if (!document.hidden) return;
      this.#following?.abort();
      this.#following = undefined;
    }, HIDDEN_MS);
  }

  #followEvents() {
    if (this.#following !== undefined || this.#isAsking) return;
    const { signal } = this.#following = new AbortController();
    void follow({
      api: this.#api,
      path: EVENTS_PATH,
      signal,
      onEvent: (event) => this.#take(event),
      onLink: (isOpen) => {
        // What was logged while nobody followed is asked for.
        if (isOpen) void this.#poller.readLog();
      },
      random: Math.random,
      wait,
    });
  }

  /** @param {ServerEvent} event */
  #take({ event, data, id }) {
    if (event === "driver.log") return this.#takeLine(JSON.parse(data), id);
    if (event === "gap") return void this.#poller.readLog();
    if (event !== "snapshot") this.#poller.now();
  }

  /** @param {LogLine & { readonly driver: string }} line @param {string} id */
  #takeLine({ driver, ...line }, id) {
    const model = this.#model.drivers.get(driver);
    model?.takeLines([{ ...line, sequence: Number(id) }]);
    if (driver === this.#selected) this.#showSoon();
  }

  /** Many lines are shown at once. */
  #showSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#show();
    }, SOON_MS);
  }
}

/** A clock that nobody sets back. */
function nowMs() {
  return performance.timeOrigin + performance.now();
}

/** The token of the address, which is taken out of it, or that of this tab. */
function takeToken() {
  const given = tokenOf(location.hash);
  if (given !== undefined) {
    sessionStorage.setItem(TOKEN_KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return given ?? sessionStorage.getItem(TOKEN_KEY) ?? undefined;
}

/** @param {number} durationMs @param {AbortSignal} signal @returns {Promise<void>} */
function wait(durationMs, signal) {
  const { promise, resolve } = Promise.withResolvers();
  const end = () => resolve(undefined);
  const timer = setTimeout(end, durationMs);
  signal.addEventListener("abort", end);
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  });
}

new App().start();
