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

import type { Device } from "./device.ts";
import { beginReading, type ReadableOptions } from "./endpoint_input.ts";
import type { InputRing, Report, TransferOutcome } from "./port.ts";
import { type EndpointAddress, hex } from "./usb.ts";

/** What the endpoint wants to know besides. */
export interface EndpointSourceOptions extends ReadableOptions {
  /** Called once, when nothing will be read any more. */
  readonly onOver: () => void;
}

/** Where a stream of bytes comes from. */
export class EndpointSource {
  readonly #device: Device;
  readonly #address: EndpointAddress;
  readonly #options: EndpointSourceOptions;
  readonly #onAbort = (): void => void this.#stop();
  #controller: ReadableByteStreamController | undefined;
  /** The stream asked for bytes and has none yet. */
  #demand: PromiseWithResolvers<void> | undefined;
  #ring: InputRing | undefined;
  /** Where reports go that had waited, while they are offered. */
  #waiting: Gathered | undefined;
  /** What of the first report was taken: it is offered again until all is. */
  #takenBytes = 0;
  #isOver = false;
  #isReleased = false;
  #failure: TransferOutcome | undefined;

  /** For one stream. */
  constructor(
    device: Device,
    address: EndpointAddress,
    options: EndpointSourceOptions,
  ) {
    this.#device = device;
    this.#address = address;
    this.#options = options;
  }

  /** Begins to read. @throws {UsbError} As `DevicePort.openInput`. @throws {RangeError} */
  start(): void {
    const place = { device: this.#device, endpoint: this.#address };
    this.#ring = beginReading(place, this.#options, {
      sink: (report) => this.#take(report),
      onEnd: (outcome) => this.#fail(outcome),
      onAbort: this.#onAbort,
      end: () => this.end(),
    });
  }

  /** The stream wants bytes: resolves when it has some, or was closed. @throws {UsbError} What ended the reading. */
  pull(controller: ReadableByteStreamController): Promise<void> {
    const demand = Promise.withResolvers<void>();
    this.#controller = controller;
    this.#demand = demand;
    this.#giveWaiting(controller);
    // Reports that came before an end are given before it.
    if (this.#isReleased) this.#tellEnd();
    return demand.promise;
  }

  /** The stream was cancelled: stops reading, and waits until nothing is in flight. */
  async cancel(): Promise<void> {
    this.#demand?.resolve();
    this.#demand = undefined;
    await this.#stop();
  }

  /** Nothing more will come. */
  end(): void {
    this.#over();
    this.#release();
  }

  /**
   * All that waits at once: a reader that is slower than the device, a file for
   * instance, then takes fewer and larger steps.
   */
  #giveWaiting(controller: ReadableByteStreamController): void {
    const room = roomOf(controller);
    const waiting = new Gathered(room ?? this.#ring?.counters.held ?? 0);
    this.#waiting = waiting;
    this.#ring?.resume();
    this.#waiting = undefined;
    const bytes = waiting.bytes();
    if (bytes.length === 0) return;
    if (room === undefined) controller.enqueue(bytes);
    else controller.byobRequest?.respond(bytes.length);
    this.#demand?.resolve();
    this.#demand = undefined;
  }

  /** What nobody took is dropped. */
  async #stop(): Promise<void> {
    this.#over();
    // Only then may another reader begin: what is in flight would be its reports.
    await this.#ring?.stop();
    this.#release();
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

  #fail(outcome: TransferOutcome): void {
    if (this.#isOver) return;
    this.#failure = outcome;
    this.end();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  /** The endpoint is free for another reader, so the end may be told. */
  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#options.onOver();
    // What is being gathered comes first; the next pull tells the end.
    if (this.#waiting === undefined) this.#tellEnd();
  }

  #tellEnd(): void {
    const demand = this.#demand;
    if (demand === undefined) return;
    this.#demand = undefined;
    const failure = this.#failure;
    if (failure !== undefined) return demand.reject(this.#error(failure));
    this.#controller?.close();
    // A reader that waits with its own buffer is told of the end by an answer.
    this.#controller?.byobRequest?.respond(0);
    demand.resolve();
  }

  #error(outcome: TransferOutcome): unknown {
    return this.#device.transferError(
      outcome,
      `read from endpoint ${hex(this.#address)}`,
    );
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
