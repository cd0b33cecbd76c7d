/**
 * What all readers of an endpoint share: how they read, checked, and how a
 * reading begins and ends.
 *
 * @module
 */

import type { Device } from "./device.ts";
import { integerIn } from "./integer_bounds.ts";
import { MAX_TRANSFERS_IN_FLIGHT } from "./limits.ts";
import type {
  InputEnd,
  InputOptions,
  InputRing,
  TransferOutcome,
} from "./port.ts";
import { type EndpointAddress, hex } from "./usb.ts";

/** Enough that the bus does not wait for us between two transfers. */
const TRANSFERS_IN_FLIGHT_DEFAULT = 4;

/** How to read. */
export interface ReadableOptions {
  /** Transfers kept in flight, 1..MAX_TRANSFERS_IN_FLIGHT; default 4, for a bulk stream at SuperSpeed 16. */
  readonly transfersInFlight?: number;
  /** Bytes per transfer. Default: one packet; on bulk endpoints 16 KiB, for a stream at SuperSpeed 64 KiB. Of no effect on isochronous ones. */
  readonly transferLengthBytes?: number;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** What whoever made a reader wants to know besides. */
export interface ReadingOptions extends ReadableOptions {
  /** Called once, when nothing will be read any more: the endpoint is free. */
  readonly onOver: () => void;
}

/** Which endpoint of which device. */
export interface ReadingPlace {
  readonly device: Device;
  readonly endpoint: EndpointAddress;
}

/** Who reads. */
export interface InputReader extends Pick<InputOptions, "sink"> {
  /** The signal fired. */
  readonly onAbort: () => void;
  /** The input failed; what it ended with. The release comes after it. */
  readonly onFailure: (outcome: TransferOutcome) => void;
  /** The endpoint is free for another reader, so the end may be told. */
  readonly onReleased: () => void;
}

/** One reading of an endpoint. It begins, is over, and releases the endpoint, once each and in this order. */
export class EndpointReading {
  readonly #place: ReadingPlace;
  readonly #options: ReadingOptions;
  readonly #reader: InputReader;
  #ring: InputRing | undefined;
  #isOver = false;
  #isReleased = false;

  /** Not begun. */
  constructor(
    place: ReadingPlace,
    options: ReadingOptions,
    reader: InputReader,
  ) {
    this.#place = place;
    this.#options = options;
    this.#reader = reader;
  }

  /** Nothing more will come. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nothing is in flight any more, either. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Reports that were refused and wait. */
  get held(): number {
    return this.#ring?.counters.held ?? 0;
  }

  /** Opens the input and watches the signal; a reading whose signal has fired already is over. @throws {UsbError} As `DevicePort.openInput`. @throws {RangeError} */
  start(): void {
    const { signal } = this.#options;
    if (signal?.aborted === true) return this.#end();
    try {
      this.#ring = openInput(this.#place, this.#options, {
        sink: this.#reader.sink,
        onEnd: (end) => this.#ended(end),
      });
    } catch (error) {
      this.#end();
      throw error;
    }
    signal?.addEventListener("abort", this.#reader.onAbort, { once: true });
  }

  /** Has what was refused offered again. */
  resume(): void {
    this.#ring?.resume();
  }

  /** Stops it, and waits until nothing is in flight. */
  async stop(): Promise<void> {
    this.#over();
    // Only then may another reader begin: what is in flight would be its reports.
    await this.#ring?.stop();
    this.#release();
  }

  /** What is told of an input that ended by itself. */
  error(outcome: TransferOutcome): unknown {
    const { device, endpoint } = this.#place;
    return device.transferError(outcome, `read from endpoint ${hex(endpoint)}`);
  }

  /** By itself. A close is no failure: whoever reads is at the end. */
  #ended(end: InputEnd): void {
    if (this.#isOver) return;
    if (end.isClosed !== true) this.#reader.onFailure(end);
    this.#end();
  }

  #end(): void {
    this.#over();
    this.#release();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { signal } = this.#options;
    signal?.removeEventListener("abort", this.#reader.onAbort);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#options.onOver();
    this.#reader.onReleased();
  }
}

function openInput(
  { device, endpoint }: ReadingPlace,
  { transfersInFlight, transferLengthBytes }: ReadableOptions,
  calls: Pick<InputOptions, "sink" | "onEnd">,
): InputRing {
  return device.port.openInput({
    endpoint,
    transfersInFlight: integerIn(
      transfersInFlight ?? TRANSFERS_IN_FLIGHT_DEFAULT,
      {
        minimum: 1,
        maximum: MAX_TRANSFERS_IN_FLIGHT,
        what: "the number of transfers in flight",
      },
    ),
    ...(transferLengthBytes === undefined ? {} : { transferLengthBytes }),
    ...calls,
  });
}
