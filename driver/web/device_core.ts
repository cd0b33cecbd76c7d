/**
 * The state behind a `USBDevice`: preconditions in WebUSB's order, then the
 * port. One core lives as long as its device stays connected.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import type { DeviceInfo, DevicePort, UsbPort } from "../port.ts";
import {
  type AlternateSetting,
  alternateSetting,
  type ConfigurationDescriptor,
  configurationValue,
  type DeviceDescriptor,
  type Direction,
  type EndpointDescriptor,
  type InterfaceDescriptor,
  type InterfaceNumber,
  interfaceNumber,
} from "../usb.ts";
import { domError, fromUsbError } from "./idl.ts";
import type { DeviceState } from "./objects.ts";
import { findEndpoint, findInterface } from "./preconditions.ts";
import { PROTECTED_CLASSES, type WebUsbPolicy } from "./policy.ts";
import { readStrings } from "./strings.ts";

/** What a core is made of. */
export interface CoreOptions {
  readonly port: UsbPort;
  readonly info: DeviceInfo;
  readonly policy: WebUsbPolicy;
  /** Detach kernel drivers at claim and give them back, or refuse. */
  readonly kernelDriver: "detach" | "refuse";
  /** Called by `forget()`. */
  readonly onForget: (core: DeviceCore) => void;
}

/** State and operations of one connected device. */
export class DeviceCore implements DeviceState {
  readonly #options: CoreOptions;
  #info: DeviceInfo;
  #open: DevicePort | undefined;
  /** Of the device while it is not open, as far as it is known. */
  #configurationValue: number | undefined;
  #isGone = false;
  #isUnplugged = false;
  /** `open`, `close`, `selectConfiguration` or `reset` in progress. */
  #change: Promise<void> | undefined;
  /** Interfaces with a claim, release or alternate change in progress. */
  readonly #changing = new Set<number>();
  #strings: ReadonlyMap<number, string> = new Map();
  #left: Promise<void> | undefined;

  /** Nothing is opened. */
  constructor(options: CoreOptions) {
    this.#options = options;
    this.#info = options.info;
    this.#configurationValue = options.info.configurationValue;
  }

  /** What the port knows; strings that only an open device gives are in it once it was open. */
  get info(): DeviceInfo {
    return this.#info;
  }

  get descriptor(): DeviceDescriptor {
    return this.#info.descriptor;
  }

  /** The same from beginning to end, so that objects stay the same. */
  get configurations(): readonly ConfigurationDescriptor[] {
    return this.#options.info.configurations;
  }

  get isOpen(): boolean {
    return this.#open !== undefined && !this.#isGone;
  }

  /** It left the bus, or was forgotten: for good, as far as this object goes. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** `bConfigurationValue` of the active configuration; undefined when not configured. */
  get activeConfigurationValue(): number | undefined {
    if (this.#open === undefined) return this.#configurationValue;
    return this.#open.configuration?.configurationValue;
  }

  stringAt(index: number): string | null {
    return index === 0 ? null : this.#strings.get(index) ?? null;
  }

  alternateOf(
    configuration: ConfigurationDescriptor,
    number: InterfaceNumber,
  ): AlternateSetting | undefined {
    const isActive =
      this.activeConfigurationValue === configuration.configurationValue;
    return isActive && this.isOpen
      ? this.#open?.claimed.get(number)
      : undefined;
  }

  /** The device was listed again; others may have configured it since. */
  refresh(info: DeviceInfo): void {
    if (this.#open === undefined && this.#change === undefined) {
      this.#configurationValue = info.configurationValue;
    }
  }

  /** It left the bus while this program used it: what was in flight failed, nobody aborted it. */
  get isUnplugged(): boolean {
    return this.#isUnplugged;
  }

  /** The device left the bus, or is forgotten. Settles when nothing of it is open any more. */
  leave(why: "unplugged" | "forgotten"): Promise<void> {
    this.#isUnplugged ||= !this.#isGone && why === "unplugged";
    this.#isGone = true;
    return this.#left ??= this.#leave();
  }

  async #leave(): Promise<void> {
    const open = this.#open;
    this.#closed();
    await open?.close();
    // An `open` in progress finds out that the device is gone, and closes again.
    await this.#change?.catch(() => {});
  }

  async open(): Promise<void> {
    this.requireNoChange();
    if (this.#open !== undefined) return;
    const { port, kernelDriver } = this.#options;
    await this.#changeDevice(async () => {
      const open = await port.open(this.#info, { kernelDriver });
      try {
        this.#strings = await readStrings(open);
      } catch (error) {
        await open.close();
        throw error;
      }
      if (this.#isGone) {
        await open.close();
        throw this.#goneError();
      }
      const { manufacturer, product, serialNumber } = open.info;
      this.#info = { ...this.#info, manufacturer, product, serialNumber };
      this.#open = open;
    });
  }

