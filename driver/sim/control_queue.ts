/**
 * Endpoint 0: control transfers one after another. A new setup stage ends the
 * one before it, so a cancelled transfer never blocks. USB 2.0, 5.5 and 8.5.3.
 *
 * @module
 */

import { type DecodedSetup, decodeSetup } from "../usb.ts";
import { ERRNO } from "./errno.ts";
import type { Fault } from "./faults.ts";
import type { QueueHost } from "./endpoint_queue.ts";
import type { TransferUnit } from "./transfer_unit.ts";
import { type ControlReply, STALL } from "./virtual_device.ts";

/** Bytes of a setup stage. USB 2.0, 9.3. */
export const SETUP_BYTES = 8;

type Answer = (
  setup: DecodedSetup,
  data: Uint8Array,
) => ControlReply | Promise<ControlReply>;

/** Control transfers of a device, in order. */
export class ControlQueue {
  readonly #host: QueueHost;
  readonly #answer: Answer;
  readonly #units: TransferUnit[] = [];
  /** The unit the device works at, or a fault delays. */
  #current: TransferUnit | undefined;

  /** `answer` is the device. */
  constructor(host: QueueHost, answer: Answer) {
    this.#host = host;
    this.#answer = answer;
  }

  /** Queues a transfer. */
  submit(unit: TransferUnit): void {
    this.#units.push(unit);
    this.pump();
  }

  /** Ends every unit. */
  endAll(status: number): void {
    this.#current = undefined;
    for (const unit of this.#units.splice(0)) unit.complete(status);
  }

  /** Begins what can begin. */
  pump(): void {
    for (;;) {
      while (this.#units[0]?.isDone) this.#units.shift();
      const unit = this.#units[0];
      if (unit === undefined || unit === this.#current) return;
      this.#current = unit;
      this.#begin(unit);
    }
  }

  #begin(unit: TransferUnit): void {
    const { fault } = unit;
    if (fault === undefined) return this.#ask(unit);
    switch (fault.kind) {
      case "stall":
        return unit.complete(-ERRNO.PIPE);
      case "babble":
        return unit.complete(-ERRNO.OVERFLOW);
      case "zeroLength":
        return unit.complete(0);
      case "status":
        return unit.complete(-ERRNO[fault.errno]);
      case "silent":
        return;
      case "late":
        return this.#host.later(fault.delayMs, () => {
          if (this.#current !== unit) return;
          this.#ask(unit);
          this.pump();
        });
      case "disconnect":
        if (fault.when === "before") return this.#host.disconnect();
        return this.#ask(unit);
      case "short":
        return this.#ask(unit);
    }
  }

  #ask(unit: TransferUnit): void {
    const setup = decodeSetup(unit.data);
    if (setup === undefined) return this.#end(unit, STALL);
    const data = unit.data.subarray(
      SETUP_BYTES,
      SETUP_BYTES + setup.lengthBytes,
    );
    const isIn = setup.direction === "in";
    const reply = this.#answer(setup, isIn ? data.subarray(0, 0) : data);
    if (!(reply instanceof Promise)) return this.#settle(unit, setup, reply);
    void reply.then((late) => {
      if (this.#current !== unit) return;
      this.#settle(unit, setup, late);
      this.pump();
    });
  }

  #settle(unit: TransferUnit, setup: DecodedSetup, reply: ControlReply): void {
    if (reply === STALL || unit.isDone) return this.#end(unit, reply);
    const room = unit.data.length - SETUP_BYTES;
    let lengthBytes = Math.min(setup.lengthBytes, room);
    if (setup.direction === "in") {
      const data = (reply ?? new Uint8Array()).subarray(0, lengthBytes);
      const sent = data.subarray(0, cutAt(unit.fault) ?? data.length);
      unit.data.set(sent, SETUP_BYTES);
      lengthBytes = sent.length;
    } else {lengthBytes = Math.min(
        lengthBytes,
        cutAt(unit.fault) ?? lengthBytes,
      );}
    unit.actualLengthBytes = lengthBytes;
    this.#end(unit, reply);
  }

  #end(unit: TransferUnit, reply: ControlReply): void {
    const { fault } = unit;
    if (fault?.kind === "disconnect" && fault.when === "during") {
      return this.#host.disconnect();
    }
    unit.complete(reply === STALL ? -ERRNO.PIPE : 0);
    if (fault?.kind === "disconnect") this.#host.disconnect();
  }
}

/** How many bytes of the data stage pass before the fault, if it cuts them. */
function cutAt(fault: Fault | undefined): number | undefined {
  if (fault?.kind === "short") return fault.lengthBytes;
  return fault?.kind === "disconnect" && fault.when === "during"
    ? fault.atBytes ?? 0
    : undefined;
}
