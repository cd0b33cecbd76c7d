/**
 * A `libusb_device_handle` and the slow calls on it, one at a time and off the
 * thread: they talk to the device or wait for locks of the kernel.
 *
 * @module
 */

import type { AlternateSetting, InterfaceNumber } from "../driver/usb.ts";
import { LIBUSB_ERROR } from "./libusb_constants.ts";
import { libusbError } from "./libusb_errors.ts";
import type { LibusbSymbols } from "./libusb_symbols.ts";
import type { Library } from "./library.ts";
import { nativeBytes, type Pointer } from "./memory.ts";

/** Slow calls on one open handle. */
export class DeviceHandle {
  readonly #library: Library;
  readonly #pointer: Pointer;
  readonly #descriptor: number | undefined;
  readonly #label: string;
  #last: Promise<unknown> = Promise.resolve();

  /** Owns the handle: nobody else closes it. */
  constructor(
    parts: {
      readonly library: Library;
      readonly handle: Pointer;
      readonly descriptor?: number;
    },
    label: string,
  ) {
    this.#library = parts.library;
    this.#pointer = parts.handle;
    this.#descriptor = parts.descriptor;
    this.#label = label;
  }

  /** Runs `work` after all that came before it. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * Makes a call. SAFETY: only inside `inTurn`, so that no other call, and no
   * close, is under way on this handle.
   *
   * @throws {UsbError} When it fails.
   */
  async call(
    operation: string,
    invoke: (symbols: LibusbSymbols, handle: Pointer) => Promise<number>,
  ): Promise<void> {
    this.throwIfFailed(
      await invoke(this.#library.symbols, this.#pointer),
      operation,
    );
  }

  /** @throws {UsbError} When a result is negative. */
  throwIfFailed(
    result: number,
    operation: string,
    words: { readonly reason?: string; readonly advice?: string } = {},
  ): void {
    if (result >= 0) return;
    throw libusbError(result, { operation, device: this.#label, ...words });
  }

  /** Kernel drivers make way for claims and come back at the release. */
  detachAutomatically(): void {
    // SAFETY: sets a flag of the handle. NOT_SUPPORTED shows at the claim.
    this.#library.symbols.libusb_set_auto_detach_kernel_driver(
      this.#pointer,
      1,
    );
  }

  /** `bConfigurationValue` of the active configuration; `undefined` when not configured or not known. */
  async readConfiguration(): Promise<number | undefined> {
    const out = nativeBytes(4);
    // SAFETY: `out` is referenced until the call is back.
    const result = await this.#library.symbols.libusb_get_configuration(
      this.#pointer,
      out,
    );
    const value = new DataView(out.buffer).getInt32(0, true);
    return result === 0 && value > 0 ? value : undefined;
  }

  /** @throws {UsbError} `busy` with who holds it, `notFound`, `access`, `noDevice`. */
  async claim(number: InterfaceNumber): Promise<void> {
    const operation = `claim interface ${number}`;
    const { symbols } = this.#library;
    const result = await symbols.libusb_claim_interface(this.#pointer, number);
    if (result === LIBUSB_ERROR.BUSY) {
      const isKernel = await symbols.libusb_kernel_driver_active(
        this.#pointer,
        number,
      ) === 1;
      this.throwIfFailed(result, operation, isKernel ? KERNEL : PROGRAM);
    }
    if (result === LIBUSB_ERROR.OTHER) {
      this.throwIfFailed(LIBUSB_ERROR.ACCESS, operation, CONFINED);
    }
    this.throwIfFailed(result, operation);
  }

  /** @throws {UsbError} Never for an interface that is not ours any more. */
  async release(number: InterfaceNumber): Promise<void> {
    const result = await this.#library.symbols.libusb_release_interface(
      this.#pointer,
      number,
    );
    const isGone = result === LIBUSB_ERROR.NOT_FOUND ||
      result === LIBUSB_ERROR.NO_DEVICE;
    if (!isGone) this.throwIfFailed(result, `release interface ${number}`);
  }

  /** @throws {UsbError} `notFound`, `noDevice`, `io`. */
  async selectSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void> {
    const { symbols } = this.#library;
    const result = await symbols.libusb_set_interface_alt_setting(
      this.#pointer,
      number,
      setting,
    );
    // libusb 1.0.26 unlocks the handle's mutex without having locked it when
    // the device has left, and its close then aborts the process.
    // SAFETY: the mutex is the first member of the handle, and unlocked: calls
    // on a handle come one after another, and this one is back.
    if (result === LIBUSB_ERROR.NO_DEVICE) {
      symbols.pthread_mutex_init(this.#pointer, null);
    }
    this.throwIfFailed(
      result,
      `select setting ${setting} of interface ${number}`,
    );
  }

  /** Gives libusb's result. */
  reset(): Promise<number> {
    return this.#library.symbols.libusb_reset_device(this.#pointer);
  }

  /** Whether a kernel driver is bound; `false` where the platform cannot say. */
  async kernelDriverActive(number: InterfaceNumber): Promise<boolean> {
    const result = await this.#library.symbols.libusb_kernel_driver_active(
      this.#pointer,
      number,
    );
    if (result === LIBUSB_ERROR.NOT_SUPPORTED) return false;
    this.throwIfFailed(
      result,
      `ask for the kernel driver of interface ${number}`,
    );
    return result === 1;
  }

  /** SAFETY: the last call; transfers in flight are lost to libusb from here on. */
  async close(): Promise<void> {
    const { symbols } = this.#library;
    await symbols.libusb_close(this.#pointer);
    // SAFETY: libusb leaves a wrapped descriptor open; it was given to us to keep.
    if (this.#descriptor !== undefined) symbols.close(this.#descriptor);
  }
}

const KERNEL = {
  reason: "a kernel driver holds it",
  advice: "Open the device with the option to detach kernel drivers",
};
const PROGRAM = {
  reason: "another program holds it",
  advice: "Stop the other program; `lsof` on the device node names it",
};
const CONFINED = {
  reason: "this process may not claim it",
  advice: "The sandbox grants only the interfaces that the driver names",
};
