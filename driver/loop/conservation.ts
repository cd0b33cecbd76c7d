/**
 * The law of conservation: every transfer and every report is somewhere, and
 * the counters say where. Held at the end of every driver's life.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { TransferCounters } from "./guarded_port.ts";
import type { InputReport } from "./inputs.ts";
import type { SessionCounters } from "./session_options.ts";

/** What counters of transfers do not say. */
export interface Remains {
  /** Storage that reports hold. */
  readonly heldBytes: number;
  /** Handlers that were given up; such a one may still read its report. */
  readonly abandoned: number;
}

/**
 * Holds the law for a driver's life that is over.
 *
 * @throws {AssertionError} When something was lost or counted twice.
 */
export function checkLaw(counters: SessionCounters, remains: Remains): void {
  for (const [name, input] of Object.entries(counters.inputs)) {
    checkInput(name, input);
  }
  checkTransfers(counters.transfers);
  assert(
    remains.heldBytes === 0 || remains.abandoned > 0,
    `Reports hold ${remains.heldBytes} bytes after the end`,
  );
}

/**
 * Holds the law for one input: its transfers, its reports, and between the two.
 *
 * @throws {AssertionError} When something was lost or counted twice.
 */
export function checkInput(name: string, report: InputReport): void {
  const { ring, tally } = report;
  assert(
    ring.submitted === ring.completed + ring.inFlight,
    `${name}: submitted ${ring.submitted} is not completed ${ring.completed} + in flight ${ring.inFlight}`,
  );
  const ended = ring.delivered + ring.failed + ring.cancelled + ring.held;
  assert(
    ring.completed === ended,
    `${name}: completed ${ring.completed} is not delivered ${ring.delivered} + failed ${ring.failed} + cancelled ${ring.cancelled} + held ${ring.held}`,
  );
  assert(
    ring.delivered === tally.accepted,
    `${name}: delivered ${ring.delivered} is not accepted ${tally.accepted}`,
  );
  let dropped = 0;
  for (const count of Object.values(tally.dropped)) dropped += count;
  assert(
    tally.accepted ===
      tally.handled + tally.received + tally.waiting + dropped,
    `${name}: accepted ${tally.accepted} is not handled ${tally.handled} + received ${tally.received} + waiting ${tally.waiting} + dropped ${dropped}`,
  );
}

/**
 * Holds the law for a driver's own transfers.
 *
 * @throws {AssertionError} When something was lost or counted twice.
 */
export function checkTransfers(counters: Readonly<TransferCounters>): void {
  const { submitted, completed, failed, cancelled, refused, inFlight } =
    counters;
  assert(
    submitted === completed + failed + cancelled + refused + inFlight,
    `Transfers: submitted ${submitted} is not completed ${completed} + failed ${failed} + cancelled ${cancelled} + refused ${refused} + in flight ${inFlight}`,
  );
}
