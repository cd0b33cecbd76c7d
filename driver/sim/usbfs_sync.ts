/**
 * The synchronous ioctls of usbfs, CONTROL and BULK: submit, wait and take the
 * result in one call. Linux, devio.c: `do_proc_control`, `do_proc_bulk`.
 *
 * @module
 */

import { MAX_CONTROL_BYTES } from "../limits.ts";
import { endpointAddress } from "../usb.ts";
import type { BusDevice } from "./bus_device.ts";
import { SETUP_BYTES } from "./control_queue.ts";
import { ERRNO } from "./errno.ts";
import { URB_OVERHEAD_BYTES } from "./sim_limits.ts";
import { TransferUnit } from "./transfer_unit.ts";
import { receivedData } from "./urb.ts";
import { failed, type UsbfsClaims } from "./usbfs_claims.ts";
import { USBDEVFS, USBFS_TRANSFER_BYTES_MAX } from "./usbfs_constants.ts";
import type { Answer, ClientMemory } from "./usbfs_contract.ts";
import type { UsbfsMemory } from "./usbfs_memory.ts";

/** `struct usbdevfs_ctrltransfer` and `struct usbdevfs_bulktransfer`. */
const ARGUMENT_BYTES = 24;

/** What a synchronous transfer works with. */
export interface SynchronousContext {
  readonly device: BusDevice;
  readonly claims: UsbfsClaims;
  readonly client: ClientMemory;
  readonly memory: UsbfsMemory;
  /** Units that a close has to end. */
  readonly units: Set<TransferUnit>;
  later(delayMs: number, fire: () => void): { cancel(): void };
}

interface Decoded {
  readonly isControl: boolean;
  readonly isIn: boolean;
  readonly endpoint: number;
  readonly lengthBytes: number;
  readonly timeoutMs: number;
  readonly buffer: bigint;
  readonly setup: Uint8Array;
}

/** Runs one; the answer comes when the transfer ended. */
export async function synchronousTransfer(
  request: number,
  argument: bigint,
  context: SynchronousContext,
): Promise<Answer> {
  const head = await context.client.peek(argument, ARGUMENT_BYTES);
  const transfer = decode(request === USBDEVFS.CONTROL, head);
  const errno = check(transfer, context);
  if (errno !== 0) return failed(errno);
  const chargedBytes = transfer.lengthBytes + URB_OVERHEAD_BYTES;
  if (!context.memory.take(chargedBytes)) return failed(ERRNO.NOMEM);
  try {
    return await run(transfer, context);
  } finally {
    context.memory.give(chargedBytes);
  }
}

function decode(isControl: boolean, head: Uint8Array<ArrayBuffer>): Decoded {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const endpoint = isControl ? 0 : view.getUint32(0, true);
  const direction = isControl ? view.getUint8(0) : endpoint;
  return {
    isControl,
    isIn: (direction & 0x80) !== 0,
    endpoint,
    lengthBytes: isControl ? view.getUint16(6, true) : view.getUint32(4, true),
    timeoutMs: view.getUint32(8, true),
    buffer: view.getBigUint64(16, true),
    setup: head.subarray(0, SETUP_BYTES),
  };
}

function check(
  transfer: Decoded,
  { device, claims }: SynchronousContext,
): number {
  const { isControl, lengthBytes, endpoint } = transfer;
  if (device.isGone) return ERRNO.NODEV;
  if (device.isSuspended) return ERRNO.HOSTUNREACH;
  const max = isControl ? MAX_CONTROL_BYTES : USBFS_TRANSFER_BYTES_MAX;
  if (lengthBytes > max) return ERRNO.INVAL;
  if (isControl) return claims.checkRecipient(transfer.setup);
  const errno = claims.checkEndpoint(endpoint);
  if (errno !== 0) return errno;
  const type = device.endpoint(endpoint)?.transferType;
  return type === "bulk" || type === "interrupt" ? 0 : ERRNO.INVAL;
}

async function run(
  transfer: Decoded,
  context: SynchronousContext,
): Promise<Answer> {
  const { isControl, isIn, lengthBytes, buffer } = transfer;
  const skip = isControl ? SETUP_BYTES : 0;
  const data = new Uint8Array(skip + lengthBytes);
  if (isControl) data.set(transfer.setup);
  if (!isIn && lengthBytes > 0) {
    data.set(await context.client.peek(buffer, lengthBytes), skip);
  }
  const unit = await ended(transfer, data, context);
  if (unit.status !== 0) return failed(-unit.status);
  const received = receivedData(unit);
  if (received.length > 0) context.client.poke(buffer, received);
  return [unit.actualLengthBytes, 0];
}

async function ended(
  transfer: Decoded,
  data: Uint8Array<ArrayBuffer>,
  { device, units, later }: SynchronousContext,
): Promise<TransferUnit> {
  const { promise, resolve } = Promise.withResolvers<TransferUnit>();
  const unit = new TransferUnit({
    type: transfer.isControl ? "control" : "bulk",
    endpoint: endpointAddress(transfer.endpoint),
    data,
    onComplete: resolve,
  });
  units.add(unit);
  const timer = transfer.timeoutMs === 0
    ? undefined
    : later(transfer.timeoutMs, () => device.endUnit(unit, -ERRNO.TIMEDOUT));
  device.submit(unit);
  try {
    return await promise;
  } finally {
    timer?.cancel();
    units.delete(unit);
  }
}
