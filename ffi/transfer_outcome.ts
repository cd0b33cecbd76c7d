/**
 * From a finished transfer to what its caller is told.
 *
 * @module
 */

import type { TransferOutcome, TransferStatus } from "../driver/port.ts";
import type { Transfer } from "./transfer.ts";
import type { TransferPlan } from "./transfer_plan.ts";
import { POOLED_BYTES_MAX } from "./transfer_pool.ts";

/** What OUT transfers give: nothing is in it, so one serves all. */
const NO_DATA = new Uint8Array();

/** How a finished transfer ended. Takes out what arrived: the transfer may be used anew. */
export function outcomeOf(
  transfer: Transfer,
  plan: TransferPlan,
): TransferOutcome {
  const { status } = transfer;
  if (plan.packetLengthsBytes !== undefined) {
    return isochronousOutcome(transfer, plan);
  }
  const headBytes = plan.headBytes?.length ?? 0;
  const actualLengthBytes = Math.min(
    transfer.actualLengthBytes,
    plan.lengthBytes - headBytes,
  );
  const data = plan.direction === "in"
    ? received(transfer, headBytes, actualLengthBytes)
    : NO_DATA;
  return { status, data, actualLengthBytes };
}

function isochronousOutcome(
  transfer: Transfer,
  plan: TransferPlan,
): TransferOutcome {
  const packets = transfer.packets();
  return {
    status: transfer.status,
    data: plan.direction === "in"
      ? received(transfer, 0, plan.lengthBytes)
      : NO_DATA,
    actualLengthBytes: packets.reduce((n, p) => n + p.actualLengthBytes, 0),
    packets,
  };
}

/** A copy; a large buffer that is not used again is handed out as it is. */
function received(
  transfer: Transfer,
  offset: number,
  lengthBytes: number,
): Uint8Array<ArrayBuffer> {
  const end = offset + lengthBytes;
  const isKept = transfer.capacityBytes <= POOLED_BYTES_MAX || transfer.isLost;
  return isKept
    ? transfer.buffer.slice(offset, end)
    : transfer.buffer.subarray(offset, end);
}

/** How a transfer ends that moved nothing. */
export function emptyOutcome(status: TransferStatus): TransferOutcome {
  return { status, data: new Uint8Array(), actualLengthBytes: 0 };
}
