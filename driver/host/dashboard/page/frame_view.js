// @ts-check
/// <reference lib="dom" />
/**
 * What stands around every page: the name, how all drivers are, how the link is,
 * where else one can go; and which page is shown.
 *
 * @module
 */

/** @import { Api } from "./api.js" */
/** @import { Model } from "./model.js" */
/** @import { Link } from "./poller.js" */
/** @import { Route } from "./route.js" */
/** @import { Span } from "./spark_view.js" */

import { el, setAttributes, setText } from "./dom.js";
import { DriverPage } from "./driver_view.js";
import { HISTORY_MS } from "./history.js";
import { LoginView } from "./login_view.js";
import { NavigationView } from "./navigation_view.js";
import { OverviewView } from "./overview_view.js";
import { windowOf } from "./scale.js";
import { needsAttention } from "./states.js";
import { SummaryView } from "./summary_view.js";
import { durationText, harmless, timeText } from "./text.js";

/**
 * All there is to show.
 *
 * @typedef {object} Shown
 * @property {Model} model
 * @property {Link} link
 * @property {number} nowMs
 * @property {number} skewMs
 */

/** The frame. */
export class Frame {
  #api;
  #summary = new SummaryView();
  #lost = el("span");
  #lostFor = el("span", { class: "banner-age", "aria-hidden": "true" });
  #banner = el(
    "div",
    { class: "banner", role: "alert" },
    this.#lost,
    this.#lostFor,
  );
  #news = el("p", { class: "unseen", role: "status" });
  #navigation = new NavigationView();
  #main = el("main", { id: "main" });
  #login;
  #overview = new OverviewView();
  /** @type {{ readonly name: string; readonly page: DriverPage } | undefined} */
  #driver;
  /** @type {Route} */
  #route = { kind: "all" };
  #isLocked = false;
  #openedMs = performance.timeOrigin + performance.now();

  /**
   * @param {Api} api
   * @param {(token: string) => void} onToken
   */
  constructor(api, onToken) {
    this.#api = api;
    this.#login = new LoginView(onToken);
    document.body.replaceChildren(
      el("a", { class: "skip", href: "#main" }, "Skip to the content"),
      this.#summary.node,
      this.#banner,
      this.#news,
      el("div", { class: "layout" }, this.#navigation.node, this.#main),
    );
    this.#banner.hidden = true;
    this.#skip();
  }

  /**
   * Shows another page; the focus goes to its heading.
   *
   * @param {Route} route
   * @returns {void}
   */
  navigate(route) {
    const isFirst = this.#main.childElementCount === 0;
    this.#route = route;
    if (this.#isLocked) return;
    this.#show();
    if (isFirst) return;
    globalThis.scrollTo(0, 0);
    this.#main.querySelector("h1")?.focus({ preventScroll: true });
  }

  /**
   * @param {string} problem
   * @returns {void}
   */
  askToken(problem) {
    this.#isLocked = true;
    this.#navigation.node.hidden = true;
    this.#banner.hidden = true;
    this.#summary.lock();
    this.#main.replaceChildren(this.#login.node);
    this.#login.say(problem);
  }

  /** The token is being tried: what comes is shown again. */
  unlock() {
    this.#isLocked = false;
  }

  /**
   * @param {Shown} shown
   * @returns {void}
   */
  update({ model, link, nowMs, skewMs }) {
    if (this.#isLocked) return;
    this.#summary.update(model, link);
    this.#showBanner(link, nowMs);
    setAttributes(document.body, { "data-link": link.kind });
    if (model.status === undefined) return;
    if (this.#login.node.isConnected) this.#show();
    const names = [...model.drivers.keys()];
    this.#navigation.update(names.length > 0 ? model : undefined, this.#route);
    const span = this.#span(model.statusAtMs);
    const serverNowMs = nowMs + skewMs;
    const isLinked = link.kind === "live";
    this.#overview.update(
      [...model.drivers.values()].map((driver) => ({
        driver,
        span,
        serverNowMs,
      })),
    );
    this.#updateDriver(model, { span, serverNowMs, isLinked });
    this.#tell(model);
  }

  #show() {
    const route = this.#route;
    if (route.kind === "driver" && this.#driver?.name !== route.name) {
      const page = new DriverPage(this.#api, route.name);
      this.#driver = { name: route.name, page };
    }
    if (route.kind === "all") this.#driver = undefined;
    const page = this.#driver?.page ?? this.#overview;
    this.#main.replaceChildren(page.node);
  }

  /**
   * @param {Model} model
   * @param {{ readonly span: Span; readonly serverNowMs: number; readonly isLinked: boolean }} now
   */
  #updateDriver(model, now) {
    if (this.#driver === undefined) return;
    const driver = model.drivers.get(this.#driver.name);
    if (driver !== undefined) {
      if (!this.#driver.page.node.isConnected) this.#show();
      this.#driver.page.update({ driver, ...now });
      return;
    }
    const name = harmless(this.#driver.name, 40);
    this.#main.replaceChildren(
      el("h1", { tabindex: -1 }, `There is no driver ${name}`),
      el("p", {}, el("a", { href: "#/" }, "All drivers")),
    );
  }

  /** As much time as is known, so that a page just opened is not an empty plot. @param {number} toMs @returns {Span} */
  #span(toMs) {
    const knownMs = Math.min(HISTORY_MS, toMs - this.#openedMs);
    return { fromMs: toMs - windowOf(knownMs), toMs };
  }

  /** Said once; the time that passes is for the eye. @param {Link} link @param {number} nowMs */
  #showBanner(link, nowMs) {
    this.#banner.hidden = link.kind !== "lost";
    if (link.kind !== "lost") return setText(this.#lost, "");
    setText(
      this.#lost,
      `The link to the supervisor is lost: ${harmless(link.reason, 200)}. ` +
        `Everything below is from ${timeText(link.sinceMs)}. Trying again…`,
    );
    const forMs = Math.max(0, nowMs - link.sinceMs);
    setText(this.#lostFor, durationText(forMs));
  }

  /** @param {Model} model */
  #tell(model) {
    const news = model.takeNews();
    if (news.length > 0) setText(this.#news, news.slice(-4).join(". "));
    const drivers = [...model.drivers.values()].map(({ view }) => view);
    const count = drivers.filter(needsAttention).length;
    const title = `${count > 0 ? `(${count}) ` : ""}Driver Space`;
    if (document.title !== title) document.title = title;
  }

  /** A fragment is a page here, so the link to the content moves the focus itself. */
  #skip() {
    this.#main.tabIndex = -1;
    document.querySelector(".skip")?.addEventListener("click", (event) => {
      event.preventDefault();
      this.#main.focus();
    });
  }
}
