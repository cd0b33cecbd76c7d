/**
 * Isochronous endpoints: a frame clock, and transfers that lie one behind the
 * other on it. Nothing waits for data: what is not there in its frame is short,
 * what comes too late is lost. USB 2.0, 5.6.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";
import type { EndpointDescriptor, Speed } from "../usb.ts";
import { ERRNO } from "./errno.ts";
import type { QueueHost } from "./endpoint_queue.ts";
import { ISOCHRONOUS_SLACK_FRAMES } from "./sim_limits.ts";
import type { TransferUnit, UnitPacket } from "./transfer_unit.ts";

/** Frame numbers of a bus at a speed: microframes from high speed on. USB 2.0, 8.4.3. */
export class FrameClock {
  readonly #clock: Clock;
  readonly framesPerMs: number;

  /** Frame 0 is when the clock is at 0. */
  constructor(clock: Clock, speed: Speed) {
    this.#clock = clock;
    this.framesPerMs = speed === "low" || speed === "full" ? 1 : 8;
  }

  /** The frame that runs now. */
  now(): number {
    return Math.floor(this.#clock.nowMs() * this.framesPerMs);
  }

  /** Calls `fire` at the end of `frame`. */
  atEndOf(frame: number, fire: () => void): Timer {
    const endMs = (frame + 1) / this.framesPerMs;
    return this.#clock.setTimer(
      Math.max(0, endMs - this.#clock.nowMs()),
      fire,
    );
  }
}

/** What moves in one frame. */
export interface IsochronousDevice {
  packetIn(lengthBytes: number, frame: number): Uint8Array;
  packetOut(data: Uint8Array, frame: number): void;
}

/** Transfers of one isochronous endpoint. */
export class IsochronousQueue {
  readonly descriptor: EndpointDescriptor;
  readonly #frames: FrameClock;
  readonly #device: IsochronousDevice;
  readonly #host: QueueHost;
  readonly #units: TransferUnit[] = [];
  #nextFrame = -1;
  #timer: Timer | undefined;

  /** `frames` is the clock of the bus the device is on. */
  constructor(
    descriptor: EndpointDescriptor,
    host: QueueHost,
    options: {
      readonly frames: FrameClock;
      readonly device: IsochronousDevice;
    },
  ) {
    this.descriptor = descriptor;
    this.#host = host;
    this.#frames = options.frames;
    this.#device = options.device;
  }

  /** Frames from one packet to the next: 2^(bInterval - 1). USB 2.0, 9.6.6. */
  get intervalFrames(): number {
    return 2 ** (Math.min(16, Math.max(1, this.descriptor.interval)) - 1);
  }

  /** Gives a transfer its place on the frame clock. */
  submit(unit: TransferUnit): void {
    unit.submitFrame = this.#frames.now();
    const earliest = this.#frames.now() + ISOCHRONOUS_SLACK_FRAMES;
    const isRunning = this.#nextFrame > this.#frames.now();
    unit.startFrame ??= isRunning ? this.#nextFrame : earliest;
    this.#nextFrame = unit.startFrame +
      unit.packets.length * this.intervalFrames;
    this.#units.push(unit);
    if (unit.fault?.kind === "disconnect" && unit.fault.when === "before") {
      return this.#host.disconnect();
    }
    this.#arm();
  }

  /** Ends every unit. */
  endAll(status: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#nextFrame = -1;
    for (const unit of this.#units.splice(0)) unit.complete(status);
  }

  /** Drops what was cancelled and waits for the next end. */
  pump(): void {
    while (this.#units[0]?.isDone) {
      this.#units.shift();
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    this.#arm();
  }

  #arm(): void {
    const unit = this.#units[0];
    if (unit === undefined || this.#timer !== undefined) return;
    if (unit.fault?.kind === "silent") return;
    const lastFrame = (unit.startFrame ?? 0) +
      Math.max(0, unit.packets.length - 1) * this.intervalFrames;
    this.#timer = this.#frames.atEndOf(lastFrame, () => {
      this.#timer = undefined;
      if (!this.#isDelayed(unit)) this.#finish(unit);
    });
  }

  #isDelayed(unit: TransferUnit): boolean {
    if (unit.fault?.kind !== "late") return false;
    this.#host.later(unit.fault.delayMs, () => {
      if (this.#units[0] === unit) this.#finish(unit);
    });
    return true;
  }

  #finish(unit: TransferUnit): void {
    const { fault } = unit;
    unit.packets.forEach((packet, index) => {
      const frame = (unit.startFrame ?? 0) + index * this.intervalFrames;
      this.#packet(unit, packet, frame);
      if (
        fault?.kind === "status" && (fault.packet ?? index) === index
      ) {
        packet.status = -ERRNO[fault.errno];
        packet.actualLengthBytes = 0;
      }
    });
    unit.actualLengthBytes = unit.packets.reduce(
      (sum, packet) => sum + packet.actualLengthBytes,
      0,
    );
    this.#units.shift();
    if (fault?.kind === "disconnect" && fault.when === "during") {
      this.#units.unshift(unit);
      return this.#host.disconnect();
    }
    unit.complete(0);
    if (fault?.kind === "disconnect") return this.#host.disconnect();
    this.pump();
  }

  #packet(unit: TransferUnit, packet: UnitPacket, frame: number): void {
    const { offsetBytes, lengthBytes } = packet;
    const end = offsetBytes + lengthBytes;
    if (frame < (unit.submitFrame ?? 0)) {
      packet.status = -ERRNO.XDEV;
      return;
    }
    if (this.descriptor.direction === "out") {
      this.#device.packetOut(unit.data.subarray(offsetBytes, end), frame);
      packet.actualLengthBytes = lengthBytes;
      return;
    }
    const sent = unit.fault?.kind === "zeroLength"
      ? new Uint8Array()
      : this.#device.packetIn(lengthBytes, frame);
    const data = sent.subarray(0, lengthBytes);
    unit.data.set(data, offsetBytes);
    packet.actualLengthBytes = data.length;
    if (sent.length > lengthBytes || unit.fault?.kind === "babble") {
      packet.status = -ERRNO.OVERFLOW;
    }
  }
}