  async close(): Promise<void> {
    this.requireNoChange();
    const open = this.#open;
    if (open === undefined) return;
    await this.#changeDevice(async () => {
      await open.close();
      this.#closed();
    });
  }

  #closed(): void {
    this.#configurationValue = this.activeConfigurationValue;
    this.#open = undefined;
  }

  async forget(): Promise<void> {
    this.#options.onForget(this);
    await this.leave("forgotten");
  }

  async reset(): Promise<void> {
    this.requireNoChange();
    const open = this.requireOpen();
    await this.#changeDevice(() => open.reset());
  }

  async selectConfiguration(value: number): Promise<void> {
    this.requireNoChange();
    const open = this.requireOpen();
    const isKnown = this.configurations.some((c) =>
      c.configurationValue === value
    );
    if (!isKnown) {
      throw domError("NotFoundError", `There is no configuration ${value}`);
    }
    // Linux refuses to select again what is selected, with anything bound.
    if (this.activeConfigurationValue === value) return;
    await this.#changeDevice(async () => {
      for (const number of [...open.claimed.keys()]) {
        await open.releaseInterface(number);
      }
      await open.setConfiguration(configurationValue(value));
    });
  }

  async claimInterface(number: number): Promise<void> {
    const open = this.#requireChangeable(number);
    const found = this.requireInterface(number);
    if (open.claimed.has(found.interfaceNumber)) return;
    if (this.#options.policy === "web") {
      for (const { interfaceClass } of found.alternates) {
        const name = PROTECTED_CLASSES.get(interfaceClass);
        if (name === undefined) continue;
        throw domError(
          "SecurityError",
          `Interface ${number} is of a protected class: ${name}`,
        );
      }
    }
    await this.#changeInterface(
      number,
      () => open.claimInterface(found.interfaceNumber),
    );
  }

  async releaseInterface(number: number): Promise<void> {
    const open = this.#requireChangeable(number);
    const found = this.requireInterface(number);
    if (!open.claimed.has(found.interfaceNumber)) return;
    await this.#changeInterface(
      number,
      () => open.releaseInterface(found.interfaceNumber),
    );
  }

  async selectAlternate(number: number, setting: number): Promise<void> {
    const open = this.#requireChangeable(number);
    const found = this.requireInterface(number);
    if (!open.claimed.has(found.interfaceNumber)) {
      throw domError("InvalidStateError", `Interface ${number} is not claimed`);
    }
    if (!found.alternates.some((a) => a.alternateSetting === setting)) {
      throw domError(
        "NotFoundError",
        `Interface ${number} has no alternate setting ${setting}`,
      );
    }
    await this.#changeInterface(
      number,
      () =>
        open.setAlternateSetting(
          interfaceNumber(number),
          alternateSetting(setting),
        ),
    );
  }

  async clearHalt(direction: Direction, number: number): Promise<void> {
    this.requireNoChange({ ofDevice: true });
    const open = this.requireOpen();
    this.requireConfigured();
    const endpoint = findEndpoint(this.liveEndpoints(), { direction, number });
    await this.guarded(() => open.clearHalt(endpoint.endpointAddress));
  }

  /** Runs work of the port; its failures become WebUSB's exceptions. */
  async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UsbError)) throw error;
      if (error.code === "noDevice") this.missed();
      // The port may as well say that we closed it, which came of the same.
      if (this.#isGone) throw this.#goneError(error);
      throw fromUsbError(error, { isOpening: this.#open === undefined });
    }
  }

  /** A failure told that the device is gone before the bus did. */
  missed(): void {
    this.leave("unplugged").catch(() => {
      // There is nothing to give back to a device that is gone.
    });
  }

  async #changeDevice(work: () => Promise<void>): Promise<void> {
    const change = this.guarded(work);
    this.#change = change;
    try {
      await change;
    } finally {
      this.#change = undefined;
    }
  }

  async #changeInterface(
    number: number,
    work: () => Promise<void>,
  ): Promise<void> {
    this.#changing.add(number);
    try {
      await this.guarded(work);
    } finally {
      this.#changing.delete(number);
    }
  }

  #requireConnected(): void {
    if (this.#isGone) throw this.#goneError();
  }

  #goneError(cause?: UsbError): DOMException {
    return domError("NotFoundError", "The device was disconnected", cause);
  }

  /** The device is there, and nothing of it changes; `ofDevice`: interfaces may. */
  requireNoChange({ ofDevice = false }: { ofDevice?: boolean } = {}): void {
    this.#requireConnected();
    const isChanging = this.#change !== undefined;
    if (isChanging || (!ofDevice && this.#changing.size > 0)) {
      throw domError(
        "InvalidStateError",
        "An operation that changes the device's state is in progress",
      );
    }
  }

  /** @throws {DOMException} `InvalidStateError` when it is closed. */
  requireOpen(): DevicePort {
    if (this.#open === undefined) {
      throw domError("InvalidStateError", "The device must be opened first");
    }
    return this.#open;
  }

  /** @throws {DOMException} `InvalidStateError` when no configuration is active. */
  requireConfigured(): ConfigurationDescriptor {
    const active = this.activeConfigurationValue;
    const found = this.configurations.find((c) =>
      c.configurationValue === active
    );
    if (found === undefined) {
      throw domError(
        "InvalidStateError",
        "The device has no configuration selected",
      );
    }
    return found;
  }

  #requireChangeable(number: number): DevicePort {
    this.requireNoChange({ ofDevice: true });
    if (this.#changing.has(number)) {
      throw domError(
        "InvalidStateError",
        `An operation that changes interface ${number} is in progress`,
      );
    }
    const open = this.requireOpen();
    this.requireConfigured();
    return open;
  }

  /** @throws {DOMException} `NotFoundError` when the active configuration has none of that number. */
  requireInterface(number: number): InterfaceDescriptor {
    return findInterface(this.requireConfigured(), number);
  }

  /** Endpoints of the live settings of claimed interfaces that are not just changing. */
  liveEndpoints(): readonly EndpointDescriptor[] {
    const configuration = this.requireConfigured();
    return configuration.interfaces.flatMap((i) => {
      const live = this.alternateOf(configuration, i.interfaceNumber);
      if (live === undefined || this.#changing.has(i.interfaceNumber)) {
        return [];
      }
      const alternate = i.alternates.find((a) => a.alternateSetting === live);
      return alternate?.endpoints.filter((e) => e.transferType !== "control") ??
        [];
    });
  }
}
