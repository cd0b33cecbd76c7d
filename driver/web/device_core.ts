/**
 * The state behind a `USBDevice`: preconditions in WebUSB's order, then the
 * port. One core lives as long as its device stays connected.
 *
 * @module
 */

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
  #open: DevicePort | undefined;
  #isGone = false;
  /** `open`, `close`, `selectConfiguration` or `reset` is in progress. */
  #isChanging = false;
  /** Interfaces with a claim, release or alternate change in progress. */
  readonly #changing = new Set<number>();
  #strings: ReadonlyMap<number, string> = new Map();

  /** Nothing is opened. */
  constructor(options: CoreOptions) {
    this.#options = options;
  }

  /** What the port knows without opening. */
  get info(): DeviceInfo {
    return this.#options.info;
  }

  get descriptor(): DeviceDescriptor {
    return this.info.descriptor;
  }

  get configurations(): readonly ConfigurationDescriptor[] {
    return this.info.configurations;
  }

  get isOpen(): boolean {
    return this.#open !== undefined && !this.#isGone;
  }

  /** `bConfigurationValue` of the active configuration; undefined when not configured. */
  get activeConfigurationValue(): number | undefined {
    if (this.#open === undefined) return this.info.configurationValue;
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
    return isActive && !this.#isGone
      ? this.#open?.claimed.get(number)
      : undefined;
  }

  /** The device left the bus: for good, as far as this object goes. */
  async markGone(): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
  }

  async open(): Promise<void> {
    this.requireNoChange();
    if (this.#open !== undefined) return;
    const { port, kernelDriver } = this.#options;
    await this.#change(async () => {
      const open = await port.open(this.info, { kernelDriver });
      this.#strings = await readStrings(open);
      this.#open = open;
    });
  }

  async close(): Promise<void> {
    this.requireNoChange();
    const open = this.#open;
    if (open === undefined) return;
    await this.#change(async () => {
      await open.close();
      this.#open = undefined;
    });
  }

  async forget(): Promise<void> {
    this.#options.onForget(this);
    await this.markGone();
  }

  async reset(): Promise<void> {
    this.requireNoChange();
    const open = this.requireOpen();
    await this.#change(() => open.reset());
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
    await this.#change(async () => {
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
    await guarded(() => open.clearHalt(endpoint.endpointAddress));
  }

  async #change(work: () => Promise<void>): Promise<void> {
    this.#isChanging = true;
    try {
      await guarded(work);
    } finally {
      this.#isChanging = false;
    }
  }

  async #changeInterface(
    number: number,
    work: () => Promise<void>,
  ): Promise<void> {
    this.#changing.add(number);
    try {
      await guarded(work);
    } finally {
      this.#changing.delete(number);
    }
  }

  #requireConnected(): void {
    if (this.#isGone) {
      throw domError("NotFoundError", "The device was disconnected");
    }
  }

  requireNoChange({ ofDevice = false }: { ofDevice?: boolean } = {}): void {
    this.#requireConnected();
    if (this.#isChanging || (!ofDevice && this.#changing.size > 0)) {
      throw domError(
        "InvalidStateError",
        "An operation that changes the device's state is in progress",
      );
    }
  }

  requireOpen(): DevicePort {
    if (this.#open === undefined) {
      throw domError("InvalidStateError", "The device must be opened first");
    }
    return this.#open;
  }

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

  requireInterface(number: number): InterfaceDescriptor {
    return findInterface(this.requireConfigured(), number);
  }

  liveEndpoints(): readonly EndpointDescriptor[] {
    const configuration = this.requireConfigured();
    return configuration.interfaces.flatMap((i) => {
      const live = this.alternateOf(configuration, i.interfaceNumber);
      if (live === undefined || this.#changing.has(i.interfaceNumber)) {
        return [];
      }
      return i.alternates.find((a) => a.alternateSetting === live)?.endpoints ??
        [];
    });
  }
}

/** Runs work of the port; its failures become WebUSB's exceptions. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromUsbError(error);
  }
}
