/**
 * An open device over libusb.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import { deviceLabel } from "../driver/match.ts";
import type {
  DeviceInfo,
  DevicePort,
  InputOptions,
  InputRing,
  OpenOptions,
  OutputOptions,
  OutputRing,
  TransferOutcome,
  TransferRequest,
} from "../driver/port.ts";
import type {
  AlternateSetting,
  ConfigurationDescriptor,
  ConfigurationValue,
  DeviceCapability,
  EndpointAddress,
  InterfaceNumber,
} from "../driver/usb.ts";
import { hex } from "../driver/usb.ts";
import { readCapabilities } from "./control_reads.ts";
import { DeviceHandle } from "./device_handle.ts";
import { DeviceTransfers } from "./device_transfers.ts";
import type { EventPump } from "./event_pump.ts";
import { LIBUSB_ERROR } from "./libusb_constants.ts";
import type { Library } from "./library.ts";
import { LiveSettings } from "./live_settings.ts";
import type { Pointer } from "./memory.ts";

/** What an open device is made of. */
export interface DeviceParts {
  readonly library: Library;
  readonly pump: EventPump;
  /** Owned by the device from now on. */
  readonly handle: Pointer;
  /** An inherited descriptor under the handle; closed with it. */
  readonly descriptor?: number;
  readonly info: DeviceInfo;
  readonly options: OpenOptions;
  readonly nowMs: () => number;
  /** Called once, after the handle is closed. */
  readonly onClosed: (device: LibusbDevice) => void;
}

/** An open device. */
export class LibusbDevice implements DevicePort {
  readonly label: string;
  #info: DeviceInfo;
  readonly #parts: DeviceParts;
  readonly #handle: DeviceHandle;
  readonly #settings: LiveSettings;
  readonly #transfers: DeviceTransfers;
  #closed: Promise<void> | undefined;

