/**
 * A transfer of a standing output over libusb.
 *
 * @module
 */

import { OutputSlot } from "../driver/loop/standing_output.ts";
import type { TransferStatus } from "../driver/port.ts";
import type { InFlightQueue } from "./in_flight_queue.ts";
import { submitFailure } from "./libusb_errors.ts";
import type { Transfer } from "./transfer.ts";

/** One of an output's transfers, prepared, and the slot's from now on. */
export class NativeSlot extends OutputSlot {
  /** The whole buffer, as far as it goes out. */
  readonly data: Uint8Array;
  readonly #transfer: Transfer;
  readonly #queue: InFlightQueue;

  /** `lengthBytes` of the transfer's buffer are lent. */
  constructor(transfer: Transfer, queue: InFlightQueue, lengthBytes: number) {
    super();
    this.#transfer = transfer;
    this.#queue = queue;
    this.data = transfer.buffer.subarray(0, lengthBytes);
    transfer.onFinished = () =>
      this.ended(transfer.status, transfer.actualLengthBytes);
  }

  /** Gives the length to libusb only when it is another. */
  submit(lengthBytes: number): TransferStatus | undefined {
    this.#transfer.resize(lengthBytes);
    const result = this.#queue.submit(this.#transfer);
    return result === 0 ? undefined : submitFailure(result) ?? "error";
  }

  /** Off the thread. */
  cancel(): Promise<void> {
    return this.#transfer.cancelParked();
  }

  /** Gives the struct back. */
  free(): void {
    this.#transfer.free();
  }
}
