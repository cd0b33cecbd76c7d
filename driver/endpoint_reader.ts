/**
 * Reports of one endpoint, read ahead into a bounded queue. When it is full the
 * host stops asking: the rest waits in the device.
 *
 * @module
 */

import {
  EndpointReading,
  type ReadableOptions,
  type ReadingOptions,
  type ReadingPlace,
} from "./endpoint_input.ts";
import { integerIn } from "./integer_bounds.ts";
import type { Report, TransferOutcome } from "./port.ts";

/** Reports read ahead; with bulk transfers of 16 KiB a megabyte. */
const READ_AHEAD_DEFAULT = 64;
/** More read ahead is hoarding: the device is the better place. */
const READ_AHEAD_MAX = 4096;

/** How to read reports. */
export interface ReaderOptions extends ReadableOptions {
  /** Reports read ahead at most, 1..4096; default 64. */
  readonly readAhead?: number;
}

type Result = IteratorResult<Report, undefined>;
const DONE: Result = Object.freeze({ done: true, value: undefined });

/** An iterator over the reports of one endpoint. */
export class ReportReader implements AsyncIterator<Report, undefined> {
  readonly #reading: EndpointReading;
  readonly #readAhead: number;
  readonly #queue: Report[] = [];
  readonly #waiting: PromiseWithResolvers<Result>[] = [];
  #isPaused = false;
  #failure: TransferOutcome | undefined;

  /** @throws {RangeError} When an option is out of bounds. */
  constructor(place: ReadingPlace, options: ReaderOptions & ReadingOptions) {
    this.#readAhead = integerIn(
      options.readAhead ?? READ_AHEAD_DEFAULT,
      {
        minimum: 1,
        maximum: READ_AHEAD_MAX,
        what: "the number of reports read ahead",
      },
    );
    this.#reading = new EndpointReading(place, options, {
      sink: (report) => this.#take(report),
      onAbort: () => void this.return(),
      onFailure: (outcome) => this.#fail(outcome),
      onReleased: () => this.#tellEnd(),
    });
  }

  /** Begins to read. @throws {UsbError} As `DevicePort.openInput`. */
  start(): void {
    this.#reading.start();
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
      return Promise.reject(this.#reading.error(failure));
    }
    if (this.#reading.isReleased) return Promise.resolve(DONE);
    const waiting = Promise.withResolvers<Result>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Stops reading, drops what was read ahead, and waits until nothing is in flight. */
  async return(): Promise<Result> {
    this.#queue.length = 0;
    this.#failure = undefined;
    await this.#reading.stop();
    return DONE;
  }

  #take(report: Report): boolean {
    if (this.#reading.isOver) return true;
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
    this.#reading.resume();
  }

  /** The error waits until the reports before it were taken. */
  #fail(outcome: TransferOutcome): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#failure = outcome;
    else waiting.reject(this.#reading.error(outcome));
  }

  #tellEnd(): void {
    for (const waiting of this.#waiting.splice(0)) waiting.resolve(DONE);
  }
}
