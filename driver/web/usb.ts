/**
 * `navigator.usb` of WebUSB over any port.
 *
 * @module
 */

import type { DeviceMatch } from "../match.ts";
import type { DeviceInfo, UsbPort } from "../port.ts";
import { DeviceCore } from "./device_core.ts";
import { accepts, convertFilters, type USBDeviceFilter } from "./filters.ts";
import { dictionary, domError, exposeInterface } from "./idl.ts";
import { isBlocklisted, type WebUsbPolicy } from "./policy.ts";
import { makeDevice, USBDevice } from "./usb_device.ts";

/** Argument of `requestDevice`. */
export interface USBDeviceRequestOptions {
  /** A device is offered when any accepts it; an empty list accepts all. */
  readonly filters: readonly USBDeviceFilter[];
  /** A device any of these accepts is not offered. */
  readonly exclusionFilters?: readonly USBDeviceFilter[];
}

/** Picks one of the devices offered, or none: `undefined`. */
export type DeviceChooser = (
  devices: readonly USBDevice[],
) => USBDevice | undefined | Promise<USBDevice | undefined>;

/** How to make a `USB` object. */
export interface WebUsbOptions {
  /** Where devices come from: libusb, a simulated port. */
  readonly port: UsbPort;
  /** Default `open`. */
  readonly policy?: WebUsbPolicy;
  /** Default: the first that matches. */
  readonly chooser?: DeviceChooser;
  /** Devices `getDevices` gives without a request; default none, as in browsers. */
  readonly allowedDevices?: readonly USBDeviceFilter[];
  /** Kernel drivers on claimed interfaces; default `detach`, and they come back. */
  readonly kernelDriver?: "detach" | "refuse";
}

/** An event about a device: `connect` or `disconnect`. */
export class USBConnectionEvent extends Event {
  readonly #device: USBDevice;

  /** @throws {TypeError} When `device` is missing or not a `USBDevice`. */
  constructor(
    type: string,
    eventInitDict: EventInit & { readonly device: USBDevice },
  ) {
    const init = dictionary(eventInitDict, "eventInitDict");
    if (!(init.device instanceof USBDevice)) {
      throw new TypeError("device must be a USBDevice");
    }
    super(type, eventInitDict);
    this.#device = init.device;
  }

  /** Which one. */
  get device(): USBDevice {
    return this.#device;
  }
}

exposeInterface(USBConnectionEvent);

type Handler = ((event: USBConnectionEvent) => unknown) | null;

interface Known {
  readonly core: DeviceCore;
  readonly device: USBDevice;
}

const TOKEN: unique symbol = Symbol("USB");

/** The devices a program may use. */
export class USB extends EventTarget implements AsyncDisposable {
  readonly #options: WebUsbOptions;
  readonly #allowed: readonly DeviceMatch[];
  /** Connected devices by the port's id: the same object while a device stays. */
  readonly #known = new Map<string, Known>();
  /** Granted by `requestDevice`, while connected. */
  readonly #granted = new Set<string>();
  /** Granted with a serial number: these survive a replug. */
  readonly #grantedForGood: DeviceMatch[] = [];
  readonly #handlers = new Map<string, Handler>();
  #watching: AbortController | undefined;
  #watched: Promise<void> = Promise.resolve();

