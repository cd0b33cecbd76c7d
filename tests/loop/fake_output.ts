/** A standing output of the fake device: its transfers are answered as those made once. */

import {
  OutputSlot,
  StandingOutput,
} from "../../driver/loop/standing_output.ts";
import type { DevicePort, OutputOptions } from "../../driver/port.ts";

class FakeSlot extends OutputSlot {
  readonly data: Uint8Array;
  readonly #device: DevicePort;
  readonly #options: OutputOptions;
  #cancel = new AbortController();

  constructor(device: DevicePort, options: OutputOptions) {
    super();
    this.#device = device;
    this.#options = options;
    this.data = new Uint8Array(options.transferLengthBytes ?? 512);
  }

  submit(lengthBytes: number): undefined {
    this.#cancel = new AbortController();
    const { endpoint, timeoutMs = 0 } = this.#options;
    void this.#device.transfer({
      type: "out",
      endpoint,
      data: this.data.slice(0, lengthBytes),
      timeoutMs,
      signal: this.#cancel.signal,
    }).then(({ status }) =>
      this.ended(status, status === "completed" ? lengthBytes : 0)
    );
  }

  cancel(): void {
    this.#cancel.abort();
  }

  free(): void {}
}

/** A standing output of the fake. */
export class FakeOutput extends StandingOutput {
  readonly #slots: readonly FakeSlot[];
  isOver = false;

  constructor(device: DevicePort, options: OutputOptions) {
    const slots = Array.from(
      { length: options.transfersInFlight },
      () => new FakeSlot(device, options),
    );
    super({
      options,
      slots,
      settles: (back) => back,
      onOver: () => this.isOver = true,
    });
    this.#slots = slots;
  }

  /** Its device is closed. */
  leave(): void {
    this.end("cancelled");
    for (const slot of this.#slots) slot.cancel();
  }
}
