/**
 * Writes chunks to one endpoint with several transfers in flight, in order, from
 * a standing output: a transfer costs no promise. A failure cancels what is
 * behind it. Behind a stall the device sees nothing of that, so no gap; behind
 * another failure it may, unless one transfer is in flight at a time:
 * `OutputOptions.onEnd` in `port.ts` says why.
 *
 * @module
 */

import type { Device } from "./device.ts";
import { integerIn } from "./integer_bounds.ts";
import { MAX_TIMEOUT_MS, MAX_TRANSFERS_IN_FLIGHT } from "./limits.ts";
import { liveEndpoint } from "./live_endpoint.ts";
import type { OutputEnd, OutputRing } from "./port.ts";
import { type EndpointAddress, hex } from "./usb.ts";

/** Enough that the bus does not wait for us between two transfers. */
const TRANSFERS_IN_FLIGHT_DEFAULT = 4;
/** A multiple of every packet size; four of them in flight are a small part of usbfs's budget. */
const TRANSFER_LENGTH_DEFAULT = 64 * 1024;
/** Pieces beyond this gain nothing and strain usbfs's budget. */
const TRANSFER_LENGTH_MAX = 1024 * 1024;

/** How to write. */
export interface WriterOptions {
  /** Transfers kept in flight, 1..MAX_TRANSFERS_IN_FLIGHT; default 4. */
  readonly transfersInFlight?: number;
  /** Bytes per transfer at most; default 64 KiB. A multiple of the packet size. */
  readonly transferLengthBytes?: number;
  /** Ends each chunk with a zero-length packet when it fills its last packet (USB 2.0, 5.8.3). */
  readonly zeroLengthPacket?: boolean;
  /** Time limit of each transfer in milliseconds; default 0, none. */
  readonly timeoutMs?: number;
}

/** A chunk on its way to transfers. */
interface Writing {
  readonly chunk: Uint8Array;
  readonly done: PromiseWithResolvers<void>;
  atBytes: number;
  /** Transfers of it that are still to be made: an empty one follows a chunk that fills its last packet. */
  isData: boolean;
  isEmptyDue: boolean;
}

/** Writes to one endpoint. */
export class EndpointWriter {
  readonly #device: Device;
  readonly #address: EndpointAddress;
  readonly #transfersInFlight: number;
  readonly #transferLengthBytes: number;
  readonly #zeroLengthPacket: boolean;
  readonly #timeoutMs: number;
  /** Opened by the first write. */
  #output: OutputRing | undefined;
  #packetBytes = 1;
  #writing: Writing | undefined;
  #onFailure: (error: unknown) => void = () => {};
  #failure: { readonly error: unknown } | undefined;

  /** @throws {RangeError} When an option is out of bounds. */
  constructor(
    device: Device,
    address: EndpointAddress,
    options: WriterOptions,
  ) {
    this.#device = device;
    this.#address = address;
    this.#transfersInFlight = integerIn(
      options.transfersInFlight ?? TRANSFERS_IN_FLIGHT_DEFAULT,
      {
        minimum: 1,
        maximum: MAX_TRANSFERS_IN_FLIGHT,
        what: "the number of transfers in flight",
      },
    );
    this.#transferLengthBytes = integerIn(
      options.transferLengthBytes ?? TRANSFER_LENGTH_DEFAULT,
      { minimum: 1, maximum: TRANSFER_LENGTH_MAX, what: "bytes per transfer" },
    );
    this.#timeoutMs = integerIn(
      options.timeoutMs ?? 0,
      { minimum: 0, maximum: MAX_TIMEOUT_MS, what: "a time limit" },
    );
    this.#zeroLengthPacket = options.zeroLengthPacket ?? false;
  }

  /** Who is told, once, when a transfer fails. */
  onFailure(tell: (error: unknown) => void): void {
    this.#onFailure = tell;
  }

  /**
   * Puts a chunk on its way; resolves when its last piece is submitted. After a
   * rejection nothing more is taken; what was taken before still goes out.
   *
   * @throws {TypeError} When it is not bytes.
   * @throws {UsbError} When a transfer before it failed, or as `DevicePort.openOutput`.
   */
  async write(chunk: Uint8Array): Promise<void> {
    try {
      await this.#write(chunk);
    } catch (error) {
      this.#giveUp(error);
      void this.#leave();
      throw error;
    }
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot write to endpoint ${
          hex(this.#address)
        }: a chunk is a Uint8Array`,
      );
    }
    this.#check();
    this.#output ??= this.#open();
    const writing: Writing = {
      chunk,
      done: Promise.withResolvers(),
      atBytes: 0,
      isData: true,
      isEmptyDue: false,
    };
    this.#writing = writing;
    this.#output.resume();
    await writing.done.promise;
  }

  /** Resolves when everything has arrived. @throws {UsbError} When something has not. */
  async drain(): Promise<void> {
    await this.#output?.drained();
    this.#check();
    await this.#output?.stop();
  }

  /** Cancels what is in flight and waits for it; a write that waits is given up. */
  async cancel(reason?: unknown): Promise<void> {
    this.#giveUp(reason);
    await this.#output?.stop();
  }

  /** Nobody ends a stream that has failed: its output would stay with the device. */
  async #leave(): Promise<void> {
    await this.#output?.drained();
    await this.#output?.stop();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #open(): OutputRing {
    const { port } = this.#device;
    const output = port.openOutput({
      endpoint: this.#address,
      transfersInFlight: this.#transfersInFlight,
      transferLengthBytes: this.#transferLengthBytes,
      timeoutMs: this.#timeoutMs,
      source: (data) => this.#fill(data),
      onEnd: (end) => this.#ended(end),
    });
    this.#packetBytes = liveEndpoint(port, this.#address)?.maxPacketSize || 1;
    return output;
  }

  /** The source: the next piece of the chunk, if there is one. */
  #fill(data: Uint8Array): number | undefined {
    const writing = this.#writing;
    if (writing === undefined) return undefined;
    const lengthBytes = writing.isData ? this.#piece(writing, data) : 0;
    if (!writing.isData) {
      if (writing.isEmptyDue && lengthBytes > 0) return lengthBytes;
      this.#writing = undefined;
      writing.done.resolve();
    }
    return lengthBytes;
  }

  #piece(writing: Writing, data: Uint8Array): number {
    const { chunk, atBytes } = writing;
    const end = Math.min(atBytes + data.length, chunk.length);
    // A view is needed only for a part.
    const isWhole = atBytes === 0 && end === chunk.length;
    data.set(isWhole ? chunk : chunk.subarray(atBytes, end));
    writing.atBytes = end;
    writing.isData = end < chunk.length;
    const lengthBytes = end - atBytes;
    writing.isEmptyDue = this.#zeroLengthPacket && lengthBytes > 0 &&
      lengthBytes % this.#packetBytes === 0;
    return lengthBytes;
  }

  #ended(end: OutputEnd): void {
    if (this.#failure !== undefined) return;
    const error = end.error ?? this.#device.transferError(
      end,
      `write to endpoint ${hex(this.#address)}`,
    );
    this.#giveUp(error);
    this.#onFailure(error);
  }

  #giveUp(error: unknown): void {
    this.#failure ??= { error };
    this.#writing?.done.reject(error);
    this.#writing = undefined;
  }
}
