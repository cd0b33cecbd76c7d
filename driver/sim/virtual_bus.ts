/**
 * One USB bus of virtual devices: ports, addresses, device nodes, sysfs, plugging
 * and unplugging at any time. Time and chance are arguments, so a run repeats.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";
import type { Speed } from "../usb.ts";
import { BusDevice } from "./bus_device.ts";
import { RootHub } from "./root_hub.ts";
import {
  MAX_DEVICE_ADDRESS,
  MAX_OPEN_FILES,
  MAX_PORTS,
  USBFS_MEMORY_BYTES,
} from "./sim_limits.ts";
import {
  configurationPathOf,
  CONTROLLER_PATH,
  minorOf,
  nodePathOf,
  propertiesOf,
  SYSFS_ROOT,
  type SysfsPlace,
  treeOf,
} from "./sysfs.ts";
import { UsbfsFile } from "./usbfs.ts";
import type {
  BusNode,
  BusObserver,
  Readiness,
  Session,
  TreeEntry,
} from "./usbfs_contract.ts";
import { UsbfsMemory } from "./usbfs_memory.ts";
import type { VirtualDevice } from "./virtual_device.ts";

export { seededRandom } from "./seeded_random.ts";

/** What a bus is made of. */
export interface VirtualBusOptions {
  /** The bus's time. */
  readonly clock: Clock;
  /** From 0 up to 1; seeded. See {@linkcode seededRandom}. */
  readonly random: () => number;
  /** Bus number, 1 to 255. Default 1. */
  readonly number?: number;
  /** Budget of transfers in flight of all usbfs clients; 0 = unlimited. Default as Linux. */
  readonly usbfsMemoryBytes?: number;
}

/** How to plug a device in. */
export interface PlugOptions {
  /** Port of the root hub. Default: the first free one. */
  readonly port?: number;
  /** Clients may open the node. Default true. */
  readonly isAccessible?: boolean;
}

/** A device on a bus: a transport's node, with what the in-process port needs. */
export class PluggedDevice implements BusNode {
  /** What its author wrote. */
  readonly virtual: VirtualDevice;
  /** The core that runs it: faults, claims, settings, suspend and resume. */
  readonly device: BusDevice;
  /** Bus, address, name and path. */
  readonly place: SysfsPlace;
  /** Port of the root hub; 0 for the hub itself. */
  readonly port: number;
  /** Clients may open the node; otherwise EACCES. */
  readonly isAccessible: boolean;
  /** `/dev/bus/usb/001/002`. */
  readonly nodePath: string;
  /** Of its character device. */
  readonly minor: number;
  /** udev properties of its uevents. */
  readonly properties: Readonly<Record<string, string>>;
  readonly #files = new Set<UsbfsFile>();
  readonly #memory: UsbfsMemory;
  readonly #clock: Clock;
  #readiness: Readiness | undefined;

  /** Made by the bus. */
  constructor(
    device: BusDevice,
    options: {
      readonly place: SysfsPlace;
      readonly port: number;
      readonly isAccessible: boolean;
      readonly memory: UsbfsMemory;
      readonly clock: Clock;
    },
  ) {
    const { place } = options;
    this.device = device;
    this.virtual = device.virtual;
    this.place = place;
    this.port = options.port;
    this.isAccessible = options.isAccessible;
    this.#memory = options.memory;
    this.#clock = options.clock;
    this.nodePath = nodePathOf(place.busNumber, place.deviceAddress);
    this.minor = minorOf(place.busNumber, place.deviceAddress);
    this.properties = propertiesOf(place);
  }

  /** As it is now: attributes follow the device. */
  get tree(): readonly TreeEntry[] {
    return treeOf(this.device, this.place);
  }

  /** Open files. */
  get openFiles(): number {
    return this.#files.size;
  }

