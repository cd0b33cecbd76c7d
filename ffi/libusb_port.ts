/**
 * The port over libusb.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import { deviceLabel } from "../driver/match.ts";
import type {
  DeviceInfo,
  DevicePort,
  HotplugEvent,
  OpenOptions,
  UsbPort,
} from "../driver/port.ts";
import { formatIds } from "../driver/usb.ts";
import { createContext } from "./context.ts";
import { readStrings } from "./control_reads.ts";
import { LibusbDevice } from "./device.ts";
import {
  describeDevice,
  DeviceList,
  goneError,
  type KnownPlace,
  type ListedDevice,
} from "./device_list.ts";
import { EventPump } from "./event_pump.ts";
import { DeviceWatch } from "./hotplug.ts";
import { LIBUSB_ERROR } from "./libusb_constants.ts";
import { libusbError } from "./libusb_errors.ts";
import { type Library, type LibusbVersion, openLibrary } from "./library.ts";
import { nativeBytes, type Pointer } from "./memory.ts";
import { MonotonicClock } from "./monotonic_clock.ts";
import { checkNodePermission } from "./node_permission.ts";
import { promptOutput } from "./prompt_output.ts";
import { readFile, readFromStart } from "./raw_descriptors.ts";

/** How to open the port. */
export interface LibusbPortOptions {
  /** libusb's file; default: where this platform keeps it. `--allow-ffi=` must name the same text. */
  readonly libraryPath?: string;
  /**
   * `false`: for an inherited descriptor. The port then lists and watches
   * nothing, and up to libusb 1.0.26 no port of this process may. Default `true`.
   */
  readonly discovery?: boolean;
  /** Monotonic, in milliseconds; the clock of reports. Default: the machine's. */
  readonly nowMs?: () => number;
  /** Calls back when the event loop had a turn. Default: `setImmediate`. */
  readonly turn?: (fire: () => void) => void;
  /** Ask the runtime for read and write permission before opening a node. Default `true`. */
  readonly checkPermissions?: boolean;
}

/** Where an inherited descriptor's device is, as far as the parent knows. */
export type InheritedPlace = Omit<KnownPlace, "descriptors">;

/** After an arrival the system may still be making the node or setting its mode. */
const SETTLING_MS = 1_000;
/** One page: what such a file has at most. */
const SYSTEM_TEXT_BYTES = 4096;
/** Pause between tries meanwhile. */
const RETRY_MS = 50;

