/**
 * `navigator.usb` of WebUSB over any port.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import type { DeviceInfo, HotplugEvent, UsbPort } from "../port.ts";
import { DeviceCore } from "./device_core.ts";
import { accepts, convertFilters, type USBDeviceFilter } from "./filters.ts";
import { Grants } from "./grants.ts";
import {
  dictionary,
  domError,
  exposeInterface,
  requireArguments,
} from "./idl.ts";
import { HandlerAttribute, ListenerCount } from "./listeners.ts";
import { isDevice } from "./objects.ts";
import { isBlocklisted, type WebUsbPolicy } from "./policy.ts";
import { makeDevice, type USBDevice } from "./usb_device.ts";

/** Argument of `requestDevice`. */
export interface USBDeviceRequestOptions {
  /** A device is offered when any accepts it; an empty list accepts all. */
  readonly filters: readonly USBDeviceFilter[];
  /** A device any of these accepts is not offered. */
  readonly exclusionFilters?: readonly USBDeviceFilter[] | undefined;
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
  /**
   * Hides devices from the program, before any filter. Over libusb: those whose
   * nodes the runtime's permissions leave out.
   */
  readonly isVisible?: (device: DeviceInfo) => boolean;
  /** Kernel drivers on claimed interfaces; default `detach`, and they come back. */
  readonly kernelDriver?: "detach" | "refuse";
}

/** An event about a device: `connect` or `disconnect`. */
export class USBConnectionEvent extends Event {
  readonly #device: USBDevice;

  /**
   * An event about a device.
   *
   * @throws {TypeError} When `device` is missing or not a `USBDevice`.
   */
  constructor(
    type: string,
    eventInitDict: EventInit & { readonly device: USBDevice },
  ) {
    requireArguments(arguments, 2);
    const { device } = dictionary(eventInitDict, "eventInitDict");
    if (!isDevice(device)) throw new TypeError("device must be a USBDevice");
    super(type, eventInitDict);
    this.#device = device as USBDevice;
  }

  /** Which one. */
  get device(): USBDevice {
    return this.#device;
  }
}

exposeInterface(USBConnectionEvent);

/** Hears of connections. Written as a method, so that it may also be one of WebUSB's own types. */
export type ConnectionListener = {
  /** Called with the event. */
  handle(event: USBConnectionEvent): unknown;
}["handle"];

/** A handler as it is read back: of this module's types, or of WebUSB's own. */
// deno-lint-ignore no-explicit-any -- either's event; a stricter one fits one of them alone
export type ConnectionHandler = (event: any) => unknown;

interface Known {
  readonly core: DeviceCore;
  readonly device: USBDevice;
}

const CONNECTION_EVENTS: readonly string[] = ["connect", "disconnect"];

const TOKEN: unique symbol = Symbol("USB");

/** The devices a program may use. */
export class USB extends EventTarget implements AsyncDisposable {
  readonly #options: WebUsbOptions;
  readonly #grants: Grants;
  /** Connected devices by the port's id: the same object while a device stays. */
  readonly #known = new Map<string, Known>();
  readonly #listeners = new ListenerCount();
  readonly #onconnect: HandlerAttribute<ConnectionListener>;
  readonly #ondisconnect: HandlerAttribute<ConnectionListener>;
  #watching: AbortController | undefined;
  #watched: Promise<void> = Promise.resolve();

  /**
   * Not for programs: {@linkcode createWebUsb} makes the object.
   *
   * @throws {TypeError} Always, from outside.
   */
  constructor(...parts: never[]) {
    super();
    const [token, options] = parts as readonly unknown[];
    if (token !== TOKEN) throw new TypeError("Illegal constructor");
    this.#options = options as WebUsbOptions;
    this.#grants = new Grants(
      convertFilters(this.#options.allowedDevices ?? [], "allowedDevices"),
    );
    const attribute = (type: string): HandlerAttribute<ConnectionListener> =>
      new HandlerAttribute({
        attach: (listener) => this.addEventListener(type, listener),
        detach: (listener) => this.removeEventListener(type, listener),
      });
    this.#onconnect = attribute("connect");
    this.#ondisconnect = attribute("disconnect");
  }

  /** Called for each permitted device that arrives; null at first. */
  get onconnect(): ConnectionHandler | null {
    return this.#onconnect.value;
  }

  set onconnect(handler: ConnectionListener | null) {
    this.#onconnect.value = handler;
  }

  /** Called for each permitted device that leaves; null at first. */
  get ondisconnect(): ConnectionHandler | null {
    return this.#ondisconnect.value;
  }

  set ondisconnect(handler: ConnectionListener | null) {
    this.#ondisconnect.value = handler;
  }

