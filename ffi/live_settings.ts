/**
 * What of a device can be used now: the active configuration, the claimed
 * interfaces and their live alternate settings.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import type {
  AlternateInterfaceDescriptor,
  AlternateSetting,
  ConfigurationDescriptor,
  ConfigurationValue,
  EndpointDescriptor,
  InterfaceDescriptor,
  InterfaceNumber,
} from "../driver/usb.ts";
import { alternateSetting, type EndpointAddress, hex } from "../driver/usb.ts";

/** Configuration, claims and settings of one open device. */
export class LiveSettings {
  readonly #label: string;
  readonly #configurations: readonly ConfigurationDescriptor[];
  readonly #claimed = new Map<InterfaceNumber, AlternateSetting>();
  /** What was found once; every transfer asks. */
  readonly #live = new Map<EndpointAddress, EndpointDescriptor>();
  #configuration: ConfigurationDescriptor | undefined;

  /** `label` is for errors. */
  constructor(
    label: string,
    configurations: readonly ConfigurationDescriptor[],
  ) {
    this.#label = label;
    this.#configurations = configurations;
  }

  /** The active configuration. */
  get configuration(): ConfigurationDescriptor | undefined {
    return this.#configuration;
  }

  /** Claimed interfaces with their live setting. */
  get claimed(): ReadonlyMap<InterfaceNumber, AlternateSetting> {
    return this.#claimed;
  }

  /** A configuration of the device. @throws {UsbError} `notFound`. */
  findConfiguration(value: ConfigurationValue): ConfigurationDescriptor {
    const found = this.#configurations.find((c) =>
      c.configurationValue === value
    );
    if (found === undefined) {
      throw this.#notFound(
        `select configuration ${value}`,
        "the device has no such configuration",
      );
    }
    return found;
  }

  /** Notes that a configuration is active; all claims are gone. 0 or an unknown value: none is. */
  configured(value: number | undefined): void {
    this.#claimed.clear();
    this.#live.clear();
    this.#configuration = this.#configurations.find((c) =>
      c.configurationValue === value
    );
  }

  /** An interface of the active configuration. @throws {UsbError} `state`, `notFound`. */
  findInterface(
    number: InterfaceNumber,
    operation: string,
  ): InterfaceDescriptor {
    if (this.#configuration === undefined) {
      throw this.#state(operation, "the device is not configured");
    }
    const found = this.#configuration.interfaces.find((i) =>
      i.interfaceNumber === number
    );
    if (found === undefined) {
      throw this.#notFound(
        operation,
        "the active configuration has no such interface",
      );
    }
    return found;
  }

  /** Whether an interface has a setting, claimed or not. @throws {UsbError} `state`, `notFound`. */
  checkSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): void {
    const operation = `select setting ${setting} of interface ${number}`;
    const found = this.findInterface(number, operation);
    if (!this.#claimed.has(number)) {
      throw this.#state(operation, "the interface is not claimed");
    }
    if (!found.alternates.some((a) => a.alternateSetting === setting)) {
      throw this.#notFound(operation, "the interface has no such setting");
    }
  }

  /** Notes a claim. Linux leaves the setting as it is: that of after enumeration. */
  wasClaimed(
    number: InterfaceNumber,
    setting: AlternateSetting = this.#firstSetting(number),
  ): void {
    this.#live.clear();
    this.#claimed.set(number, setting);
  }

  /** What the kernel begins with: setting 0, or the first where a device has no 0. */
  #firstSetting(number: InterfaceNumber): AlternateSetting {
    const alternates = this.#configuration?.interfaces
      .find((i) => i.interfaceNumber === number)?.alternates
      .map((a) => a.alternateSetting) ?? [];
    const zero = alternateSetting(0);
    return alternates.includes(zero) ? zero : alternates[0] ?? zero;
  }

  /** Notes a release. */
  wasReleased(number: InterfaceNumber): void {
    this.#live.clear();
    this.#claimed.delete(number);
  }

  /**
   * An endpoint in the live settings of claimed interfaces.
   *
   * @throws {UsbError} `state` when its interface is not claimed, `notFound` when no live setting has it.
   */
  findEndpoint(
    address: EndpointAddress,
    operation: string,
  ): EndpointDescriptor {
    const found = this.liveEndpoint(address);
    if (found === undefined) throw this.#missing(address, operation);
    return found;
  }

  /** The same without words: `undefined` when there is none. Remembered until settings change. */
  liveEndpoint(address: EndpointAddress): EndpointDescriptor | undefined {
    const known = this.#live.get(address);
    if (known !== undefined) return known;
    for (const one of this.#configuration?.interfaces ?? []) {
      const setting = this.#claimed.get(one.interfaceNumber);
      const alternate = one.alternates.find((a) =>
        a.alternateSetting === setting
      );
      const found = alternate && endpointOf(alternate, address);
      if (found === undefined) continue;
      this.#live.set(address, found);
      return found;
    }
    return undefined;
  }

  /** Addresses of all endpoints of an interface, whatever the setting. */
  endpointsOf(number: InterfaceNumber): ReadonlySet<EndpointAddress> {
    const alternates = this.#configuration?.interfaces
      .filter((i) => i.interfaceNumber === number)
      .flatMap((i) => i.alternates) ?? [];
    return new Set(
      alternates.flatMap((a) => a.endpoints).map((e) => e.endpointAddress),
    );
  }

  #missing(address: EndpointAddress, operation: string): UsbError {
    if (this.#configuration === undefined) {
      return this.#state(operation, "the device is not configured");
    }
    const unclaimed = this.#configuration.interfaces.find((i) =>
      !this.#claimed.has(i.interfaceNumber) &&
      i.alternates.some((a) => endpointOf(a, address) !== undefined)
    );
    if (unclaimed !== undefined) {
      return this.#state(
        operation,
        `interface ${unclaimed.interfaceNumber} is not claimed`,
      );
    }
    return this.#notFound(
      operation,
      `the selected settings have no endpoint ${hex(address)}`,
    );
  }

  #state(operation: string, reason: string): UsbError {
    return new UsbError({
      code: "state",
      device: this.#label,
      operation,
      reason,
    });
  }

  #notFound(operation: string, reason: string): UsbError {
    return new UsbError({
      code: "notFound",
      device: this.#label,
      operation,
      reason,
    });
  }
}

function endpointOf(
  alternate: AlternateInterfaceDescriptor,
  address: EndpointAddress,
): EndpointDescriptor | undefined {
  return alternate.endpoints.find((e) => e.endpointAddress === address);
}
