/**
 * The kernel's side of usbfs, free of any transport: one open file of a device
 * node, its ioctls, and the transfers it has under way. Behaves as Linux's
 * drivers/usb/core/devio.c; differences are named where they are.
 *
 * @module
 */

import { endpointAddress, hex } from "../usb.ts";
import type { BusDevice } from "./bus_device.ts";
import { ERRNO } from "./errno.ts";
import { URB_OVERHEAD_BYTES } from "./sim_limits.ts";
import { TransferUnit } from "./transfer_unit.ts";
import {
  checkSetup,
  checkType,
  checkUrb,
  decodeUrb,
  flagsOf,
  readPackets,
  type SubmittedUrb,
  typeOf,
  writeBack,
} from "./urb.ts";
import { failed, OK, UsbfsClaims } from "./usbfs_claims.ts";
import { URB, URB_TYPE, USBDEVFS } from "./usbfs_constants.ts";
import type {
  Answer,
  ClientMemory,
  Readiness,
  Session,
} from "./usbfs_contract.ts";
import {
  checkedMemory,
  faultAnswer,
  faultToUndefined,
  type UsbfsMemory,
} from "./usbfs_memory.ts";
import { answerRequest } from "./usbfs_requests.ts";
import { synchronousTransfer } from "./usbfs_sync.ts";

/** Where an open file is, and what it tells. */
export interface UsbfsPlace {
  readonly minor: number;
  readonly busNumber: number;
  readonly deviceAddress: number;
  /** Ports from the root hub on. */
  readonly ports: readonly number[];
  readonly memory: UsbfsMemory;
  /** Whether this file has something to reap changed. */
  readinessChanged(): void;
  closed(file: UsbfsFile): void;
  /** Time limits of the synchronous ioctls. */
  later(delayMs: number, fire: () => void): { cancel(): void };
}

interface Pending {
  readonly urb: SubmittedUrb;
  readonly unit: TransferUnit;
  readonly chargedBytes: number;
}

/** One open file of usbfs. */
export class UsbfsFile implements Session {
  readonly minor: number;
  readiness: Readiness | undefined;
  readonly #device: BusDevice;
  readonly #place: UsbfsPlace;
  readonly #claims: UsbfsClaims;
  readonly #pending = new Map<bigint, Pending>();
  readonly #completed: Pending[] = [];
  /** REAPURB calls that wait. */
  readonly #reapers: (() => void)[] = [];
  readonly #synchronous = new Set<TransferUnit>();
  #position = 0;
  #isClosed = false;

  /** Opens; the device is the one plugged in now, for good. */
  constructor(device: BusDevice, place: UsbfsPlace) {
    this.minor = place.minor;
    this.#device = device;
    this.#place = place;
    this.#claims = new UsbfsClaims(device, this);
  }

  /** Something waits to be reaped. */
  get isReady(): boolean {
    return this.#completed.length > 0;
  }

  /** Device descriptor and configurations, from the file position on. */
  read(count: number): Uint8Array {
    const { device, configurations } = this.#device.descriptors;
    let skip = this.#position;
    const parts: Uint8Array[] = [];
    let room = count;
    for (const bytes of [device, ...configurations]) {
      const part = bytes.subarray(skip, skip + room);
      skip = Math.max(0, skip - bytes.length);
      room -= part.length;
      parts.push(part);
    }
    const result = new Uint8Array(count - room);
    let at = 0;
    for (const part of parts) {
      result.set(part, at);
      at += part.length;
    }
    this.#position += result.length;
    return result;
  }

