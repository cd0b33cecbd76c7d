/**
 * The lines between a host and a standby: a driver process that is started and
 * confined as a driver, has not touched its device, and waits. The host orders,
 * one line each: make the device safe, become the driver, end. The standby
 * tells that it waits, and what became of the device. What it says as a driver
 * is another language, that of {@linkcode DriverFrame}.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { STOP_TIMEOUT_MS } from "../limits.ts";
import { SAFE_STATE_STEPS_MS } from "./safe_state_main.ts";
import { SANDBOX, type SandboxSummary, WireError } from "./wire.ts";
import { type Checker, oneOf, shape } from "./wire_check.ts";

/**
 * What a host orders. `safe`: the driver is dead, make its device safe; `go`:
 * become the driver; `stop`: end, and touch nothing.
 */
export type StandbyOrder = "safe" | "go" | "stop";

/** Both ends must speak the same version. */
export const STANDBY_WIRE_VERSION = 1;

/** Longer than any line of ours; a report of the sandbox is in it. */
export const STANDBY_LINE_BYTES_MAX = 16 * 1024;

/**
 * From the order to the report: all steps, and a margin for opening and
 * claiming. Shorter than a process of its own may take, which comes next.
 */
export const STANDBY_SAFE_TIMEOUT_MS = SAFE_STATE_STEPS_MS + 500;

/**
 * How long a standby whose host is gone waits for the driver to give the
 * interfaces back: one that was not killed with the host stops in order.
 */
export const ORPHAN_CLAIM_MS = STOP_TIMEOUT_MS + 500;

assert(
  STANDBY_SAFE_TIMEOUT_MS > SAFE_STATE_STEPS_MS,
  "A standby must have time for its steps",
);

/** As one line, newline included. */
export function encodeStandbyOrder(
  order: StandbyOrder,
): Uint8Array<ArrayBuffer> {
  return lineOf({ type: order });
}

/**
 * Reads a line of the host.
 *
 * @throws {WireError} When it is no order.
 */
export function decodeStandbyOrder(line: Uint8Array): StandbyOrder {
  return ORDER(parse(line), "order").type;
}

/** The line of a standby that waits. */
export function encodeParked(sandbox: SandboxSummary): Uint8Array<ArrayBuffer> {
  return lineOf({ type: "parked", wire: STANDBY_WIRE_VERSION, sandbox });
}

/**
 * Reads the line of a standby that waits; gives what holds it.
 *
 * @throws {WireError} When it is another line, or not whole and sound.
 */
export function decodeParked(line: Uint8Array): SandboxSummary {
  return PARKED(parse(line), "standby").sandbox;
}

const ORDER: Checker<{ readonly type: StandbyOrder }> = shape({
  type: oneOf("safe", "go", "stop"),
});

const PARKED: Checker<{
  readonly type: "parked";
  readonly wire: number;
  readonly sandbox: SandboxSummary;
}> = shape({
  type: oneOf("parked"),
  wire: oneOf(STANDBY_WIRE_VERSION),
  sandbox: SANDBOX,
});

function lineOf(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(line));
  } catch {
    throw new WireError("notJson", "Cannot read a line of a standby: no JSON");
  }
}
