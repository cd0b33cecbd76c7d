/**
 * What a supervisor remembers over its own end: failures, so that a crash loop
 * stays one, and which devices are in use, so that one left behind is made safe. Versioned and with a checksum; what is corrupt is not guessed at.
 *
 * @module
 */

import type { RestartHistory } from "../restart_policy.ts";
import {
  boolean,
  count,
  oneOf,
  optional,
  record,
  shape,
  text,
  WireError,
} from "../wire_check.ts";
import { canonical } from "./configuration_diff.ts";

/** What is remembered of one driver. */
export interface RememberedDriver {
  readonly failures: number;
  /** When it failed, wall clock, as text: `1767225600000,1767225600100`. */
  readonly failedAt: string;
  /** A driver has the device: whoever reads this, and did not write it, finds it left behind. */
  readonly isInUse?: boolean;
}

/** What is remembered. */
export interface RememberedState {
  readonly savedAtMs: number;
  readonly drivers: Readonly<Record<string, RememberedDriver>>;
}

/** What a state file held. */
export type ReadState =
  | { readonly kind: "sound"; readonly state: RememberedState }
  | { readonly kind: "absent" }
  | { readonly kind: "corrupt"; readonly reason: string };

/** Grows when old files can no longer be read. */
export const STATE_VERSION = 1;
/** Far above what 64 drivers need. */
const STATE_CHARACTERS_MAX = 256 * 1024;

/** As the text of a file. */
export function encodeState(state: RememberedState): string {
  const checksum = checksumOf(canonical(state));
  return JSON.stringify({ version: STATE_VERSION, checksum, state }) + "\n";
}

/** Reads the text of a file. Never throws. */
export function decodeState(source: string | undefined): ReadState {
  if (source === undefined) return { kind: "absent" };
  if (source.length > STATE_CHARACTERS_MAX) {
    return { kind: "corrupt", reason: "it is too long" };
  }
  try {
    const { checksum, state } = FILE(JSON.parse(source), "state file");
    return checksumOf(canonical(state)) === checksum
      ? { kind: "sound", state }
      : { kind: "corrupt", reason: "its checksum is wrong" };
  } catch (error) {
    const reason = error instanceof WireError ? error.message : "it is no JSON";
    return { kind: "corrupt", reason };
  }
}

/** A history as it is remembered: times of the wall clock, since ours begins anew. */
export function rememberHistory(
  history: RestartHistory,
  now: { readonly nowMs: number; readonly wallMs: number },
): RememberedDriver {
  const failedAt = history.failedAtMs.map((atMs) =>
    Math.round(now.wallMs - (now.nowMs - atMs))
  ).join(",");
  return { failures: history.failures, failedAt };
}

/** The other way. Times of the future are those of a clock that was set back: left out. */
export function recallHistory(
  remembered: RememberedDriver,
  now: { readonly nowMs: number; readonly wallMs: number },
): RestartHistory {
  const failedAtMs = remembered.failedAt.split(",").filter(Boolean)
    .map((atMs) => now.nowMs - (now.wallMs - Number(atMs)))
    .filter((atMs) => Number.isFinite(atMs) && atMs <= now.nowMs);
  return { failures: remembered.failures, failedAtMs };
}

const FILE = shape({
  version: oneOf(STATE_VERSION),
  checksum: text(8),
  state: shape({
    savedAtMs: count,
    drivers: record(shape({
      failures: count,
      failedAt: text(16_384),
      isInUse: optional(boolean),
    })),
  }),
});

/** FNV-1a, 32 bits: it finds torn and damaged files, and keeps nobody out. */
function checksumOf(source: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(source)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}
