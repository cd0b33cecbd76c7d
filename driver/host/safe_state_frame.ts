/**
 * The one line in which a process tells how it made a device safe. It talked to
 * a device that may be hostile, so the line is read as hostile input.
 *
 * @module
 */

import type { SafeStateReport } from "../loop/safe_state.ts";
import type { SandboxSummary } from "./wire.ts";
import {
  type Checker,
  count,
  oneOf,
  optional,
  shape,
  text,
  WireError,
} from "./wire_check.ts";
import { SANDBOX } from "./wire.ts";

/** Both ends must speak the same version. */
export const SAFE_STATE_WIRE_VERSION = 1;

/** Longer than any report of ours; bounds what a captured process makes us read. */
export const SAFE_STATE_FRAME_BYTES_MAX = 16 * 1024;

/** What the process tells. */
export interface SafeStateFrame extends SafeStateReport {
  /** What held the process; absent when it came to nothing before it knew. */
  readonly sandbox?: SandboxSummary;
}

/** As one line, newline included. */
export function encodeSafeStateFrame(
  frame: SafeStateFrame,
): Uint8Array<ArrayBuffer> {
  const reason = frame.reason?.slice(0, REASON_LENGTH);
  const line = JSON.stringify({
    type: "safeState",
    wire: SAFE_STATE_WIRE_VERSION,
    ...frame,
    ...(reason === undefined ? {} : { reason }),
  });
  return new TextEncoder().encode(`${line}\n`);
}

/**
 * Reads the line.
 *
 * @throws {WireError} When it is not a report of this version, whole and sound.
 */
export function decodeSafeStateFrame(line: Uint8Array): SafeStateFrame {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(line));
  } catch {
    throw new WireError("notJson", "Cannot read a report: it is no JSON");
  }
  const { type: _type, wire: _wire, ...frame } = FRAME(value, "report");
  return frame;
}

/** For people: `done, 3 steps`, `failed: Turn the output off: stall`. */
export function describeSafeState(report: SafeStateReport): string {
  const { result, steps, reason } = report;
  if (reason !== undefined) return `${result}: ${reason}`;
  if (steps === 0) return result;
  return steps === 1 ? `${result}, 1 step` : `${result}, ${steps} steps`;
}

const REASON_LENGTH = 1_000;

const FRAME: Checker<
  SafeStateFrame & { readonly type: "safeState"; readonly wire: number }
> = shape({
  type: oneOf("safeState"),
  wire: oneOf(SAFE_STATE_WIRE_VERSION),
  result: oneOf("done", "failed", "impossible", "none"),
  stepsDone: count,
  steps: count,
  reason: optional(text(REASON_LENGTH)),
  sandbox: optional(SANDBOX),
});