  /** @throws {TypeError} Always, from outside: made by `createWebUsb`. */
  constructor(token?: symbol, options?: WebUsbOptions) {
    super();
    if (token !== TOKEN || options === undefined) {
      throw new TypeError("Illegal constructor");
    }
    this.#options = options;
    this.#allowed = convertFilters(
      options.allowedDevices ?? [],
      "allowedDevices",
    );
  }

  /** Called for each permitted device that arrives; null at first. */
  get onconnect(): Handler {
    return this.#handlers.get("connect") ?? null;
  }

  set onconnect(handler: Handler) {
    this.#setHandler("connect", handler);
  }

  /** Called for each permitted device that leaves; null at first. */
  get ondisconnect(): Handler {
    return this.#handlers.get("disconnect") ?? null;
  }

  set ondisconnect(handler: Handler) {
    this.#setHandler("disconnect", handler);
  }

  /** Listening for connections starts watching the bus, and keeps the program alive until closed. */
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
    if (type === "connect" || type === "disconnect") this.#watch();
  }

  /** Connected and permitted devices; a fresh array of the same objects. */
  async getDevices(): Promise<USBDevice[]> {
    const present = await this.#present();
    return present
      .filter((info) => this.#isPermitted(info))
      .map((info) => this.#deviceFor(info).device);
  }

  /**
   * Asks the chooser for one of the devices that match.
   *
   * @throws {DOMException} `NotFoundError` when none was chosen.
   * @throws {TypeError} For missing or invalid filters.
   */
  async requestDevice(options: USBDeviceRequestOptions): Promise<USBDevice> {
    const asked = dictionary(options, "options");
    if (asked.filters === undefined) {
      throw new TypeError("options.filters is required");
    }
    const filters = convertFilters(asked.filters, "filters");
    const excluded = convertFilters(
      asked.exclusionFilters ?? [],
      "exclusionFilters",
    );
    const offered = (await this.#present()).filter((info) =>
      accepts(filters, info) &&
      !(excluded.length > 0 && accepts(excluded, info))
    );
    const devices = offered.map((info) => this.#deviceFor(info).device);
    const choose = this.#options.chooser ?? (([first]) => first);
    const chosen = await choose(devices);
    const index = chosen === undefined ? -1 : devices.indexOf(chosen);
    const info = offered[index];
    if (chosen === undefined || info === undefined) {
      throw domError("NotFoundError", "No device selected");
    }
    this.#grant(info);
    return chosen;
  }

  /** An extension of ours: stops watching and closes every device. The port stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching?.abort();
    await this.#watched;
    this.#watching = undefined;
    for (const { core } of this.#known.values()) await core.markGone();
    this.#known.clear();
  }

  /** Devices on the bus that the policy shows; forgets those that left. */
  async #present(): Promise<readonly DeviceInfo[]> {
    const all = (await this.#options.port.devices()).filter((info) =>
      this.#options.policy !== "web" || !isBlocklisted(info)
    );
    const ids = new Set(all.map((info) => info.id));
    for (const id of [...this.#known.keys()]) {
      if (!ids.has(id)) await this.#leave(id);
    }
    return all;
  }

  #isPermitted(info: DeviceInfo): boolean {
    return this.#granted.has(info.id) ||
      (this.#allowed.length > 0 && accepts(this.#allowed, info)) ||
      (this.#grantedForGood.length > 0 && accepts(this.#grantedForGood, info));
  }

  #grant(info: DeviceInfo): void {
    this.#granted.add(info.id);
    const { serialNumber, descriptor: { vendorId, productId } } = info;
    if (serialNumber === undefined) return;
    this.#grantedForGood.push({ vendorId, productId, serialNumber });
  }

  #revoke(info: DeviceInfo): void {
    this.#granted.delete(info.id);
    this.#known.delete(info.id);
    for (let i = this.#grantedForGood.length - 1; i >= 0; i--) {
      const grant = this.#grantedForGood[i];
      if (grant !== undefined && accepts([grant], info)) {
        this.#grantedForGood.splice(i, 1);
      }
    }
  }

  #deviceFor(info: DeviceInfo): Known {
    const existing = this.#known.get(info.id);
    if (existing !== undefined) return existing;
    const core = new DeviceCore({
      port: this.#options.port,
      info,
      policy: this.#options.policy ?? "open",
      kernelDriver: this.#options.kernelDriver ?? "detach",
      onForget: () => this.#revoke(info),
    });
    const known = { core, device: makeDevice(core) };
    this.#known.set(info.id, known);
    return known;
  }

  async #leave(id: string): Promise<void> {
    const known = this.#known.get(id);
    this.#known.delete(id);
    this.#granted.delete(id);
    await known?.core.markGone();
  }

  #setHandler(type: "connect" | "disconnect", handler: Handler): void {
    const wanted = typeof handler === "function" ? handler : null;
    const old = this.#handlers.get(type) ?? null;
    if (old !== null) this.removeEventListener(type, old as EventListener);
    this.#handlers.set(type, wanted);
    if (wanted !== null) this.addEventListener(type, wanted as EventListener);
  }

  #watch(): void {
    if (this.#watching !== undefined) return;
    this.#watching = new AbortController();
    this.#watched = this.#follow(this.#watching.signal);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const there = new Set((await this.#present()).map((info) => info.id));
    for await (
      const { type, device: info } of this.#options.port.watch({ signal })
    ) {
      if (this.#options.policy === "web" && isBlocklisted(info)) continue;
      if (type === "arrived") {
        // The watch begins with what is there already: that is not news.
        if (there.delete(info.id) || !this.#isPermitted(info)) continue;
        this.#announce("connect", this.#deviceFor(info).device);
        continue;
      }
      const known = this.#known.get(info.id);
      const wasPermitted = this.#isPermitted(info);
      await this.#leave(info.id);
      if (known !== undefined && wasPermitted) {
        this.#announce("disconnect", known.device);
      }
    }
  }

  #announce(type: "connect" | "disconnect", device: USBDevice): void {
    this.dispatchEvent(new USBConnectionEvent(type, { device }));
  }
}

exposeInterface(USB);

/** Makes a `USB` object over a port. Nothing is opened or watched yet. */
export function createWebUsb(options: WebUsbOptions): USB {
  return new USB(TOKEN, options);
}