  seek(offset: number): void {
    this.#position = Math.max(0, Math.trunc(offset));
  }

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { unit } of [...this.#pending.values()]) {
      this.#device.cancel(unit);
    }
    for (const unit of [...this.#synchronous]) this.#device.cancel(unit);
    this.#completed.length = 0;
    this.#wakeReapers();
    if (!this.#device.isGone) this.#claims.releaseAll();
    this.readiness?.close();
    this.#place.closed(this);
  }

  /** The device left: POLLERR, and calls that wait end. */
  hangup(): void {
    this.readiness?.hangup();
    this.#wakeReapers();
  }

  ioctl(
    request: number,
    argument: bigint,
    memory: ClientMemory,
  ): Answer | Promise<Answer> {
    const errno = this.#device.faults.forIoctl(request);
    if (errno !== 0) return failed(errno);
    const result = this.#dispatch(request, argument, checkedMemory(memory));
    return result instanceof Promise ? result.catch(faultAnswer) : result;
  }

  #dispatch(
    request: number,
    argument: bigint,
    memory: ClientMemory,
  ): Answer | Promise<Answer> {
    if (request === USBDEVFS.REAPURBNDELAY) return this.#reap(argument, memory);
    if (request === USBDEVFS.REAPURB) {
      return this.#waitAndReap(argument, memory);
    }
    if (this.#device.isGone) return failed(ERRNO.NODEV);
    switch (request) {
      case USBDEVFS.SUBMITURB:
        return this.#submit(argument, memory);
      case USBDEVFS.DISCARDURB:
        return this.#discard(argument);
      case USBDEVFS.CONTROL:
      case USBDEVFS.BULK:
        return synchronousTransfer(request, argument, {
          device: this.#device,
          claims: this.#claims,
          client: memory,
          memory: this.#place.memory,
          units: this.#synchronous,
          later: (delayMs, fire) => this.#place.later(delayMs, fire),
        });
      case USBDEVFS.RESET:
        return this.#reset();
      default:
        return answerRequest(request, argument, {
          memory,
          context: {
            device: this.#device,
            claims: this.#claims,
            busNumber: this.#place.busNumber,
            deviceAddress: this.#place.deviceAddress,
            ports: this.#place.ports,
          },
        });
    }
  }

  async #submit(address: bigint, memory: ClientMemory): Promise<Answer> {
    const urb = decodeUrb(address, await memory.peek(address, URB.sizeBytes));
    const wrong = this.#checkSubmit(urb);
    if (wrong !== 0) return failed(wrong);
    const packets = await readPackets(urb, memory);
    if (typeof packets === "number") return failed(packets);
    const packetBytes = packets.reduce((sum, length) => sum + length, 0);
    const lengthBytes = packets.length > 0
      ? packetBytes
      : urb.bufferLengthBytes;
    const chargedBytes = lengthBytes + URB_OVERHEAD_BYTES;
    if (!this.#place.memory.take(chargedBytes)) return failed(ERRNO.NOMEM);
    const isRead = urb.type !== URB_TYPE.CONTROL && (urb.endpoint & 0x80) !== 0;
    const data = isRead || lengthBytes === 0
      ? new Uint8Array(lengthBytes)
      : await memory.peek(urb.buffer, lengthBytes).catch(faultToUndefined);
    const errno = data === undefined ? ERRNO.FAULT : this.#checkData(urb, data);
    if (data === undefined || errno !== 0) {
      this.#place.memory.give(chargedBytes);
      return failed(errno);
    }
    this.#start(urb, { data, packets, chargedBytes });
    return OK;
  }

  #checkSubmit(urb: SubmittedUrb): number {
    const errno = checkUrb(urb);
    if (errno !== 0) return errno;
    if (this.#pending.has(urb.address)) return ERRNO.BUSY;
    if (urb.type === URB_TYPE.CONTROL) {
      return (urb.endpoint & 0x0f) === 0 ? 0 : ERRNO.INVAL;
    }
    const claim = this.#claims.checkEndpoint(urb.endpoint);
    if (claim !== 0) return claim;
    const endpoint = this.#device.endpoint(urb.endpoint);
    return endpoint === undefined ? ERRNO.NOENT : checkType(urb, endpoint);
  }

  /** What can be checked only when the client's data are here; the device may be gone by then. */
  #checkData(urb: SubmittedUrb, data: Uint8Array): number {
    if (this.#device.isGone || this.#isClosed) return ERRNO.NODEV;
    if (this.#device.isSuspended) return ERRNO.HOSTUNREACH;
    if (urb.type !== URB_TYPE.CONTROL) return 0;
    const errno = checkSetup(data);
    return errno === 0 ? this.#claims.checkRecipient(data) : errno;
  }

  #start(
    urb: SubmittedUrb,
    parts: {
      readonly data: Uint8Array<ArrayBuffer>;
      readonly packets: readonly number[];
      readonly chargedBytes: number;
    },
  ): void {
    const unit = new TransferUnit({
      type: typeOf(urb),
      endpoint: endpointAddress(
        urb.type === URB_TYPE.CONTROL ? 0 : urb.endpoint,
      ),
      data: parts.data,
      packetLengthsBytes: parts.packets,
      ...flagsOf(urb),
      onComplete: () => this.#finished(pending),
    });
    const pending = { urb, unit, chargedBytes: parts.chargedBytes };
    this.#pending.set(urb.address, pending);
    this.#device.submit(unit);
  }

  #finished(pending: Pending): void {
    // By identity: a discarded URB's address is used again at once.
    const { address } = pending.urb;
    if (this.#pending.get(address) === pending) this.#pending.delete(address);
    this.#place.memory.give(pending.chargedBytes);
    if (this.#isClosed) return;
    this.#completed.push(pending);
    this.#signal();
    this.#reapers.shift()?.();
  }

  #discard(address: bigint): Answer {
    const pending = this.#pending.get(address);
    if (pending === undefined) return failed(ERRNO.INVAL);
    this.#device.cancel(pending.unit);
    return OK;
  }

  #reap(argument: bigint, memory: ClientMemory): Answer {
    const pending = this.#completed.shift();
    if (pending === undefined) {
      return failed(this.#device.isGone ? ERRNO.NODEV : ERRNO.AGAIN);
    }
    if (!this.isReady) this.#signal();
    writeBack(pending.urb, pending.unit, memory);
    const pointer = new DataView(new ArrayBuffer(8));
    pointer.setBigUint64(0, pending.urb.address, true);
    memory.poke(argument, new Uint8Array(pointer.buffer));
    return OK;
  }

  async #waitAndReap(argument: bigint, memory: ClientMemory): Promise<Answer> {
    while (!this.isReady && !this.#device.isGone && !this.#isClosed) {
      await new Promise<void>((wake) => this.#reapers.push(wake));
    }
    return this.#reap(argument, memory);
  }

  #wakeReapers(): void {
    for (const wake of this.#reapers.splice(0)) wake();
  }

  #signal(): void {
    this.readiness?.setReady(this.isReady);
    this.#place.readinessChanged();
  }

  /** Transfers end, claims of every file are lost, halts clear, the configuration stays. */
  #reset(): Answer {
    const errno = this.#claims.checkReset();
    if (errno !== 0) return failed(errno);
    // The kernel unbinds first, and that shuts endpoints down.
    this.#device.reset(-ERRNO.SHUTDOWN);
    if (this.#device.isGone) return failed(ERRNO.NODEV);
    this.#device.claims.forgetAll();
    return OK;
  }

  /** For messages of tests. */
  toString(): string {
    return `usbfs file of minor ${hex(this.minor)}`;
  }
}
