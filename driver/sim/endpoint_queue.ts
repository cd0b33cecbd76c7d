/**
 * The two sides of a bulk or interrupt endpoint: transfers that wait, data that
 * wait, and the packets in between. USB 2.0, 5.8 and 8.5.
 *
 * @module
 */

import { MAX_TRANSFER_BYTES } from "../limits.ts";
import type { EndpointDescriptor } from "../usb.ts";
import { ERRNO } from "./errno.ts";
import type { Fault } from "./faults.ts";
import { MAX_QUEUED_BYTES, MAX_QUEUED_CHUNKS } from "./sim_limits.ts";
import type { TransferUnit } from "./transfer_unit.ts";
import { STALL } from "./virtual_device.ts";

/** What a queue asks of the device it belongs to. */
export interface QueueHost {
  /** Calls `fire` after `delayMs`, unless the device is gone by then. */
  later(delayMs: number, fire: () => void): void;
  /** Takes the device off the bus: every unit ends. */
  disconnect(): void;
}

/**
 * An endpoint of a live alternate setting: halt, and the data toggles of both
 * ends. They differ after a halt was cleared at one end only; then the first
 * packet is taken for a repetition and lost, as on the wire. USB 2.0, 8.6.
 */
export abstract class EndpointQueue {
  /** The endpoint it is the queue of. */
  readonly descriptor: EndpointDescriptor;
  /** The device it belongs to. */
  protected readonly host: QueueHost;
  /** Transfers, oldest first. */
  protected readonly units: TransferUnit[] = [];
  #isHalted = false;
  #hostToggle = 0;
  #deviceToggle = 0;
  /** The unit at the head waits because of a fault. */
  #isBlocked = false;
  #isPumping = false;

  /** `host` is the device it belongs to. */
  constructor(descriptor: EndpointDescriptor, host: QueueHost) {
    this.descriptor = descriptor;
    this.host = host;
  }

  /** The endpoint answers with stalls. */
  get isHalted(): boolean {
    return this.#isHalted;
  }

  /** `wMaxPacketSize`; a lying descriptor's 0 is taken as 1, so that loops end. */
  get packetBytes(): number {
    return Math.max(1, this.descriptor.maxPacketSize);
  }

  /** Queues a transfer. */
  submit(unit: TransferUnit): void {
    this.units.push(unit);
    this.pump();
  }

  /** Halts: what waits and what comes ends with a stall. */
  halt(): void {
    this.#isHalted = true;
    this.pump();
  }

  /** CLEAR_FEATURE(ENDPOINT_HALT) arrived: the device's end. */
  clearDeviceEnd(): void {
    this.#isHalted = false;
    this.#deviceToggle = 0;
    this.pump();
  }

  /** The host controller forgot its toggle. */
  clearHostEnd(): void {
    this.#hostToggle = 0;
  }

  /** Ends every unit. */
  endAll(status: number): void {
    for (const unit of this.units.splice(0)) unit.complete(status);
    this.#isBlocked = false;
  }

  /** Does what can be done now. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#head() !== undefined && this.#step());
    } finally {
      this.#isPumping = false;
    }
  }

  /** Moves on the head; `false` when it has to wait. */
  protected abstract move(unit: TransferUnit): boolean;

  /** Counts a packet; `false` when the receiver takes it for a repetition. */
  protected isNewPacket(): boolean {
    const isNew = this.#hostToggle === this.#deviceToggle;
    if (isNew) this.#hostToggle ^= 1;
    this.#deviceToggle ^= 1;
    return isNew;
  }

  /** Counts packets that move with the toggles of both ends equal. */
  protected countPackets(count: number): void {
    this.#hostToggle ^= count & 1;
    this.#deviceToggle ^= count & 1;
  }

