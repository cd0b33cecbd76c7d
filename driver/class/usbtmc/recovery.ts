/**
 * Ways back into step with a device: abort of either bulk transfer, CLEAR, and
 * the port reset when nothing else helps. None needs a power cycle, each is
 * bounded in reads, checks and time. USBTMC 1.00, 4.2.1.2 to 4.2.1.7.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import {
  CHECK_INTERVAL_MS,
  CHECKS_MAX,
  DRAIN_BUFFER_BYTES,
  DRAIN_READ_TIMEOUT_MS,
  DRAIN_READS_MAX,
  RECOVERY_TIMEOUT_MS,
} from "./bounds.ts";
import {
  checkAbortBulkInStatus,
  checkAbortBulkOutStatus,
  type CheckClearAnswer,
  checkClearStatus,
  type ClassRequest,
  decodeCheckAbort,
  decodeCheckClear,
  decodeInitiateAbort,
  initiateAbortBulkIn,
  initiateAbortBulkOut,
  initiateClear,
  Status,
} from "./control_requests.ts";
import { ask, command, isFinal, type Link, refused } from "./link.ts";

/** What went out of step. */
export type Unsettled =
  /** The answer to the REQUEST with this tag did not come, or was wrong. */
  | { readonly kind: "in"; readonly tag: number }
  /** The OUT transfer with this tag did not finish; `refused`: by a stall, whose halt is cleared. */
  | { readonly kind: "out"; readonly tag: number; readonly refused?: true }
  /** Something that only CLEAR puts right. */
  | { readonly kind: "all" };

/** How far recovery had to go. */
export type RecoveryStep = "abort" | "clear" | "reset";

/**
 * Gets back into step: abort where that is enough, else CLEAR, else a port
 * reset and CLEAR.
 *
 * @throws {UsbError} When none of them helped; what the last one met.
 */
export async function recover(
  link: Link,
  unsettled: Unsettled,
): Promise<RecoveryStep> {
  if (await tryAbort(link, unsettled)) return "abort";
  return await clearOrReset(link);
}

/** CLEAR, and if that fails a port reset and CLEAR. @throws {UsbError} When neither helped. */
export async function clearOrReset(link: Link): Promise<RecoveryStep> {
  try {
    await clear(link);
    return "clear";
  } catch (error) {
    if (isFinal(error)) throw error;
  }
  await link.device.reset();
  await clear(link);
  return "reset";
}

/**
 * CLEAR: the device forgets input and output, both sides start afresh. Devices
 * known not to survive it get their endpoints' halts cleared instead.
 * USBTMC 1.00, 4.2.1.6 and 4.2.1.7.
 *
 * @throws {UsbError} `protocol` when it is refused, `timedOut` when it does not end.
 */
export async function clear(link: Link): Promise<void> {
  const { device, pipes, quirks } = link;
  if (quirks.noClear) {
    await device.clearHalt(pipes.bulkIn.address);
    await device.clearHalt(pipes.bulkOut.address);
    return;
  }
  await command(link, initiateClear(pipes.interfaceNumber));
  const request = checkClearStatus(pipes.interfaceNumber);
  await checkUntilDone(link, {
    request,
    decode: decodeCheckClear,
    mayDrain: quirks.clearWithoutDrain !== true,
    budget: newBudget(link),
  });
  // INITIATE_CLEAR halted bulk OUT at the device (4.2.1.6); this ends it at both ends.
  await device.clearHalt(pipes.bulkOut.address);
  if (quirks.clearHaltsBulkIn) await device.clearHalt(pipes.bulkIn.address);
}

/** `false`: the abort did not settle it, only CLEAR will. */
async function tryAbort(link: Link, unsettled: Unsettled): Promise<boolean> {
  if (unsettled.kind === "all") return false;
  try {
    return unsettled.kind === "in"
      ? await abortBulkIn(link, unsettled.tag)
      : await abortBulkOut(link, unsettled);
  } catch (error) {
    if (isFinal(error)) throw error;
    return false;
  }
}

