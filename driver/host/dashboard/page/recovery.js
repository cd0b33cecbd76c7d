// @ts-check
/**
 * How long a driver was away: from the end of one process to READY of the next.
 *
 * @module
 */

/** @import { ExitView, TransitionView } from "./words.d.ts" */

/**
 * An end, and when it was made good.
 *
 * @typedef {object} Outage
 * @property {ExitView} exit
 * @property {number | undefined} awayMs `undefined`: not yet, or the next end came first.
 */

/**
 * Ends with the time until the driver was back, the newest first.
 *
 * @param {readonly ExitView[]} exits Oldest first.
 * @param {readonly TransitionView[]} transitions Oldest first.
 * @returns {Outage[]}
 */
export function outagesOf(exits, transitions) {
  const readies = transitions.filter(({ to }) => to === "ready")
    .map(({ at }) => Date.parse(at));
  return exits.map((exit, index) => {
    const endedMs = Date.parse(exit.at);
    const nextMs = Date.parse(exits[index + 1]?.at ?? "");
    const readyMs = readies.find((atMs) => atMs >= endedMs);
    const isBack = readyMs !== undefined &&
      (Number.isNaN(nextMs) || readyMs <= nextMs);
    return { exit, awayMs: isBack ? readyMs - endedMs : undefined };
  }).toReversed();
}