  #head(): TransferUnit | undefined {
    while (this.units[0]?.isDone) {
      this.units.shift();
      this.#isBlocked = false;
    }
    return this.units[0];
  }

  #step(): boolean {
    const unit = this.units[0];
    if (unit === undefined || this.#isBlocked) return false;
    if (this.#isHalted) {
      unit.complete(-ERRNO.PIPE);
      return true;
    }
    return unit.fault !== undefined && this.#begin(unit, unit.fault)
      ? !this.#isBlocked
      : this.move(unit);
  }

  /** Faults that need no data; `false` leaves the unit to `move`. */
  #begin(unit: TransferUnit, fault: Fault): boolean {
    switch (fault.kind) {
      case "stall":
        this.#isHalted = true;
        return true;
      case "babble":
        unit.complete(-ERRNO.OVERFLOW);
        return true;
      case "zeroLength":
        unit.complete(unit.shortNotOk ? -ERRNO.REMOTEIO : 0);
        return true;
      case "status":
        unit.complete(-ERRNO[fault.errno]);
        return true;
      case "silent":
        this.#isBlocked = true;
        return true;
      case "late":
        this.#isBlocked = true;
        unit.fault = undefined;
        this.host.later(fault.delayMs, () => this.#unblock(unit));
        return true;
      case "disconnect":
        if (fault.when !== "before") return false;
        this.host.disconnect();
        return true;
      case "short":
        return false;
    }
  }

  #unblock(unit: TransferUnit): void {
    if (this.units[0] !== unit) return;
    this.#isBlocked = false;
    this.pump();
  }
}

interface Chunk {
  readonly data: Uint8Array;
  atBytes: number;
}

/** The IN side: what the device sent, and who waits for it. */
export class InQueue extends EndpointQueue {
  readonly #chunks: Chunk[] = [];
  #queuedBytes = 0;
  readonly #wanted: (lengthBytes: number) => void;

  /** `wanted` is called when a transfer waits and nothing is queued. */
  constructor(
    descriptor: EndpointDescriptor,
    host: QueueHost,
    wanted: (lengthBytes: number) => void,
  ) {
    super(descriptor, host);
    this.#wanted = wanted;
  }

  /** Bytes that wait to be fetched. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Queues data; `false` when there is no room. */
  send(data: Uint8Array): boolean {
    const isFull = this.#queuedBytes >= MAX_QUEUED_BYTES ||
      this.#chunks.length >= MAX_QUEUED_CHUNKS;
    if (isFull || data.length > MAX_TRANSFER_BYTES) return false;
    this.#chunks.push({ data: data.slice(), atBytes: 0 });
    this.#queuedBytes += data.length;
    this.pump();
    return true;
  }

  /** Drops what waits to be fetched. */
  flush(): void {
    this.#chunks.length = 0;
    this.#queuedBytes = 0;
  }

  /** Moves on the head; `false` when it has to wait. */
  protected override move(unit: TransferUnit): boolean {
    if (this.#chunks.length === 0) this.#wanted(unit.remainingBytes);
    // What was asked may have halted, flushed or unplugged.
    if (unit.isDone || this.isHalted) return true;
    const chunk = this.#chunks[0];
    if (chunk === undefined) return false;
    if (unit.fault?.kind === "short") {
      this.#cutShort(unit, unit.fault.lengthBytes);
      unit.complete(unit.shortNotOk ? -ERRNO.REMOTEIO : 0);
      return true;
    }
    if (unit.fault?.kind === "disconnect" && unit.fault.when === "during") {
      this.#cutShort(unit, unit.fault.atBytes ?? 0);
      this.host.disconnect();
      return true;
    }
    this.#packet(unit, chunk);
    return true;
  }

  /** Moves one packet, or many full ones at once, which end nothing. */
  #packet(unit: TransferUnit, chunk: Chunk): void {
    const isNew = this.isNewPacket();
    const packet = this.#nextPacket(chunk);
    if (!isNew) return;
    const copied = copyTo(unit, packet);
    const isShort = packet.length < this.packetBytes;
    if (copied < packet.length) this.#end(unit, -ERRNO.OVERFLOW);
    else if (unit.remainingBytes === 0) this.#end(unit, 0);
    else if (isShort) this.#end(unit, unit.shortNotOk ? -ERRNO.REMOTEIO : 0);
    else this.#fullPackets(unit);
  }

