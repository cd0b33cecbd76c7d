/**
 * A worker that is a USB device: vhci_hcd shows it to this machine's kernel. On
 * a thread of its own, so that a test may wait in a system call that the device
 * has to answer.
 */

import { systemClock } from "../../../driver/host/system_clock.ts";
import { Loopback } from "../../../driver/sim/devices/loopback.ts";
import { UsbipExport } from "../../../driver/sim/usbip_export.ts";
import { seededRandom } from "../../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../../driver/sim/virtual_device.ts";
import { attachToVhci } from "../../../ffi/linux/vhci_attach.ts";

/** What a test asks of the worker; it answers with the id, and an error if there is one. */
export interface DeviceCommand {
  readonly id: number;
  readonly action: "plug" | "unplug" | "close";
  /** `plug`, the first time: which device. */
  readonly device?: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A device by name. */
export type DeviceFactory = (
  options: Readonly<Record<string, unknown>>,
) => VirtualDevice;

const FACTORIES: Readonly<Record<string, DeviceFactory>> = {
  loopback: (options) => new Loopback(options),
};

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<DeviceCommand>) => void) | null;
  postMessage(message: unknown): void;
}

let exported: UsbipExport | undefined;

async function obey(command: DeviceCommand): Promise<void> {
  switch (command.action) {
    case "plug":
      exported ??= make(command);
      return await exported.plug();
    case "unplug":
      return await exported?.unplug();
    case "close":
      return await exported?.close();
  }
}

function make({ device = "", options = {} }: DeviceCommand): UsbipExport {
  const factory = FACTORIES[device];
  if (factory === undefined) throw new Error(`No device named ${device}`);
  return new UsbipExport(factory(options), {
    clock: systemClock(),
    random: seededRandom(1),
    connect: async (speed) => (await attachToVhci(speed)).connection,
  });
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }): void => {
  obey(data).then(
    () => scope.postMessage({ id: data.id }),
    (error) => scope.postMessage({ id: data.id, error: `${error}` }),
  );
};
