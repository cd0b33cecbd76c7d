/**
 * The bytes of one endpoint for a `ReadableStream`. A report is copied once,
 * from where the kernel put it to where its reader wants it; nothing is made for
 * a reader that brings its own buffer. What nobody has asked for yet stays in its
 * transfer, which is not given to the kernel again: the device waits.
 *
 * Why not read into the reader's buffer itself: a stream shows one such buffer at
 * a time, so there could be one transfer in flight, and the bus would wait for
 * the program after each. The copy costs less.
 *
 * @module
 */

import {
  EndpointReading,
  type ReadingOptions,
  type ReadingPlace,
} from "./endpoint_input.ts";
import type { Report, TransferOutcome } from "./port.ts";

/** Where a stream of bytes comes from. */
export class EndpointSource {
  readonly #reading: EndpointReading;
  #controller: ReadableByteStreamController | undefined;
  /** The stream asked for bytes and has none yet. */
  #demand: PromiseWithResolvers<void> | undefined;
  /** Where reports go that had waited, while they are offered. */
  #waiting: Gathered | undefined;
  /** What of the first report was taken: it is offered again until all is. */
  #takenBytes = 0;
  #failure: TransferOutcome | undefined;

  /** For one stream. */
  constructor(place: ReadingPlace, options: ReadingOptions) {
    this.#reading = new EndpointReading(place, options, {
      sink: (report) => this.#take(report),
      // What nobody took is dropped.
      onAbort: () => void this.#reading.stop(),
      onFailure: (outcome) => this.#failure = outcome,
      // What is being gathered comes first; the next pull tells the end.
      onReleased: () => {
        if (this.#waiting === undefined) this.#tellEnd();
      },
    });
  }

  /** Begins to read. @throws {UsbError} As `DevicePort.openInput`. @throws {RangeError} */
  start(): void {
    this.#reading.start();
  }

  /** The stream wants bytes: resolves when it has some, or was closed. @throws {UsbError} What ended the reading. */
  pull(controller: ReadableByteStreamController): Promise<void> {
    const demand = Promise.withResolvers<void>();
    this.#controller = controller;
    this.#demand = demand;
    this.#giveWaiting(controller);
    // Reports that came before an end are given before it.
    if (this.#reading.isReleased) this.#tellEnd();
    return demand.promise;
  }

  /** The stream was cancelled: stops reading, and waits until nothing is in flight. */
  async cancel(): Promise<void> {
    this.#demand?.resolve();
    this.#demand = undefined;
    await this.#reading.stop();
  }

  /**
   * All that waits at once: a reader that is slower than the device, a file for
   * instance, then takes fewer and larger steps.
   */
  #giveWaiting(controller: ReadableByteStreamController): void {
    const room = roomOf(controller);
    const waiting = new Gathered(room ?? this.#reading.held);
    this.#waiting = waiting;
    this.#reading.resume();
    this.#waiting = undefined;
    const bytes = waiting.bytes();
    if (bytes.length === 0) return;
    if (room === undefined) controller.enqueue(bytes);
    else controller.byobRequest?.respond(bytes.length);
    this.#demand?.resolve();
    this.#demand = undefined;
  }

  #take({ data }: Report): boolean {
    const demand = this.#demand;
    const controller = this.#controller;
    if (data.length === 0) return true;
    if (demand === undefined || controller === undefined) return false;
    const rest = data.subarray(this.#takenBytes);
    if (this.#waiting !== undefined) {
      return this.#wasTaken(this.#waiting.add(rest), rest);
    }
    this.#demand = undefined;
    const isAll = this.#wasTaken(give(rest, controller), rest);
    demand.resolve();
    return isAll;
  }

  /** So much of what was left of the first report; gives whether that was all. */
  #wasTaken(takenBytes: number, rest: Uint8Array): boolean {
    const isAll = takenBytes === rest.length;
    this.#takenBytes = isAll ? 0 : this.#takenBytes + takenBytes;
    return isAll;
  }

  #tellEnd(): void {
    const demand = this.#demand;
    if (demand === undefined) return;
    this.#demand = undefined;
    const failure = this.#failure;
    if (failure !== undefined) {
      return demand.reject(this.#reading.error(failure));
    }
    this.#controller?.close();
    // A reader that waits with its own buffer is told of the end by an answer.
    this.#controller?.byobRequest?.respond(0);
    demand.resolve();
  }
}

/** Reports one behind the other, copied once: into a reader's buffer, or into an array with room for as many as the first one. */
class Gathered {
  readonly #count: number;
  #all: Uint8Array | undefined;
  #usedBytes = 0;

  /** Into that, or for so many. */
  constructor(room: Uint8Array | number) {
    this.#count = typeof room === "number" ? Math.max(room, 1) : 0;
    this.#all = typeof room === "number" ? undefined : room;
  }

  /** Gives how many bytes there was room for. */
  add(bytes: Uint8Array): number {
    this.#all ??= new Uint8Array(bytes.length * this.#count);
    const part = bytes.subarray(0, this.#all.length - this.#usedBytes);
    this.#all.set(part, this.#usedBytes);
    this.#usedBytes += part.length;
    return part.length;
  }

  bytes(): Uint8Array {
    return this.#all?.subarray(0, this.#usedBytes) ?? new Uint8Array();
  }
}

/** The buffer of a reader that waits with its own. */
function roomOf(
  controller: ReadableByteStreamController,
): Uint8Array | undefined {
  const view = controller.byobRequest?.view;
  return view === null || view === undefined
    ? undefined
    : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Gives bytes that are lent: into the reader's buffer, or as an array of its own. Gives how many. */
function give(
  bytes: Uint8Array,
  controller: ReadableByteStreamController,
): number {
  const room = roomOf(controller);
  if (room === undefined) {
    controller.enqueue(bytes.slice());
    return bytes.length;
  }
  const part = bytes.subarray(0, room.length);
  room.set(part);
  controller.byobRequest?.respond(part.length);
  return part.length;
}
