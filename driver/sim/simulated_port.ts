/**
 * A port in process: virtual devices without usbfs and libusb in between. The
 * fastest bench there is, and under a virtual clock and a seed one that repeats.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import { deviceLabel } from "../match.ts";
import type {
  DeviceInfo,
  DevicePort,
  HotplugEvent,
  OpenOptions,
  UsbPort,
} from "../port.ts";
import { Deliveries } from "./deliveries.ts";
import { HotplugWatch } from "./hotplug_watch.ts";
import { SimulatedDevice } from "./simulated_device.ts";
import type { PluggedDevice, VirtualBus } from "./virtual_bus.ts";

/** What can be chosen. */
export interface SimulatedPortOptions {
  /** Each completion takes up to this long, by the bus's chance. Default 0. */
  readonly jitterMs?: number;
}

/**
 * The devices of a {@linkcode VirtualBus}. Transfers complete in microtasks; after
 * about a thousand of them the bus's clock has to move, as on any bus.
 */
export class SimulatedPort implements UsbPort {
  readonly #bus: VirtualBus;
  readonly #deliveries: Deliveries;
  readonly #open = new Set<SimulatedDevice>();
  readonly #watches = new Set<HotplugWatch>();
  /** Nodes by path: one that left can no longer be asked from the bus. */
  readonly #known: Map<string, PluggedDevice>;
  readonly #observation: { stop(): void };
  #closing: Promise<void> | undefined;

  /** The bus stays the caller's: closing the port unplugs nothing. */
  constructor(bus: VirtualBus, options: SimulatedPortOptions = {}) {
    this.#bus = bus;
    this.#deliveries = new Deliveries({
      clock: bus.clock,
      random: bus.random,
      jitterMs: options.jitterMs ?? 0,
    });
    this.#known = new Map(
      bus.devices.map((plugged) => [plugged.nodePath, plugged]),
    );
    this.#observation = bus.observe({
      plugged: (node) => this.#tell("arrived", node.nodePath),
      unplugged: (node, killTransfers) => {
        this.#tell("left", node.nodePath);
        killTransfers();
      },
      changed: () => {},
    });
  }

  /** Devices on the bus now, in order of port. */
  // deno-lint-ignore require-await -- every refusal is a rejection, never a throw
  async devices(): Promise<readonly DeviceInfo[]> {
    this.#checkOpen("list devices");
    return this.#infos();
  }

  /** Arrivals and departures in order. */
  watch(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterable<HotplugEvent> {
    this.#checkOpen("watch devices");
    return {
      [Symbol.asyncIterator]: () => {
        const present = this.#closing === undefined ? this.#infos() : [];
        const watch = new HotplugWatch({
          present,
          ended: () => void this.#watches.delete(watch),
          ...options,
        });
        this.#watches.add(watch);
        if (this.#closing !== undefined) watch.end();
        return watch;
      },
    };
  }

  /** Opens a device. */
  // deno-lint-ignore require-await -- every refusal is a rejection, never a throw
  async open(
    info: DeviceInfo,
    options: OpenOptions = {},
  ): Promise<DevicePort> {
    const operation = "open the device";
    this.#checkOpen(operation);
    const plugged = this.#bus.devices.find((candidate) =>
      infoOf(candidate).id === info.id
    );
    if (plugged === undefined) {
      throw new UsbError({
        code: "noDevice",
        operation,
        device: deviceLabel(info),
        reason: "the device is gone",
      });
    }
    if (!plugged.isAccessible) {
      throw new UsbError({
        code: "access",
        operation,
        device: deviceLabel(info),
        reason: `${plugged.nodePath} may not be opened`,
        advice: "Add a udev rule that gives you access",
      });
    }
    const device = new SimulatedDevice(infoOf(plugged), {
      bus: this.#bus,
      plugged,
      deliveries: this.#deliveries,
      kernelDriver: options.kernelDriver ?? "refuse",
      closed: (closed) => void this.#open.delete(closed),
    });
    this.#open.add(device);
    return device;
  }

  /** Closes every open device, then the port. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Closes the port at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#observation.stop();
    for (const watch of [...this.#watches]) watch.end();
    await Promise.all([...this.#open].map((device) => device.close()));
  }

  #infos(): readonly DeviceInfo[] {
    return [...this.#bus.devices].sort((a, b) => a.port - b.port).map(infoOf);
  }

  #tell(type: HotplugEvent["type"], nodePath: string): void {
    const plugged = this.#known.get(nodePath) ?? this.#bus.node(nodePath);
    if (plugged === undefined) return;
    if (type === "arrived") this.#known.set(nodePath, plugged);
    else this.#known.delete(nodePath);
    const device = infoOf(plugged);
    for (const watch of this.#watches) watch.tell({ type, device });
  }

  #checkOpen(operation: string): void {
    if (this.#closing === undefined) return;
    throw new UsbError({
      code: "state",
      operation,
      reason: "the port is closed",
    });
  }
}

function infoOf(plugged: PluggedDevice): DeviceInfo {
  const { device, place } = plugged;
  const { descriptors, deviceDescriptor: descriptor } = device;
  const text = (index: number): string | undefined =>
    descriptors.strings[index - 1];
  return {
    id: `${place.name}#${place.deviceAddress}`,
    busNumber: place.busNumber,
    deviceAddress: place.deviceAddress,
    portPath: place.name,
    speed: descriptors.speed,
    descriptor,
    manufacturer: text(descriptor.manufacturerIndex),
    product: text(descriptor.productIndex),
    serialNumber: text(descriptor.serialNumberIndex),
    configurations: device.configurations,
    configurationValue: device.activeConfiguration?.configurationValue,
    nodePath: plugged.nodePath,
  };
}
