/**
 * Reports of one endpoint, read ahead into a bounded queue. When it is full the
 * host stops asking: the rest waits in the device.
 *
 * @module
 */

import type { Device } from "./device.ts";
import {
  beginReading,
  type ReadableOptions,
  within,
} from "./endpoint_input.ts";
import type { InputRing, Report, TransferOutcome } from "./port.ts";
import { type EndpointAddress, hex } from "./usb.ts";

/** Reports read ahead; with bulk transfers of 16 KiB a megabyte. */
const READ_AHEAD_DEFAULT = 64;
/** More read ahead is hoarding: the device is the better place. */
const READ_AHEAD_MAX = 4096;

/** How to read reports. */
export interface ReaderOptions extends ReadableOptions {
  /** Reports read ahead at most, 1..4096; default 64. */
  readonly readAhead?: number;
}

/** What the endpoint wants to know besides. */
export interface ReportReaderOptions extends ReaderOptions {
  /** Called once, when nothing will be read any more. */
  readonly onOver: () => void;
}

type Result = IteratorResult<Report, undefined>;
const DONE: Result = Object.freeze({ done: true, value: undefined });

/** An iterator over the reports of one endpoint. */
export class ReportReader implements AsyncIterator<Report, undefined> {
  readonly #device: Device;
  readonly #address: EndpointAddress;
  readonly #options: ReportReaderOptions;
  readonly #readAhead: number;
  readonly #queue: Report[] = [];
  readonly #waiting: PromiseWithResolvers<Result>[] = [];
  readonly #onAbort = (): void => void this.return();
  #ring: InputRing | undefined;
  #isPaused = false;
  #isOver = false;
  #isReleased = false;
  #failure: TransferOutcome | undefined;

  /** @throws {RangeError} When an option is out of bounds. */
  constructor(
    device: Device,
    address: EndpointAddress,
    options: ReportReaderOptions,
  ) {
    this.#device = device;
    this.#address = address;
    this.#options = options;
    this.#readAhead = within(
      options.readAhead ?? READ_AHEAD_DEFAULT,
      READ_AHEAD_MAX,
      "reports read ahead",
    );
  }

  /** Begins to read. @throws {UsbError} As `DevicePort.openInput`. */
  start(): void {
    const place = { device: this.#device, endpoint: this.#address };
    this.#ring = beginReading(place, this.#options, {
      sink: (report) => this.#take(report),
      onEnd: (outcome) => this.#fail(outcome),
      onAbort: this.#onAbort,
      end: () => this.end(),
    });
  }

  /** The next report; `done` when the reading was ended. @throws {UsbError} What ended it. */
  next(): Promise<Result> {
    const value = this.#queue.shift();
    if (value !== undefined) {
      this.#resume();
      return Promise.resolve({ done: false, value });
    }
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#failure = undefined;
      return Promise.reject(this.#error(failure));
    }
    if (this.#isReleased) return Promise.resolve(DONE);
    const waiting = Promise.withResolvers<Result>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Stops reading, drops what was read ahead, and waits until nothing is in flight. */
  async return(): Promise<Result> {
    this.#queue.length = 0;
    this.#failure = undefined;
    this.#over();
    // Only then may another reader begin: what is in flight would be its reports.
    await this.#ring?.stop();
    this.#release();
    return DONE;
  }

  /** Nothing more will come; what was read ahead can still be had. */
  end(): void {
    this.#over();
    this.#release();
  }

  #take(report: Report): boolean {
    if (this.#isOver) return true;
    if (this.#queue.length >= this.#readAhead) {
      this.#isPaused = true;
      return false;
    }
    // Lent until we return: the reader owns a copy.
    const value: Report = { ...report, data: report.data.slice() };
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#queue.push(value);
    else waiting.resolve({ done: false, value });
    return true;
  }

  /** At half, so that pausing does not flutter. */
  #resume(): void {
    if (!this.#isPaused || this.#queue.length > this.#readAhead / 2) return;
    this.#isPaused = false;
    this.#ring?.resume();
  }

  /** The input ended by itself. The error waits until the reports before it were taken. */
  #fail(outcome: TransferOutcome): void {
    if (this.#isOver) return;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#failure = outcome;
    else waiting.reject(this.#error(outcome));
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
    for (const waiting of this.#waiting.splice(0)) waiting.resolve(DONE);
  }

  #error(outcome: TransferOutcome): unknown {
    return this.#device.transferError(
      outcome,
      `read from endpoint ${hex(this.#address)}`,
    );
  }
}
