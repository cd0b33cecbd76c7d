/**
 * What a heartbeat says, taken from where it is known.
 *
 * @module
 */

import type { Assembly } from "./assembly.ts";
import type { Heartbeat } from "./session_options.ts";

/** What a session knows without its device. */
export type BeatFacts = Omit<
  Heartbeat,
  "transfersInFlight" | "lastTransferAgeMs"
>;

/** Adds what moves between host and device; nothing does before it is open. */
export function heartbeatOf(
  facts: BeatFacts,
  nowMs: number,
  open: Assembly | undefined,
): Heartbeat {
  const ageMs = Math.min(
    open?.inputs.lastReportAgeMs ?? Infinity,
    nowMs - (open?.guard.lastTransferMs() ?? -Infinity),
  );
  const inFlight = (open?.inputs.inFlight ?? 0) +
    (open?.guard.inFlight ?? 0);
  return {
    ...facts,
    transfersInFlight: inFlight,
    lastTransferAgeMs: ageMs === Infinity ? null : ageMs,
  };
}
