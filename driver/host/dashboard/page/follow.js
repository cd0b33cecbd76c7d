// @ts-check
/**
 * Follows the stream of events for as long as the page is open: connects again
 * with the number of the last event, later each time, and never gives up.
 *
 * @module
 */

/** @import { Api } from "./api.js" */
/** @import { ServerEvent } from "./sse.js" */

import { TokenError } from "./api.js";
import { EventParser } from "./sse.js";

/** A comment comes every 15 s; two of them missed, and nobody is there. */
export const SILENCE_MS_MAX = 35_000;
const DELAY_MS_FIRST = 1_000;
const DELAY_MS_MAX = 15_000;

/**
 * What a stream is followed with.
 *
 * @typedef {object} FollowOptions
 * @property {Api} api
 * @property {string} path
 * @property {AbortSignal} signal Ends it.
 * @property {(event: ServerEvent) => void} onEvent
 * @property {(isOpen: boolean) => void} onLink
 * @property {() => number} random From 0 up to 1.
 * @property {(durationMs: number, signal: AbortSignal) => Promise<void>} wait Resolves early when it is aborted.
 */

/**
 * Follows until `signal` is aborted, or the token is refused.
 *
 * @param {FollowOptions} options
 * @returns {Promise<void>}
 */
export async function follow(options) {
  const { signal, wait, random } = options;
  let lastEventId = "";
  let failures = 0;
  while (!signal.aborted) {
    try {
      const heard = await readOnce(options, lastEventId);
      lastEventId = heard.lastEventId;
      if (heard.count > 0) failures = 0;
    } catch (error) {
      if (error instanceof TokenError) return;
    }
    options.onLink(false);
    await wait(delayOf(failures, random()), signal);
    failures++;
  }
}

/**
 * The time before the next attempt: doubled each time up to a bound, and spread,
 * so that pages do not come back all at once.
 *
 * @param {number} failures
 * @param {number} chance From 0 up to 1.
 * @returns {number}
 */
export function delayOf(failures, chance) {
  const bound = Math.min(DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** failures);
  return bound * (0.5 + chance / 2);
}

/**
 * Reads one connection to its end, whatever that is.
 *
 * @param {FollowOptions} options
 * @param {string} lastEventId
 * @returns {Promise<{ lastEventId: string; count: number }>}
 */
async function readOnce(options, lastEventId) {
  const { api, path, onEvent, onLink } = options;
  const silence = new AbortController();
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let alarm = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
  const heard = { lastEventId, count: 0 };
  try {
    const stream = await api.stream(path, { lastEventId, signal });
    onLink(true);
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return heard;
      clearTimeout(alarm);
      alarm = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
      for (
        const event of parser.push(decoder.decode(value, { stream: true }))
      ) {
        if (event.id !== "") heard.lastEventId = event.id;
        heard.count++;
        onEvent(event);
      }
    }
  } catch (error) {
    if (error instanceof TokenError) throw error;
    return heard;
  } finally {
    clearTimeout(alarm);
    silence.abort();
  }
}