  /** Takes over a handle; `start` reads what else is to be known. */
  constructor(parts: DeviceParts) {
    this.#parts = parts;
    this.#info = parts.info;
    this.label = deviceLabel(parts.info);
    this.#settings = new LiveSettings(this.label, parts.info.configurations);
    this.#handle = new DeviceHandle(parts, this.label);
    this.#transfers = new DeviceTransfers(parts, {
      label: this.label,
      settings: this.#settings,
    });
  }

  /** Reads the active configuration, and prepares for kernel drivers. */
  async start(): Promise<void> {
    if (this.#parts.options.kernelDriver === "detach") {
      this.#handle.detachAutomatically();
    }
    this.#settings.configured(
      this.#askedConfiguration() ?? await this.#handle.readConfiguration(),
    );
  }

  /** For an inherited descriptor libusb has asked the device itself just now. */
  #askedConfiguration(): ConfigurationValue | undefined {
    return this.#parts.descriptor === undefined
      ? undefined
      : this.#info.configurationValue;
  }

  /** Where it is and what it says it is. */
  get info(): DeviceInfo {
    return this.#info;
  }

  /** Completes what could not be known before it was open: its strings. */
  learn(strings: Partial<DeviceInfo>): void {
    this.#info = { ...this.#info, ...strings };
  }

  /** The port's clock. */
  nowMs(): number {
    return this.#parts.nowMs();
  }

  /** The active configuration. */
  get configuration(): ConfigurationDescriptor | undefined {
    return this.#settings.configuration;
  }

  /** Claimed interfaces with their live setting. */
  get claimed(): ReadonlyMap<InterfaceNumber, AlternateSetting> {
    return this.#settings.claimed;
  }

  /** Selects a configuration. Linux refuses it while an interface is claimed. */
  setConfiguration(value: ConfigurationValue): Promise<void> {
    const operation = `select configuration ${value}`;
    return this.#inTurn(operation, async () => {
      if (value !== 0) this.#settings.findConfiguration(value);
      if (this.#settings.claimed.size > 0) {
        throw this.#error("busy", operation, "interfaces are claimed");
      }
      await this.#transfers.quiesce("all");
      // libusb's word for "not configured" is -1.
      await this.#handle.call(
        operation,
        (symbols, handle) =>
          symbols.libusb_set_configuration(handle, value === 0 ? -1 : value),
      );
      this.#settings.configured(value);
    });
  }

  /** Claims an interface; a no-op if it is ours. */
  claimInterface(number: InterfaceNumber): Promise<void> {
    const operation = `claim interface ${number}`;
    return this.#inTurn(operation, async () => {
      if (this.#settings.claimed.has(number)) return;
      this.#settings.findInterface(number, operation);
      await this.#handle.claim(number);
      this.#settings.wasClaimed(number);
    });
  }

  /** Gives an interface back, after its transfers are. */
  releaseInterface(number: InterfaceNumber): Promise<void> {
    const operation = `release interface ${number}`;
    return this.#inTurn(operation, async () => {
      if (!this.#settings.claimed.has(number)) return;
      await this.#transfers.quiesce(this.#settings.endpointsOf(number));
      this.#settings.wasReleased(number);
      await this.#handle.release(number);
    });
  }

  /** Selects an alternate setting, after the interface's transfers are back. */
  setAlternateSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void> {
    return this.#inTurn("select a setting", async () => {
      this.#settings.checkSetting(number, setting);
      await this.#transfers.quiesce(this.#settings.endpointsOf(number));
      await this.#select(number, setting);
    });
  }

  /** Clears the halt of an endpoint at both ends. */
  clearHalt(endpoint: EndpointAddress): Promise<void> {
    const operation = `clear the halt of endpoint ${hex(endpoint)}`;
    return this.#inTurn(operation, async () => {
      this.#settings.findEndpoint(endpoint, operation);
      await this.#handle.call(
        operation,
        (symbols, handle) => symbols.libusb_clear_halt(handle, endpoint),
      );
    });
  }

  /** Resets the port of the device. */
  reset(): Promise<void> {
    return this.#inTurn("reset", async () => {
      await this.#transfers.quiesce("all");
      const claims = [...this.#settings.claimed];
      const result = await this.#handle.reset();
      if (result === LIBUSB_ERROR.NOT_FOUND) {
        throw this.#error(
          "noDevice",
          "reset",
          "it came back as another device",
        );
      }
      if (result < 0) {
        // libusb has given the interfaces up and believes it still has them.
        for (const [number] of claims) await this.#reclaim(number);
        this.#handle.throwIfFailed(result, "reset");
      }
      // libusb released and claimed, and the kernel selects setting 0 at a release.
      for (const [number, setting] of claims) {
        if (setting !== 0) await this.#select(number, setting);
      }
    });
  }

  /** Whether a kernel driver is bound to an interface. */
  async kernelDriverActive(number: InterfaceNumber): Promise<boolean> {
    let isActive = false;
    await this.#inTurn("ask for the kernel driver", async () => {
      isActive = await this.#handle.kernelDriverActive(number);
    });
    return isActive;
  }

  /** Unbinds the kernel driver of an interface. */
  detachKernelDriver(number: InterfaceNumber): Promise<void> {
    const operation = `detach the kernel driver of interface ${number}`;
    return this.#inTurn(operation, async () => {
      await this.#handle.call(
        operation,
        (symbols, handle) =>
          symbols.libusb_detach_kernel_driver(handle, number),
      );
    });
  }

  /** Lets the kernel bind its driver again. */
  attachKernelDriver(number: InterfaceNumber): Promise<void> {
    const operation = `attach the kernel driver of interface ${number}`;
    return this.#inTurn(operation, async () => {
      await this.#handle.call(
        operation,
        (symbols, handle) =>
          symbols.libusb_attach_kernel_driver(handle, number),
      );
    });
  }

  /** Binary object store. */
  readCapabilities(): Promise<readonly DeviceCapability[]> {
    return readCapabilities(this);
  }

  /** Makes one transfer. */
  transfer(request: TransferRequest): Promise<TransferOutcome> {
    return this.#transfers.transfer(request);
  }

  /** Starts a standing input. */
  openInput(options: InputOptions): InputRing {
    return this.#transfers.openInput(options);
  }

  /** Starts a standing output. */
  openOutput(options: OutputOptions): OutputRing {
    return this.#transfers.openOutput(options);
  }

  /** Cancels all, drains, releases, closes. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  /** Closes the device at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#transfers.refuse("the device is closed");
    await this.#handle.inTurn(async () => {
      await this.#transfers.stop();
      await this.#releaseAll().catch(ignoreGone);
      const lost = await this.#transfers.detach();
      await this.#parts.pump.whileUnparked(() => this.#handle.close());
      this.#transfers.lose(lost);
    });
    this.#parts.onClosed(this);
  }

  /** Slow calls come one after another, and none after the close. */
  #inTurn(operation: string, work: () => Promise<void>): Promise<void> {
    if (this.#closed !== undefined) {
      return Promise.reject(
        this.#error("state", operation, "the device is closed"),
      );
    }
    return this.#handle.inTurn(work);
  }

  async #releaseAll(): Promise<void> {
    for (const [number] of [...this.#settings.claimed]) {
      this.#settings.wasReleased(number);
      await this.#handle.release(number);
    }
  }

  async #select(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void> {
    await this.#handle.selectSetting(number, setting);
    this.#settings.wasClaimed(number, setting);
  }

  async #reclaim(number: InterfaceNumber): Promise<void> {
    try {
      await this.#handle.release(number).catch(ignoreGone);
      await this.#handle.claim(number);
    } catch {
      this.#settings.wasReleased(number);
    }
  }

  #error(code: UsbError["code"], operation: string, reason: string): UsbError {
    return new UsbError({ code, operation, reason, device: this.label });
  }
}

/** Giving back what is gone is done already. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof UsbError)) throw error;
}