  #fullPackets(unit: TransferUnit): void {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return;
    const left = Math.min(
      unit.remainingBytes,
      chunk.data.length - chunk.atBytes,
    );
    // The last is left to `#packet`, which sees ends.
    const packets = Math.ceil(left / this.packetBytes) - 1;
    if (packets < 1) return;
    const lengthBytes = packets * this.packetBytes;
    this.countPackets(packets);
    const end = chunk.atBytes + lengthBytes;
    copyTo(unit, chunk.data.subarray(chunk.atBytes, end));
    chunk.atBytes = end;
    this.#queuedBytes -= lengthBytes;
  }

  /** Takes one packet out of the queue. */
  #nextPacket(chunk: Chunk): Uint8Array {
    const end = Math.min(chunk.atBytes + this.packetBytes, chunk.data.length);
    const packet = chunk.data.subarray(chunk.atBytes, end);
    chunk.atBytes = end;
    this.#queuedBytes -= packet.length;
    if (end === chunk.data.length) this.#chunks.shift();
    return packet;
  }

  #end(unit: TransferUnit, status: number): void {
    const leaves = unit.fault?.kind === "disconnect";
    unit.complete(status);
    if (leaves) this.host.disconnect();
  }

  /** Gives the unit the first bytes of what is queued; the rest of that is lost. */
  #cutShort(unit: TransferUnit, lengthBytes: number): void {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return;
    const left = chunk.data.subarray(chunk.atBytes);
    this.#queuedBytes -= left.length;
    copyTo(unit, left.subarray(0, lengthBytes));
    this.countPackets(1 + Math.floor(lengthBytes / this.packetBytes));
  }
}

type OutReply = void | typeof STALL;
type TakeOut = (data: Uint8Array) => OutReply | Promise<OutReply>;

/** The OUT side: one transfer after another goes to the device. */
export class OutQueue extends EndpointQueue {
  readonly #out: TakeOut;
  #isBusy = false;
  /** Tells the answer to a transfer of before a reset from a later one. */
  #epoch = 0;

  /** `out` takes the data of one transfer. */
  constructor(descriptor: EndpointDescriptor, host: QueueHost, out: TakeOut) {
    super(descriptor, host);
    this.#out = out;
  }

  /** Ends every unit; an answer of the device that is still due counts for none. */
  override endAll(status: number): void {
    this.#epoch++;
    this.#isBusy = false;
    super.endAll(status);
  }

  /** Moves on the head; `false` when it has to wait. */
  protected override move(unit: TransferUnit): boolean {
    if (this.#isBusy) return false;
    const { fault, data } = unit;
    if (fault?.kind === "disconnect" && fault.when === "during") {
      unit.actualLengthBytes = Math.min(fault.atBytes ?? 0, data.length);
      this.host.disconnect();
      return true;
    }
    this.#isBusy = true;
    const hasEmptyPacket = unit.zeroPacket &&
      data.length % this.packetBytes === 0 && data.length > 0;
    const empty = data.subarray(0, 0);
    return this.#deliver(unit, hasEmptyPacket ? [data, empty] : [data]);
  }

  #deliver(unit: TransferUnit, parts: readonly Uint8Array[]): boolean {
    const [part, ...rest] = parts;
    const reply = part === undefined ? undefined : this.#give(part);
    if (!(reply instanceof Promise)) return this.#after(unit, rest, reply);
    const epoch = this.#epoch;
    void reply.then((result) => {
      if (epoch === this.#epoch && this.#after(unit, rest, result)) {
        this.pump();
      }
    });
    return false;
  }

  #after(
    unit: TransferUnit,
    rest: readonly Uint8Array[],
    result: OutReply,
  ): boolean {
    if (result !== STALL && rest.length > 0) return this.#deliver(unit, rest);
    this.#isBusy = false;
    this.#end(unit, result);
    return true;
  }

  #end(unit: TransferUnit, result: OutReply): void {
    if (unit.isDone) return;
    if (result === STALL) return this.halt();
    unit.actualLengthBytes = unit.data.length;
    const leaves = unit.fault?.kind === "disconnect";
    unit.complete(0);
    if (leaves) this.host.disconnect();
  }

  /** Gives data to the device, less a first packet it takes for a repetition. */
  #give(data: Uint8Array): OutReply | Promise<OutReply> {
    const packets = Math.max(1, Math.ceil(data.length / this.packetBytes));
    const isFirstNew = this.isNewPacket();
    this.countPackets(packets - 1);
    if (isFirstNew) return this.#out(data);
    if (packets > 1) return this.#out(data.subarray(this.packetBytes));
    return undefined;
  }
}

/** Copies what fits; gives how much did. */
function copyTo(unit: TransferUnit, data: Uint8Array): number {
  const fits = data.subarray(0, unit.remainingBytes);
  unit.data.set(fits, unit.actualLengthBytes);
  unit.actualLengthBytes += fits.length;
  return fits.length;
}
