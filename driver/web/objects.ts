/**
 * Configurations, interfaces, alternate settings and endpoints as WebUSB shows
 * them: views of the descriptors, with the live state of their device.
 *
 * @module
 */

import {
  type AlternateInterfaceDescriptor,
  type AlternateSetting,
  type ConfigurationDescriptor,
  type Direction,
  type EndpointDescriptor,
  endpointNumberOf,
  type InterfaceDescriptor,
  type InterfaceNumber,
} from "../usb.ts";
import type { DeviceInfo } from "../port.ts";
import {
  enumeration,
  exposeInterface,
  octet,
  requireArguments,
} from "./idl.ts";

/** Direction of an endpoint. */
export type USBDirection = Direction;
/** Type of an endpoint; control endpoints are not shown. */
export type USBEndpointType = "bulk" | "interrupt" | "isochronous";

/** What the objects ask of their device. Not part of the interface. */
export interface DeviceState {
  /** What the port knows of it. */
  readonly info: DeviceInfo;
  readonly configurations: readonly ConfigurationDescriptor[];
  /** The live alternate setting of a claimed interface of the active configuration. */
  alternateOf(
    configuration: ConfigurationDescriptor,
    number: InterfaceNumber,
  ): AlternateSetting | undefined;
  /** A string descriptor that was read; null otherwise. */
  stringAt(index: number): string | null;
}

/** How the objects reach the state behind a `USBDevice`, and nobody else does. */
const STATES = new WeakMap<object, DeviceState>();

/** Connects a device object with its state. */
export function registerDevice(device: object, state: DeviceState): void {
  STATES.set(device, state);
}

/** Frozen at run time; the types of WebUSB say arrays, so ours do. */
export function frozen<T>(items: T[]): T[] {
  Object.freeze(items);
  return items;
}

/** Whether it is a device of ours. */
export function isDevice(value: unknown): boolean {
  return typeof value === "object" && value !== null && STATES.has(value);
}

/**
 * An extension of ours: where a device is, its raw descriptors, its identity
 * over a replug (`portPath`).
 *
 * @throws {TypeError} When it is not a `USBDevice`.
 */
export function deviceInfo(device: object): DeviceInfo {
  return stateOf(device).info;
}

function stateOf(device: unknown): DeviceState {
  const state = typeof device === "object" && device !== null
    ? STATES.get(device)
    : undefined;
  if (state === undefined) throw new TypeError("device must be a USBDevice");
  return state;
}

// How the classes below read each other's private parts; set once, by each class
// itself, so that nothing of it shows on the interface.
let partsOfConfiguration: (
  configuration: USBConfiguration,
) => { descriptor: ConfigurationDescriptor; state: DeviceState };
let partsOfInterface: (
  usbInterface: USBInterface,
) => { descriptor: InterfaceDescriptor; state: DeviceState };
let descriptorOf: (
  alternate: USBAlternateInterface,
) => AlternateInterfaceDescriptor;

/** A configuration. */
export class USBConfiguration {
  readonly #descriptor: ConfigurationDescriptor;
  readonly #state: DeviceState;
  readonly #interfaces: USBInterface[];

  /**
   * The configuration of a device with this value.
   *
   * @throws {TypeError} When `device` is not a `USBDevice`.
   * @throws {RangeError} When it has no such configuration.
   */
  constructor(device: object, configurationValue: number) {
    requireArguments(arguments, 2);
    this.#state = stateOf(device);
    const value = octet(configurationValue, "configurationValue");
    const found = this.#state.configurations.find((c) =>
      c.configurationValue === value
    );
    if (found === undefined) {
      throw new RangeError(`The device has no configuration ${value}`);
    }
    this.#descriptor = found;
    this.#interfaces = frozen(
      found.interfaces.map((i) => new USBInterface(this, i.interfaceNumber)),
    );
  }

  /** `iConfiguration` as text; null where there is none or it was not read yet. */
  get configurationName(): string | null {
    return this.#state.stringAt(this.#descriptor.configurationIndex);
  }

  /** `bConfigurationValue`. */
  get configurationValue(): number {
    return this.#descriptor.configurationValue;
  }

  /** In order of first appearance; frozen. */
  get interfaces(): USBInterface[] {
    return this.#interfaces;
  }

  static {
    partsOfConfiguration = (configuration) => ({
      descriptor: configuration.#descriptor,
      state: configuration.#state,
    });
  }
}

/** An interface with its alternate settings. */
export class USBInterface {
  readonly #configuration: ConfigurationDescriptor;
  readonly #descriptor: InterfaceDescriptor;
  readonly #state: DeviceState;
  readonly #alternates: USBAlternateInterface[];