/**
 * ABORT_BULK_IN with the tag of the REQUEST. "Failed" means that nothing is in
 * progress, which is what we want; "not in progress" that another transfer is,
 * or that bytes are left in the endpoint. USBTMC 1.00, 4.2.1.4 and 4.2.1.5.
 */
async function abortBulkIn(link: Link, tag: number): Promise<boolean> {
  const { address } = link.pipes.bulkIn;
  const initiate = initiateAbortBulkIn(tag, address);
  const { status } = await ask(link, initiate, decodeInitiateAbort);
  if (status === Status.failed) return true;
  if (status !== Status.success) return false;
  const budget = newBudget(link);
  await drain(link, budget);
  await checkUntilDone(link, {
    request: checkAbortBulkInStatus(address),
    decode: decodeCheckAbort,
    mayDrain: true,
    budget,
  });
  return true;
}

/**
 * ABORT_BULK_OUT with the tag of the transfer. "Failed" means that nothing is
 * in progress: right after a refusal, but a device that took nothing until the
 * time was up is stuck elsewhere. USBTMC 1.00, 4.2.1.2 and 4.2.1.3.
 */
async function abortBulkOut(
  link: Link,
  unsettled: Extract<Unsettled, { readonly kind: "out" }>,
): Promise<boolean> {
  const { address } = link.pipes.bulkOut;
  const initiate = initiateAbortBulkOut(unsettled.tag, address);
  const { status } = await ask(link, initiate, decodeInitiateAbort);
  if (status === Status.failed) return unsettled.refused === true;
  if (status !== Status.success) return false;
  await checkUntilDone(link, {
    request: checkAbortBulkOutStatus(address),
    decode: decodeCheckAbort,
    mayDrain: false,
    budget: newBudget(link),
  });
  await link.device.clearHalt(address);
  return true;
}

/** What one procedure may still use up. */
interface Budget {
  reads: number;
  readonly untilMs: number;
}

function newBudget(link: Link): Budget {
  return {
    reads: DRAIN_READS_MAX,
    untilMs: link.time.nowMs() + RECOVERY_TIMEOUT_MS,
  };
}

interface Checking {
  readonly request: ClassRequest;
  readonly decode: (bytes: Uint8Array) => CheckClearAnswer | undefined;
  readonly mayDrain: boolean;
  readonly budget: Budget;
}

/** Asks until the device says success; in between reads what it has queued, or waits. */
async function checkUntilDone(link: Link, checking: Checking): Promise<void> {
  const { request, budget } = checking;
  for (let checks = 0; checks < CHECKS_MAX; checks++) {
    const answer = await ask(link, request, checking.decode);
    if (answer.status === Status.success) return;
    if (answer.status !== Status.pending) {
      throw refused(link, request, answer.status);
    }
    if (link.time.nowMs() >= budget.untilMs) break;
    if (answer.hasQueuedData && checking.mayDrain && budget.reads > 0) {
      await drain(link, budget);
    } else {
      await link.time.sleep(CHECK_INTERVAL_MS);
    }
  }
  throw link.device.error(
    "timedOut",
    `finish ${request.name}`,
    "the device stays pending",
  );
}

/** Reads bulk IN until a short packet, a read that gives nothing in time, or the budget's end. */
async function drain(link: Link, budget: Budget): Promise<void> {
  const { address, maxPacketSize } = link.pipes.bulkIn;
  const lengthBytes = Math.ceil(DRAIN_BUFFER_BYTES / maxPacketSize) *
    maxPacketSize;
  while (budget.reads > 0 && link.time.nowMs() < budget.untilMs) {
    budget.reads--;
    try {
      const bytes = await link.device.transferIn(address, lengthBytes, {
        timeoutMs: DRAIN_READ_TIMEOUT_MS,
      });
      if (bytes.length < lengthBytes) return;
    } catch (error) {
      if (!(error instanceof UsbError) || isFinal(error)) throw error;
      if (error.code === "stall") await link.device.clearHalt(address);
      if (error.code !== "overflow") return;
    }
  }
}