/** A source of devices: the system's libusb. */
export class LibusbPort implements UsbPort {
  readonly #library: Library;
  readonly #context: Pointer;
  readonly #clock: MonotonicClock;
  readonly #nowMs: () => number;
  readonly #hasDiscovery: boolean;
  readonly #checksPermissions: boolean;
  readonly #pump: EventPump;
  readonly #list: DeviceList;
  readonly #devices = new Set<LibusbDevice>();
  readonly #watches = new Set<DeviceWatch>();
  /** Opens under way; the close waits for them. */
  readonly #opening = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  private constructor(
    library: Library,
    context: Pointer,
    options: LibusbPortOptions,
  ) {
    this.#library = library;
    this.#context = context;
    this.#clock = new MonotonicClock(library);
    this.#nowMs = options.nowMs ?? ((): number => this.#clock.nowMs());
    this.#hasDiscovery = options.discovery ?? true;
    this.#checksPermissions = options.checkPermissions ?? true;
    const shared = { context, nowMs: this.#nowMs };
    this.#pump = new EventPump(library, {
      ...shared,
      // Named late: the runtime loads its timers when they are first named.
      turn: options.turn ?? ((fire): void => void setImmediate(fire)),
    });
    this.#list = new DeviceList(library, shared);
  }

  /**
   * Opens libusb and starts it. After this the runtime's FFI permission may be
   * revoked: everything is bound.
   *
   * @throws {UsbError} `library`, `access`, `notSupported`.
   */
  static async open(options: LibusbPortOptions = {}): Promise<LibusbPort> {
    const library = openLibrary(
      options.libraryPath === undefined ? {} : { path: options.libraryPath },
    );
    try {
      const context = await createContext(library, {
        hasDiscovery: options.discovery ?? true,
      });
      return new LibusbPort(library, context, options);
    } catch (error) {
      library.close();
      throw error;
    }
  }

  /** libusb's file, version, and a sentence if the version has known faults. */
  get library(): {
    readonly path: string;
    readonly version: LibusbVersion;
    readonly warning: string | undefined;
  } {
    const { path, version, warning } = this.#library;
    return { path, version, warning };
  }

  /**
   * A short text that the system shows below `/proc` or `/sys`, read by libc:
   * the runtime opens nothing there without all permissions.
   */
  systemText(path: string): string | undefined {
    this.#checkOpen(`read ${path}`);
    const bytes = readFile(this.#library, path, SYSTEM_TEXT_BYTES);
    return bytes && new TextDecoder().decode(bytes).trim();
  }

  /**
   * Writes to standard output what goes now, as long as the port is open, and
   * waits `patienceMs` for a full pipe; `undefined` where the platform cannot.
   */
  promptOutput(
    patienceMs: number,
  ): ((bytes: Uint8Array) => number) | undefined {
    const write = promptOutput(this.#library, patienceMs);
    return write &&
      ((bytes) => this.#closed === undefined ? write(bytes) : 0);
  }

  /** Devices on the bus now, hubs left out. */
  devices(): Promise<readonly DeviceInfo[]> {
    try {
      this.#check("list devices");
      return Promise.resolve(this.#list.list().map(({ info }) => info));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Arrivals and departures in order. */
  watch(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterable<HotplugEvent> {
    return {
      [Symbol.asyncIterator]: (): AsyncIterator<HotplugEvent> => {
        this.#check("watch for devices");
        const watch: DeviceWatch = new DeviceWatch({
          pump: this.#pump,
          nowMs: this.#nowMs,
          list: () => this.#list.list().map(({ info }) => info),
          onEnded: (ended) => this.#watches.delete(ended),
        }, options.signal);
        this.#watches.add(watch);
        return watch;
      },
    };
  }

  /** Opens a device by its node. */
  open(device: DeviceInfo, options: OpenOptions = {}): Promise<DevicePort> {
    return this.#track(async () => {
      this.#check("open a device");
      const label = deviceLabel(device);
      const listed = this.#list.find(device);
      if (listed === undefined) throw goneError(`open ${label}`, label);
      const { nodePath } = listed.info;
      if (this.#checksPermissions && nodePath !== undefined) {
        checkNodePermission(nodePath, label);
      }
      const handle = await this.#openHandle(listed, label);
      return await this.#start({ handle, info: listed.info }, options);
    });
  }

  /**
   * Takes over an open descriptor of a device node, which is closed with the
   * device. For a port without discovery.
   *
   * @throws {UsbError} `state` on a port with discovery, `access`, `noDevice`, `io`.
   */
  openDescriptor(
    descriptor: number,
    options: OpenOptions & InheritedPlace = {},
  ): Promise<DevicePort> {
    return this.#track(async () => {
      const operation = `take over descriptor ${descriptor}`;
      this.#checkOpen(operation);
      if (this.#hasDiscovery) {
        throw new UsbError({
          code: "state",
          operation,
          reason: "the port was opened with device discovery",
          advice: "Open the port with `discovery: false`",
        });
      }
      const handle = await this.#wrap(descriptor, operation);
      // SAFETY: the device lives at least as long as its handle.
      const pointer = this.#library.symbols.libusb_get_device(handle);
      const descriptors = readFromStart(this.#library, { descriptor });
      const info = pointer === null
        ? undefined
        : describeDevice(this.#library, pointer, {
          ...options,
          portPath: options.portPath ?? "",
          ...(descriptors === undefined ? {} : { descriptors }),
        });
      if (info === undefined) {
        await this.#library.symbols.libusb_close(handle);
        throw libusbError(LIBUSB_ERROR.NO_DEVICE, { operation });
      }
      return await this.#start({ handle, info, descriptor }, options);
    });
  }

  /** Closes every open device, then the port. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  /** Closes the port at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const watch of [...this.#watches]) watch.end();
    await Promise.allSettled([...this.#opening]);
    await Promise.all([...this.#devices].map((device) => device.close()));
    await this.#pump.close();
    this.#list.close();
    // SAFETY: no device is open, nothing is parked, nobody uses the context.
    await this.#library.symbols.libusb_exit(this.#context);
    this.#clock.close();
    this.#library.close();
  }

  #track<T>(work: () => Promise<T>): Promise<T> {
    const opened = work();
    this.#opening.add(opened);
    const done = (): void => void this.#opening.delete(opened);
    opened.then(done, done);
    return opened;
  }

  async #openHandle(listed: ListedDevice, label: string): Promise<Pointer> {
    const { symbols } = this.#library;
    // SAFETY: a reference of our own: when the device leaves meanwhile, the
    // list gives its own back, on the thread, and libusb frees the device.
    symbols.libusb_ref_device(listed.pointer);
    try {
      return await this.#tryOpen(listed, label);
    } finally {
      symbols.libusb_unref_device(listed.pointer);
    }
  }

  async #tryOpen(listed: ListedDevice, label: string): Promise<Pointer> {
    const out = nativeBytes(8);
    for (;;) {
      // SAFETY: the caller holds a reference; `out` is referenced here.
      const result = await this.#library.symbols.libusb_open(
        listed.pointer,
        out,
      );
      const handle = result === 0 ? this.#library.memory.out(out) : null;
      if (handle !== null) return handle;
      const isSettling = this.#nowMs() - listed.arrivedAtMs < SETTLING_MS &&
        (result === LIBUSB_ERROR.ACCESS || result === LIBUSB_ERROR.NO_DEVICE);
      if (!isSettling || this.#closed !== undefined) {
        throw openError(result, listed.info, label);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #wrap(descriptor: number, operation: string): Promise<Pointer> {
    const out = nativeBytes(8);
    // SAFETY: `out` is referenced until the call is back; the descriptor is ours.
    const result = await this.#library.symbols.libusb_wrap_sys_device(
      this.#context,
      BigInt(descriptor),
      out,
    );
    const handle = result === 0 ? this.#library.memory.out(out) : null;
    if (handle === null) throw libusbError(result, { operation });
    return handle;
  }

  async #start(
    opened: {
      readonly handle: Pointer;
      readonly info: DeviceInfo;
      readonly descriptor?: number;
    },
    options: OpenOptions,
  ): Promise<LibusbDevice> {
    const device = new LibusbDevice({
      ...opened,
      library: this.#library,
      pump: this.#pump,
      options,
      nowMs: this.#nowMs,
      onClosed: (closed) => this.#devices.delete(closed),
    });
    this.#devices.add(device);
    this.#pump.descriptorsChanged();
    try {
      await device.start();
      if (lacksStrings(opened.info)) device.learn(await readStrings(device));
      return device;
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  #check(operation: string): void {
    this.#checkOpen(operation);
    if (this.#hasDiscovery) return;
    throw new UsbError({
      code: "state",
      operation,
      reason: "the port was opened without device discovery",
    });
  }

  #checkOpen(operation: string): void {
    if (this.#closed === undefined) return;
    throw new UsbError({
      code: "state",
      operation,
      reason: "the port is closed",
    });
  }
}

/** The device has strings that could not be read without opening it. */
function lacksStrings(info: DeviceInfo): boolean {
  const { descriptor } = info;
  return [info.manufacturer, info.product, info.serialNumber]
    .every((text) => text === undefined) &&
    [
      descriptor.manufacturerIndex,
      descriptor.productIndex,
      descriptor.serialNumberIndex,
    ].some((index) => index !== 0);
}

function openError(result: number, info: DeviceInfo, label: string): UsbError {
  const call = { operation: `open ${label}`, device: label };
  if (result !== LIBUSB_ERROR.ACCESS) return libusbError(result, call);
  const ids = formatIds(info.descriptor.vendorId, info.descriptor.productId);
  const node = info.nodePath ?? "the device node";
  return libusbError(result, {
    ...call,
    advice: `Run 'driverspace udev ${ids}' and install the rule it prints, ` +
      `or give your user read and write access to ${node}`,
  });
}