  /**
   * The interface of a configuration with this number.
   *
   * @throws {RangeError} When the configuration has no such interface.
   */
  constructor(configuration: USBConfiguration, interfaceNumber: number) {
    requireArguments(arguments, 2);
    if (!(configuration instanceof USBConfiguration)) {
      throw new TypeError("configuration must be a USBConfiguration");
    }
    const { descriptor, state } = partsOfConfiguration(configuration);
    const number = octet(interfaceNumber, "interfaceNumber");
    const found = descriptor.interfaces.find((i) =>
      i.interfaceNumber === number
    );
    if (found === undefined) {
      throw new RangeError(`The configuration has no interface ${number}`);
    }
    this.#configuration = descriptor;
    this.#descriptor = found;
    this.#state = state;
    this.#alternates = frozen(
      found.alternates.map((a) =>
        new USBAlternateInterface(this, a.alternateSetting)
      ),
    );
  }

  /** The live setting where claimed, else setting 0 (or the first there is). */
  get alternate(): USBAlternateInterface {
    const live = this.#live() ?? 0;
    const [first] = this.#alternates;
    const found = this.#alternates.find((a) => a.alternateSetting === live);
    // The parser gives every interface at least one alternate setting.
    return found ?? first as USBAlternateInterface;
  }

  /** By `bAlternateSetting`, in order of appearance; frozen. */
  get alternates(): USBAlternateInterface[] {
    return this.#alternates;
  }

  /** Whether this program has claimed it. */
  get claimed(): boolean {
    return this.#live() !== undefined;
  }

  /** `bInterfaceNumber`. */
  get interfaceNumber(): number {
    return this.#descriptor.interfaceNumber;
  }

  #live(): AlternateSetting | undefined {
    return this.#state.alternateOf(
      this.#configuration,
      this.#descriptor.interfaceNumber,
    );
  }

  static {
    partsOfInterface = (usbInterface) => ({
      descriptor: usbInterface.#descriptor,
      state: usbInterface.#state,
    });
  }
}

/** One alternate setting. */
export class USBAlternateInterface {
  readonly #descriptor: AlternateInterfaceDescriptor;
  readonly #state: DeviceState;
  readonly #endpoints: USBEndpoint[];

  /**
   * The alternate setting of an interface with this number.
   *
   * @throws {RangeError} When the interface has no such setting.
   */
  constructor(deviceInterface: USBInterface, alternateSetting: number) {
    requireArguments(arguments, 2);
    if (!(deviceInterface instanceof USBInterface)) {
      throw new TypeError("deviceInterface must be a USBInterface");
    }
    const { descriptor, state } = partsOfInterface(deviceInterface);
    const setting = octet(alternateSetting, "alternateSetting");
    const found = descriptor.alternates.find((a) =>
      a.alternateSetting === setting
    );
    if (found === undefined) {
      throw new RangeError(`The interface has no alternate setting ${setting}`);
    }
    this.#descriptor = found;
    this.#state = state;
    this.#endpoints = frozen(
      unique(found.endpoints).map((e) =>
        new USBEndpoint(
          this,
          endpointNumberOf(e.endpointAddress),
          e.direction,
        )
      ),
    );
  }

  /** `bAlternateSetting`. */
  get alternateSetting(): number {
    return this.#descriptor.alternateSetting;
  }

  /** Bulk, interrupt and isochronous endpoints; number and direction are unique; frozen. */
  get endpoints(): USBEndpoint[] {
    return this.#endpoints;
  }

  /** `bInterfaceClass`. */
  get interfaceClass(): number {
    return this.#descriptor.interfaceClass;
  }

  /** `iInterface` as text; null where there is none or it was not read yet. */
  get interfaceName(): string | null {
    return this.#state.stringAt(this.#descriptor.interfaceIndex);
  }

  /** `bInterfaceProtocol`. */
  get interfaceProtocol(): number {
    return this.#descriptor.interfaceProtocol;
  }

  /** `bInterfaceSubClass`. */
  get interfaceSubclass(): number {
    return this.#descriptor.interfaceSubclass;
  }

  static {
    descriptorOf = (alternate) => alternate.#descriptor;
  }
}

/** No control endpoints, and each address once: a hostile descriptor may repeat one. */
function unique(
  endpoints: readonly EndpointDescriptor[],
): readonly EndpointDescriptor[] {
  return endpoints.filter((e, index) =>
    e.transferType !== "control" &&
    endpoints.findIndex((other) =>
        other.endpointAddress === e.endpointAddress
      ) === index
  );
}

/** One endpoint. */
export class USBEndpoint {
  readonly #descriptor: EndpointDescriptor;

  /**
   * The endpoint of a setting with this number and direction.
   *
   * @throws {RangeError} When the setting has no such endpoint.
   */
  constructor(
    alternate: USBAlternateInterface,
    endpointNumber: number,
    direction: USBDirection,
  ) {
    requireArguments(arguments, 3);
    if (!(alternate instanceof USBAlternateInterface)) {
      throw new TypeError("alternate must be a USBAlternateInterface");
    }
    const number = octet(endpointNumber, "endpointNumber");
    const way = enumeration(direction, {
      what: "USBDirection",
      values: ["in", "out"] as const,
    });
    const found = unique(descriptorOf(alternate).endpoints).find(
      (e) =>
        endpointNumberOf(e.endpointAddress) === number && e.direction === way,
    );
    if (found === undefined) {
      throw new RangeError(`The setting has no ${way} endpoint ${number}`);
    }
    this.#descriptor = found;
  }

  /** Seen from the host. */
  get direction(): USBDirection {
    return this.#descriptor.direction;
  }

  /** Low four bits of `bEndpointAddress`. */
  get endpointNumber(): number {
    return endpointNumberOf(this.#descriptor.endpointAddress);
  }

  /**
   * `wMaxPacketSize` bits 10..0, without the high-bandwidth factor and
   * `bMaxBurst`: the specification says both, with and without. The factors are
   * in `deviceInfo(device).configurations`.
   */
  get packetSize(): number {
    return this.#descriptor.maxPacketSize;
  }

  /** Transfer type. */
  get type(): USBEndpointType {
    return this.#descriptor.transferType as USBEndpointType;
  }
}

for (
  const type of [
    USBConfiguration,
    USBInterface,
    USBAlternateInterface,
    USBEndpoint,
  ]
) exposeInterface(type);