  /**
   * Opens the node.
   *
   * @throws {RangeError} Over MAX_OPEN_FILES: a client leaks.
   */
  open(): Session {
    if (this.#files.size >= MAX_OPEN_FILES) {
      throw new RangeError(
        `Cannot open ${this.nodePath}: ${MAX_OPEN_FILES} files are open`,
      );
    }
    const file = new UsbfsFile(this.device, {
      minor: this.minor,
      busNumber: this.place.busNumber,
      deviceAddress: this.place.deviceAddress,
      ports: this.port === 0 ? [] : [this.port],
      memory: this.#memory,
      readinessChanged: () => this.#signal(),
      closed: (closed) => this.#closed(closed),
      later: (delayMs, fire) => this.#clock.setTimer(delayMs, fire),
    });
    this.#files.add(file);
    return file;
  }

  /** The poll signal of the one node all sessions share. */
  setNodeReadiness(readiness: Readiness): void {
    this.#readiness = readiness;
    this.#signal();
  }

  /** Ends the device's transfers and tells everyone who waits. Once is enough. */
  kill(): void {
    if (this.device.isGone) return;
    this.device.kill();
    for (const file of this.#files) file.hangup();
    this.#readiness?.hangup();
    if (this.#files.size === 0) this.#readiness?.close();
  }

  #signal(): void {
    this.#readiness?.setReady([...this.#files].some((file) => file.isReady));
  }

  #closed(file: UsbfsFile): void {
    this.#files.delete(file);
    if (!this.device.isGone) return this.#signal();
    // A node without an other end is always ready and makes clients spin, so it
    // stays until the last of them closed it.
    if (this.#files.size === 0) this.#readiness?.close();
  }
}

/** A bus with a root hub. */
export class VirtualBus {
  /** Bus number. */
  readonly number: number;
  /** The bus's time. */
  readonly clock: Clock;
  /** The bus's chance. */
  readonly random: () => number;
  readonly #memory: UsbfsMemory;
  readonly #hub: PluggedDevice;
  readonly #plugged = new Map<VirtualDevice, PluggedDevice>();
  readonly #observers = new Set<BusObserver>();
  readonly #returning = new Map<VirtualDevice, Timer>();
  #lastAddress = 1;

  /** Makes a bus with its root hub on it. */
  constructor(options: VirtualBusOptions) {
    this.number = options.number ?? 1;
    this.clock = options.clock;
    this.random = options.random;
    this.#memory = new UsbfsMemory(
      options.usbfsMemoryBytes ?? USBFS_MEMORY_BYTES,
    );
    const speedAt = (port: number): Speed | undefined =>
      this.devices.find((plugged) => plugged.port === port)?.device
        .descriptors.speed;
    this.#hub = this.#make(new RootHub(speedAt), 0);
  }

  /** The root hub, which is no device of `devices` but a node of `nodes`. */
  get hub(): PluggedDevice {
    return this.#hub;
  }

