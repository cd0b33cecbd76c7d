/**
 * A transfer as the emulated host controller knows it: what Linux calls an URB.
 * Everything that brings transfers to a virtual device brings them as these.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { EndpointAddress, TransferType } from "../usb.ts";
import type { Fault } from "./faults.ts";

/** One packet of an isochronous transfer; the device side fills in what became of it. */
export interface UnitPacket {
  /** Its share of the buffer. */
  readonly lengthBytes: number;
  /** Where it lies in the unit's data. */
  readonly offsetBytes: number;
  /** Bytes moved. */
  actualLengthBytes: number;
  /** 0 or a negated error number. */
  status: number;
}

/** What a transfer consists of. */
export interface TransferUnitOptions {
  /** What kind of transfer. */
  readonly type: TransferType;
  /** 0x00 or 0x80 for control. */
  readonly endpoint: EndpointAddress;
  /** Control: the setup stage, then the data stage. IN: the buffer to fill. OUT: the data. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** A short packet is an error (-EREMOTEIO). */
  readonly shortNotOk?: boolean;
  /** OUT: a zero-length packet follows data that fill their last packet. */
  readonly zeroPacket?: boolean;
  /** Isochronous: lengths of the packets, which lie one behind the other in `data`. */
  readonly packetLengthsBytes?: readonly number[];
  /** Isochronous: the first frame; absent: as soon as possible. */
  readonly startFrame?: number;
  /** Called once, with the status in `unit.status`. */
  readonly onComplete: (unit: TransferUnit) => void;
}

/** One transfer under way. Ends once, by `complete`. */
export class TransferUnit {
  /** What kind of transfer. */
  readonly type: TransferType;
  /** Where it goes. */
  readonly endpoint: EndpointAddress;
  /** Setup and data stage, buffer, or data. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** A short packet is an error. */
  readonly shortNotOk: boolean;
  /** A zero-length packet follows data that fill their last packet. */
  readonly zeroPacket: boolean;
  /** Isochronous: its packets. */
  readonly packets: readonly UnitPacket[];
  /** Isochronous: asked for, then given. */
  startFrame: number | undefined;
  /** Isochronous: the frame it was submitted in; packets before it are lost. */
  submitFrame: number | undefined;
  /** Bytes moved, without setup. */
  actualLengthBytes = 0;
  /** 0 or a negated error number; valid when done. */
  status = 0;
  /** What goes wrong with it, decided when it was submitted. */
  fault: Fault | undefined;
  #isDone = false;
  readonly #onComplete: (unit: TransferUnit) => void;

  /** Makes a unit that waits to be submitted. */
  constructor(options: TransferUnitOptions) {
    this.type = options.type;
    this.endpoint = options.endpoint;
    this.data = options.data;
    this.shortNotOk = options.shortNotOk ?? false;
    this.zeroPacket = options.zeroPacket ?? false;
    this.packets = layOut(options.packetLengthsBytes ?? []);
    this.startFrame = options.startFrame;
    this.#onComplete = options.onComplete;
    const { length } = options.data;
    assert(
      this.packets.every((p) => p.offsetBytes + p.lengthBytes <= length),
      "The packets of a transfer must fit into its data",
    );
  }

  /** It has ended. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Isochronous packets that failed. */
  get errorCount(): number {
    return this.packets.filter((packet) => packet.status !== 0).length;
  }

  /** Room left in the buffer. */
  get remainingBytes(): number {
    return this.data.length - this.actualLengthBytes;
  }

  /** Ends it; a no-op when it has ended, as an answer may come after a cancel. */
  complete(status: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.status = status;
    this.#onComplete(this);
  }
}

function layOut(lengths: readonly number[]): readonly UnitPacket[] {
  let offsetBytes = 0;
  return lengths.map((lengthBytes) => {
    const packet = {
      lengthBytes,
      offsetBytes,
      actualLengthBytes: 0,
      status: 0,
    };
    offsetBytes += lengthBytes;
    return packet;
  });
}
