/**
 * Writes chunks to one endpoint with several transfers in flight, in order. A
 * failure cancels what is behind it, so that the device sees no gap.
 *
 * @module
 */

import type { Device } from "./device.ts";
import { MAX_TIMEOUT_MS, MAX_TRANSFERS_IN_FLIGHT } from "./limits.ts";
import type { TransferOutcome } from "./port.ts";
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

/** Writes to one endpoint. */
export class EndpointWriter {
  readonly #device: Device;
  readonly #address: EndpointAddress;
  readonly #transfersInFlight: number;
  readonly #transferLengthBytes: number;
  readonly #zeroLengthPacket: boolean;
  readonly #timeoutMs: number;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #cancel = new AbortController();
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
    this.#transfersInFlight = within(
      options.transfersInFlight ?? TRANSFERS_IN_FLIGHT_DEFAULT,
      {
        minimum: 1,
        maximum: MAX_TRANSFERS_IN_FLIGHT,
        what: "the number of transfers in flight",
      },
    );
    this.#transferLengthBytes = within(
      options.transferLengthBytes ?? TRANSFER_LENGTH_DEFAULT,
      { minimum: 1, maximum: TRANSFER_LENGTH_MAX, what: "bytes per transfer" },
    );
    this.#timeoutMs = within(
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
   * Puts a chunk on its way; resolves when its last piece is submitted.
   *
   * @throws {TypeError} When it is not bytes.
   * @throws {UsbError} When a transfer before it failed.
   */
  async write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot write to endpoint ${
          hex(this.#address)
        }: a chunk is a Uint8Array`,
      );
    }
    const length = this.#transferLengthBytes;
    let offset = 0;
    do {
      const piece = chunk.subarray(offset, offset + length);
      offset += piece.length;
      await this.#room();
      this.#submit(piece, this.#zeroLengthPacket && offset >= chunk.length);
    } while (offset < chunk.length);
  }

  /** Resolves when everything has arrived. @throws {UsbError} When something has not. */
  async drain(): Promise<void> {
    await Promise.all(this.#inFlight);
    this.#check();
  }

  /** Cancels what is in flight and waits for it. */
  async cancel(): Promise<void> {
    this.#failure ??= { error: undefined };
    this.#cancel.abort();
    await Promise.all(this.#inFlight);
  }

  async #room(): Promise<void> {
    while (this.#inFlight.size >= this.#transfersInFlight) {
      await Promise.race(this.#inFlight);
    }
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #submit(data: Uint8Array, zeroLengthPacket: boolean): void {
    const flight = this.#transfer(data, zeroLengthPacket)
      .catch((error) => this.#failed(error))
      .then(() => void this.#inFlight.delete(flight));
    this.#inFlight.add(flight);
  }

  async #transfer(data: Uint8Array, zeroLengthPacket: boolean): Promise<void> {
    const outcome = await this.#device.port.transfer({
      type: "out",
      endpoint: this.#address,
      data,
      zeroLengthPacket,
      timeoutMs: this.#timeoutMs,
      signal: this.#cancel.signal,
    });
    if (outcome.status !== "completed") throw this.#error(outcome);
  }

  #failed(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#cancel.abort();
    this.#onFailure(error);
  }

  #error(outcome: TransferOutcome): unknown {
    return this.#device.transferError(
      outcome,
      `write to endpoint ${hex(this.#address)}`,
    );
  }
}

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
  readonly what: string;
}

function within(value: number, { minimum, maximum, what }: Bounds): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) {
    return value;
  }
  throw new RangeError(
    `Cannot use ${value} as ${what}: expected ${minimum} to ${maximum}`,
  );
}
