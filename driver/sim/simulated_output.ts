/**
 * A transfer of a standing output of the simulated port.
 *
 * @module
 */

import { OutputSlot } from "../loop/standing_output.ts";
import type { TransferOutcome } from "../port.ts";

/**
 * Submits bytes, which are copied; calls back once, never inside the call. Gives
 * how to cancel it, or `undefined`: the bus has no memory for it.
 */
export type SubmitOut = (
  data: Uint8Array,
  ended: (outcome: TransferOutcome) => void,
) => { cancel(): void } | undefined;

/** So many transfers of an output, with room for `lengthBytes` each. */
export function simulatedSlots(
  count: number,
  lengthBytes: number,
  submit: SubmitOut,
): OutputSlot[] {
  return Array.from(
    { length: count },
    () => new SimulatedSlot(lengthBytes, submit),
  );
}

/** One of an output's transfers. */
class SimulatedSlot extends OutputSlot {
  /** Its buffer. */
  readonly data: Uint8Array;
  readonly #submitOut: SubmitOut;
  #flight: { cancel(): void } | undefined;

  /** With room for `lengthBytes`. */
  constructor(lengthBytes: number, submitOut: SubmitOut) {
    super();
    this.data = new Uint8Array(lengthBytes);
    this.#submitOut = submitOut;
  }

  /** As usbfs, which says at once that its memory is used up. */
  submit(lengthBytes: number): "noMemory" | undefined {
    this.#flight = this.#submitOut(
      this.data.subarray(0, lengthBytes),
      ({ status, actualLengthBytes }) => this.ended(status, actualLengthBytes),
    );
    return this.#flight === undefined ? "noMemory" : undefined;
  }

  /** At once. */
  cancel(): void {
    this.#flight?.cancel();
  }

  /** Nothing of it is anybody else's. */
  free(): void {}
}
