/**
 * A worker that is USB devices: vhci_hcd shows them to this machine's kernel. On
 * a thread of its own, so that a test may wait in a system call that a device
 * has to answer. Obeys the commands of the contract's benches.
 */

import { systemClock } from "../../../driver/host/system_clock.ts";
import { BootMouse } from "../../../driver/sim/devices/boot_mouse.ts";
import { CdcAcmEcho } from "../../../driver/sim/devices/cdc_acm_echo.ts";
import { Loopback } from "../../../driver/sim/devices/loopback.ts";
import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import { UsbipExport } from "../../../driver/sim/usbip_export.ts";
import { seededRandom } from "../../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../../driver/sim/virtual_device.ts";
import { attachToVhci } from "../../../ffi/linux/vhci_attach.ts";
import type {
  BusCommand,
  BusReply,
  BusValue,
  PlugSpec,
} from "../../contract/bench.ts";

/** Devices that can be plugged in. */
const DEVICES: Readonly<Record<string, (spec: PlugSpec) => VirtualDevice>> = {
  loopback: (spec) => new Loopback(spec),
  bootMouse: (spec) => new BootMouse(spec),
  cdcAcmEcho: (spec) => new CdcAcmEcho(spec),
  multimeter: () => new VirtualMultimeter(),
};

/** A command of a bench, or the end. */
export interface WorkerOrder {
  readonly id: number;
  readonly command:
    | BusCommand
    | { readonly type: "plugMultimeter" }
    | { readonly type: "unplugAll" };
}

/** What became of it. */
export interface WorkerAnswer {
  readonly id: number;
  readonly reply: BusReply;
}

interface Exported {
  readonly virtual: VirtualDevice;
  readonly exported: UsbipExport;
}

const devices = new Map<string, Exported>();
let lastId = 0;

async function perform(command: WorkerOrder["command"]): Promise<BusValue> {
  if (command.type === "plug") return await plug(command.kind, command.spec);
  if (command.type === "plugMultimeter") return await plug("multimeter", {});
  if (command.type === "unplugAll") {
    for (const { exported } of devices.values()) await exported.close();
    devices.clear();
    return null;
  }
  const found = devices.get(command.id);
  if (found === undefined) throw new RangeError(`No device ${command.id}`);
  const { exported, virtual } = found;
  switch (command.type) {
    case "unplug":
      await exported.unplug();
      return null;
    case "replug":
      exported.replug(command.afterMs);
      return null;
    case "fault":
      if (exported.device === undefined) throw new RangeError("Unplugged");
      exported.device.faults.add(command.rule);
      return null;
    case "clearFaults":
      exported.device?.faults.clear();
      return null;
    case "observed":
      return {
        ...virtual.observed(),
        transfers: exported.device?.submitted ?? 0,
        faultsInjected: exported.device?.faults.injected ?? 0,
      };
  }
}

async function plug(kind: string, spec: PlugSpec): Promise<string> {
  const make = DEVICES[kind];
  if (make === undefined) throw new RangeError(`No device named ${kind}`);
  const virtual = make(spec);
  const exported = new UsbipExport(virtual, {
    clock: systemClock(),
    random: seededRandom(1),
    connect: async (speed) => {
      const { port } = spec;
      const options = port === undefined ? {} : { hubPort: port };
      return (await attachToVhci(speed, options)).connection;
    },
  });
  await exported.plug();
  const id = `${kind}-${++lastId}`;
  devices.set(id, { virtual, exported });
  return id;
}

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerOrder>) => void) | null;
  postMessage(message: WorkerAnswer): void;
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data: { id, command } }): void => {
  perform(command).then(
    (value) => scope.postMessage({ id, reply: { ok: true, value } }),
    (error) =>
      scope.postMessage({ id, reply: { ok: false, message: `${error}` } }),
  );
};
