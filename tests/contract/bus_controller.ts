/** Performs a bench's commands where the bus is. */

import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { CdcAcmEcho } from "../../driver/sim/devices/cdc_acm_echo.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import type { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../driver/sim/virtual_device.ts";
import type {
  BusCommand,
  BusReply,
  BusValue,
  DeviceKind,
  PlugSpec,
} from "./bench.ts";

/** Commands on one bus. */
export class BusController {
  readonly #bus: VirtualBus;
  readonly #devices = new Map<string, VirtualDevice>();
  #lastId = 0;

  constructor(bus: VirtualBus) {
    this.#bus = bus;
  }

  /** Performs one; a refusal is a reply. */
  execute(command: BusCommand): BusReply {
    try {
      return { ok: true, value: this.#perform(command) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, message };
    }
  }

  #perform(command: BusCommand): BusValue {
    if (command.type === "plug") return this.#plug(command.kind, command.spec);
    const device = this.#devices.get(command.id);
    if (device === undefined) throw new RangeError(`No device ${command.id}`);
    const plugged = this.#bus.find(device);
    switch (command.type) {
      case "unplug":
        this.#bus.unplug(device);
        return null;
      case "replug":
        this.#bus.replug(device, command.afterMs);
        return null;
      case "fault":
        if (plugged === undefined) throw new RangeError("It is unplugged");
        plugged.device.faults.add(command.rule);
        return null;
      case "clearFaults":
        plugged?.device.faults.clear();
        return null;
      case "observed":
        return {
          ...device.observed(),
          transfers: plugged?.device.submitted ?? 0,
          faultsInjected: plugged?.device.faults.injected ?? 0,
          openFiles: plugged?.openFiles ?? 0,
        };
    }
  }

  #plug(kind: DeviceKind, spec: PlugSpec): string {
    const device = makeDevice(kind, spec);
    this.#bus.plug(device, {
      ...(spec.port === undefined ? {} : { port: spec.port }),
      ...(spec.isAccessible === undefined
        ? {}
        : { isAccessible: spec.isAccessible }),
    });
    const id = `${kind}-${++this.#lastId}`;
    this.#devices.set(id, device);
    return id;
  }
}

function makeDevice(kind: DeviceKind, spec: PlugSpec): VirtualDevice {
  switch (kind) {
    case "loopback":
      return new Loopback(spec);
    case "bootMouse":
      return new BootMouse(spec);
    case "cdcAcmEcho":
      return new CdcAcmEcho(spec);
  }
}