  /** What is plugged in, in order of plugging. */
  get devices(): readonly PluggedDevice[] {
    return [...this.#plugged.values()];
  }

  /** Everything a transport has to show, root hub first. */
  get nodes(): readonly PluggedDevice[] {
    return [this.#hub, ...this.#plugged.values()];
  }

  /** Directories that have to exist before the first node is shown. */
  get rootTree(): readonly TreeEntry[] {
    return SYSFS_ROOT;
  }

  /** The budget of transfers in flight. */
  get usbfsMemory(): UsbfsMemory {
    return this.#memory;
  }

  /** The node at a path, as `open(2)` would find it. */
  node(nodePath: string): PluggedDevice | undefined {
    return this.nodes.find((plugged) => plugged.nodePath === nodePath);
  }

  /** Where a device is, if it is plugged in. */
  find(device: VirtualDevice): PluggedDevice | undefined {
    return this.#plugged.get(device);
  }

  /** Tells an observer what happens from now on; what is there now is in `nodes`. */
  observe(observer: BusObserver): { stop(): void } {
    this.#observers.add(observer);
    return { stop: () => void this.#observers.delete(observer) };
  }

  /**
   * Plugs a device in: at a port, or at the first free one.
   *
   * @throws {RangeError} When the device is plugged in, the port is taken or the bus is full.
   */
  plug(
    device: VirtualDevice,
    options: PlugOptions = {},
  ): PluggedDevice {
    if (this.#plugged.has(device) || this.#returning.has(device)) {
      throw new RangeError("Cannot plug a device in: it is on the bus");
    }
    const plugged = this.#make(device, this.#port(options.port), options);
    this.#plugged.set(device, plugged);
    for (const observer of this.#observers) observer.plugged(plugged);
    return plugged;
  }

  /** Takes a device off the bus; a no-op when it is not there. A return that was due is called off. */
  unplug(device: VirtualDevice): void {
    this.#returning.get(device)?.cancel();
    this.#returning.delete(device);
    const plugged = this.#plugged.get(device);
    if (plugged === undefined) return;
    this.#plugged.delete(device);
    for (const observer of this.#observers) {
      observer.unplugged(plugged, () => plugged.kill());
    }
    plugged.kill();
  }

  /** Takes a device off the bus and brings it, or another, back to the same port after `afterMs`. */
  replug(device: VirtualDevice, afterMs: number, as = device): void {
    const port = this.#plugged.get(device)?.port;
    this.unplug(device);
    const timer = this.clock.setTimer(afterMs, () => {
      this.#returning.delete(as);
      const isFree = this.devices.every((plugged) => plugged.port !== port);
      this.plug(as, port !== undefined && isFree ? { port } : {});
    });
    this.#returning.set(as, timer);
  }

  /** Unplugs every device and calls off every return. */
  unplugAll(): void {
    for (const timer of this.#returning.values()) timer.cancel();
    this.#returning.clear();
    for (const device of [...this.#plugged.keys()]) this.unplug(device);
  }

  /** Unplugs everything, the root hub too. */
  close(): void {
    this.unplugAll();
    this.#hub.kill();
  }

  #make(
    virtual: VirtualDevice,
    port: number,
    options: PlugOptions = {},
  ): PluggedDevice {
    const isHub = port === 0;
    const deviceAddress = isHub ? 1 : this.#nextAddress();
    const hubPath = `${CONTROLLER_PATH}/usb${this.number}`;
    const name = isHub ? `usb${this.number}` : `${this.number}-${port}`;
    const place: SysfsPlace = {
      busNumber: this.number,
      deviceAddress,
      name,
      devicePath: isHub ? hubPath : `${hubPath}/${name}`,
    };
    const device = new BusDevice(virtual, {
      clock: this.clock,
      random: () => this.random(),
      unplug: () => this.unplug(virtual),
      replug: (afterMs, as) => this.replug(virtual, afterMs, as),
      configured: (value) => this.#configured(virtual, value),
    });
    device.plug();
    return new PluggedDevice(device, {
      place,
      port,
      isAccessible: options.isAccessible ?? true,
      memory: this.#memory,
      clock: this.clock,
    });
  }

  #configured(virtual: VirtualDevice, value: number): void {
    const plugged = this.#plugged.get(virtual);
    if (plugged === undefined) return;
    const path = configurationPathOf(plugged.place);
    const content = `${value === 0 ? "" : value}\n`;
    for (const observer of this.#observers) observer.changed(path, content);
  }

  #port(wanted: number | undefined): number {
    const taken = new Set(this.devices.map((plugged) => plugged.port));
    if (wanted !== undefined) {
      if (!(wanted >= 1 && wanted <= MAX_PORTS) || taken.has(wanted)) {
        throw new RangeError(
          `Cannot use port ${wanted}: it is taken or not there`,
        );
      }
      return wanted;
    }
    for (let port = 1; port <= MAX_PORTS; port++) {
      if (!taken.has(port)) return port;
    }
    throw new RangeError(
      `Cannot plug a device in: ${MAX_PORTS} ports are taken`,
    );
  }

  /** As Linux: the next number up, and round again; never one in use. */
  #nextAddress(): number {
    const taken = new Set(
      this.devices.map((plugged) => plugged.place.deviceAddress),
    );
    for (let step = 1; step < MAX_DEVICE_ADDRESS; step++) {
      const address = 2 +
        (this.#lastAddress - 2 + step) % (MAX_DEVICE_ADDRESS - 1);
      if (taken.has(address)) continue;
      this.#lastAddress = address;
      return address;
    }
    throw new RangeError("Cannot plug a device in: all addresses are taken");
  }
}