  /**
   * As of any event target. While anybody listens for connections the bus is
   * watched, which keeps the program alive.
   */
  override addEventListener(
    type: string,
    listener:
      | EventListenerOrEventListenerObject
      | ConnectionListener
      | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    const heard = listener as EventListenerOrEventListenerObject | null;
    super.addEventListener(type, heard, options);
    if (heard === null || !CONNECTION_EVENTS.includes(type)) return;
    this.#listeners.added({
      type,
      listener: heard,
      options,
      gone: () => this.#unwatchUnheard(),
    });
    if (this.#listeners.size > 0) this.#watch();
  }

  /** As of any event target; without a listener the bus is not watched. */
  override removeEventListener(
    type: string,
    listener:
      | EventListenerOrEventListenerObject
      | ConnectionListener
      | null,
    options?: boolean | EventListenerOptions,
  ): void {
    const heard = listener as EventListenerOrEventListenerObject | null;
    super.removeEventListener(type, heard, options);
    if (heard === null || !CONNECTION_EVENTS.includes(type)) return;
    this.#listeners.removed({ type, listener: heard, options });
    this.#unwatchUnheard();
  }

  /** Connected and permitted devices; a fresh array of the same objects. */
  async getDevices(): Promise<USBDevice[]> {
    const present = await this.#present();
    return present
      .filter((info) => this.#grants.has(info))
      .map((info) => this.#deviceFor(info).device);
  }

  /**
   * Asks the chooser for one of the devices that match.
   *
   * @throws {DOMException} `NotFoundError` when none was chosen.
   * @throws {TypeError} For missing or invalid filters.
   */
  async requestDevice(options?: USBDeviceRequestOptions): Promise<USBDevice> {
    requireArguments(arguments, 1);
    const { exclusionFilters, filters } = dictionary(options, "options");
    const excluded = convertFilters(exclusionFilters ?? [], "exclusionFilters");
    const wanted = convertFilters(filters, "filters");
    // Read literally an empty list matches nothing; browsers list everything.
    const offered = (await this.#present()).filter((info) =>
      (wanted.length === 0 || accepts(wanted, info)) && !accepts(excluded, info)
    );
    const devices = offered.map((info) => this.#deviceFor(info).device);
    const choose = this.#options.chooser ?? (([first]) => first);
    const chosen = await choose([...devices]);
    const info = chosen === undefined
      ? undefined
      : offered[devices.indexOf(chosen)];
    // It may have left while somebody was choosing.
    const isThere = info !== undefined &&
      (await this.#present()).some(({ id }) => id === info.id) &&
      this.#known.get(info.id)?.device === chosen;
    if (chosen === undefined || !isThere) {
      throw domError("NotFoundError", "No device selected");
    }
    this.#grants.add(info);
    return chosen;
  }

  /** An extension of ours: stops watching and closes every device. The port stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching?.abort();
    await this.#watched;
    const all = [...this.#known.values()];
    this.#known.clear();
    await Promise.all(all.map(({ core }) => core.leave("forgotten")));
  }

  /** Devices on the bus that are shown to the program; those that left are no more. */
  async #present(): Promise<readonly DeviceInfo[]> {
    const all = await this.#options.port.devices();
    this.#reconcile(all, { hasWatch: this.#watching !== undefined });
    return all.filter((info) => this.#isShown(info));
  }

  #isShown(info: DeviceInfo): boolean {
    if (this.#options.policy === "web" && isBlocklisted(info)) return false;
    return this.#options.isVisible?.(info) ?? true;
  }

  /** What is known against what is there. The watch forgets devices itself, when it tells of them. */
  #reconcile(
    all: readonly DeviceInfo[],
    { hasWatch }: { readonly hasWatch: boolean },
  ): void {
    const present = new Map(all.map((info) => [info.id, info]));
    for (const [id, { core }] of [...this.#known]) {
      const info = present.get(id);
      if (info !== undefined) {
        core.refresh(info);
        continue;
      }
      core.missed();
      if (!hasWatch) this.#drop(core.info);
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
      onForget: (forgotten) => this.#forget(forgotten),
    });
    const known = { core, device: makeDevice(core) };
    this.#known.set(info.id, known);
    return known;
  }

  #forget(core: DeviceCore): void {
    // A second `forget` of an old object must not touch what came after it.
    if (this.#known.get(core.info.id)?.core !== core) return;
    this.#grants.remove(core.info);
    this.#known.delete(core.info.id);
  }

  /** A device left the bus. */
  #drop(info: DeviceInfo): void {
    this.#known.delete(info.id);
    this.#grants.left(info);
  }

  #watch(): void {
    if (this.#watching !== undefined) return;
    this.#watching = new AbortController();
    this.#watched = this.#follow(this.#watching);
  }

  #unwatchUnheard(): void {
    if (this.#listeners.size > 0) return;
    this.#watching?.abort();
    this.#watching = undefined;
  }

  async #follow(controller: AbortController): Promise<void> {
    const { port } = this.#options;
    try {
      // Both at once, so that nothing happens between the list and the watch.
      const { signal } = controller;
      const watch = port.watch({ signal })[Symbol.asyncIterator]();
      const listed = port.devices();
      const there = new Set<string>();
      const all = await listed;
      for (const { id } of all) there.add(id);
      this.#reconcile(all, { hasWatch: false });
      for (;;) {
        const { done, value } = await watch.next();
        if (done === true || signal.aborted) return;
        this.#tell(value, there);
        if (this.#listeners.size === 0) this.#unwatchUnheard();
      }
    } catch (error) {
      // The port is closed: there will be no more connections.
      if (!(error instanceof UsbError && error.code === "state")) throw error;
    } finally {
      if (this.#watching === controller) this.#watching = undefined;
    }
  }

  #tell({ type, device: info }: HotplugEvent, there: Set<string>): void {
    const isShown = this.#isShown(info) && this.#grants.has(info);
    if (type === "arrived") {
      // The watch begins with what is there already: that is not news.
      if (there.delete(info.id) || !isShown) return;
      this.#announce("connect", this.#deviceFor(info));
      return;
    }
    const known = this.#known.get(info.id) ??
      (isShown ? this.#deviceFor(info) : undefined);
    known?.core.missed();
    this.#drop(info);
    if (known !== undefined && isShown) this.#announce("disconnect", known);
  }

  #announce(type: "connect" | "disconnect", { device }: Known): void {
    this.dispatchEvent(new USBConnectionEvent(type, { device }));
    this.#listeners.dispatched(type);
  }
}

exposeInterface(USB, ["addEventListener", "removeEventListener"]);

/** Makes a `USB` object over a port. Nothing is opened or watched yet. */
export function createWebUsb(options: WebUsbOptions): USB {
  return new USB(...[TOKEN, options] as unknown as never[]);
}
