// @ts-check
/**
 * Asks the supervisor. The token, where one is needed, is kept for this tab
 * only and goes out in a header: never in an address, never in a cookie.
 *
 * @module
 */

/** @import { Json } from "./words.d.ts" */

/** Nobody answered, or not the supervisor. */
export class LinkError extends Error {
  /** @override */
  name = "LinkError";
}

/** The token is missing or wrong. */
export class TokenError extends Error {
  /** @override */
  name = "TokenError";
}

/** The supervisor refused, in its own words. */
export class RefusedError extends Error {
  /** @override */
  name = "RefusedError";

  /**
   * @param {number} status
   * @param {{ readonly code: string; readonly message: string; readonly advice?: string }} error
   */
  constructor(status, { code, message, advice }) {
    super(message);
    this.status = status;
    this.code = code;
    this.advice = advice;
  }
}

/** Answers come from memory; later than this the link is as good as lost. */
export const ANSWER_TIMEOUT_MS = 4_000;
/** Beyond the longest deadline of a command. */
const COMMAND_TIMEOUT_MS = 65_000;

/** Requests to the supervisor the page came from. */
export class Api {
  #fetch;
  /** @type {() => number} */
  #nowMs;
  /** @type {string | undefined} */
  token;
  /** What the supervisor's clock shows when ours shows 0; to a second. */
  skewMs = 0;

  /**
   * @param {typeof fetch} fetchFunction
   * @param {string | undefined} token
   * @param {() => number} [nowMs]
   */
  constructor(fetchFunction, token, nowMs = Date.now) {
    this.#fetch = fetchFunction;
    this.token = token;
    this.#nowMs = nowMs;
  }

  /**
   * @param {string} path
   * @returns {Promise<any>}
   * @throws {LinkError | TokenError | RefusedError}
   */
  async get(path) {
    return await this.#ask(path, { signal: timeout(ANSWER_TIMEOUT_MS) });
  }

  /**
   * Has a command carried out. The same key gives the same answer again.
   *
   * @param {{ readonly driver: string; readonly command: string; readonly params: Json; readonly key: string }} call
   * @returns {Promise<Json>}
   * @throws {LinkError | TokenError | RefusedError}
   */
  async run({ driver, command, params, key }) {
    const path = `/drivers/${encodeURIComponent(driver)}/commands/${
      encodeURIComponent(command)
    }`;
    const answer = await this.#ask(path, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify({ params }),
      signal: timeout(COMMAND_TIMEOUT_MS),
    });
    return answer.value;
  }

  /**
   * Starts a driver that has given up.
   *
   * @param {string} driver
   * @returns {Promise<void>}
   */
  async retry(driver) {
    await this.#ask(`/drivers/${encodeURIComponent(driver)}/retry`, {
      method: "POST",
      signal: timeout(ANSWER_TIMEOUT_MS),
    });
  }

  /**
   * The stream of events, for whoever reads it.
   *
   * @param {string} path
   * @param {{ readonly lastEventId: string; readonly signal: AbortSignal }} options
   * @returns {Promise<ReadableStream<Uint8Array>>}
   */
  async stream(path, { lastEventId, signal }) {
    /** @type {Record<string, string>} */
    const headers = { accept: "text/event-stream" };
    if (lastEventId !== "") headers["last-event-id"] = lastEventId;
    const response = await this.#send(path, { headers, signal });
    if (response.ok && response.body !== null) return response.body;
    throw await errorOf(response);
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   * @returns {Promise<any>}
   */
  async #ask(path, init) {
    const response = await this.#send(path, init);
    if (!response.ok) throw await errorOf(response);
    return await bodyOf(response);
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   * @returns {Promise<Response>}
   */
  async #send(path, init) {
    const headers = new Headers(init.headers);
    if (this.token !== undefined) {
      headers.set("authorization", `Bearer ${this.token}`);
    }
    try {
      const response = await this.#fetch(path, {
        ...init,
        headers,
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
      });
      this.#compareClocks(response);
      return response;
    } catch (error) {
      throw new LinkError(reasonOf(error));
    }
  }

  /** Two computers may disagree by hours; ages are told by the supervisor's. @param {Response} response */
  #compareClocks({ headers }) {
    const skewMs = Date.parse(headers.get("date") ?? "") - this.#nowMs();
    if (Number.isNaN(skewMs)) return;
    // A date has whole seconds: less than two of them apart is the same time.
    this.skewMs = Math.abs(skewMs) < 2_000 ? 0 : skewMs;
  }
}

/**
 * Random text by which a repetition is told from a second request.
 *
 * @param {Uint8Array} random
 * @returns {string}
 */
export function keyOf(random) {
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** @param {number} durationMs */
function timeout(durationMs) {
  return AbortSignal.timeout(durationMs);
}

/** @param {Response} response @returns {Promise<any>} */
async function bodyOf(response) {
  try {
    return await response.json();
  } catch (error) {
    throw new LinkError(reasonOf(error));
  }
}

/** @param {Response} response @returns {Promise<Error>} */
async function errorOf(response) {
  const { error } = await bodyOf(response).catch(() => ({}));
  if (response.status === 401) return new TokenError("The token is needed");
  if (typeof error?.message !== "string") {
    return new LinkError(`It answers with status ${response.status}`);
  }
  // The proxy of `driverspace dashboard` answers, the supervisor behind it does not.
  if (error.code === "unavailable") return new LinkError(error.message);
  return new RefusedError(response.status, error);
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof Error)) return "It does not answer";
  return error.name === "TimeoutError"
    ? "It does not answer in time"
    : "It cannot be reached";
}
