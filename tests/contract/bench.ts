/**
 * What the port contract runs on: a port, and a bus whose devices come, go and
 * fail on command. The commands are plain JSON, so the bus may live in another
 * process.
 */

import type { UsbPort } from "../../driver/port.ts";
import type { Speed } from "../../driver/usb.ts";
import type { FaultRule } from "../../driver/sim/faults.ts";
import type { Malformation } from "../../driver/sim/malformed.ts";

/** What a bench can do; tests that need more are registered as ignored, by name. */
export type ContractFeature =
  /** Devices may come and go while the port is open. */
  | "hotplug"
  /** Fault rules have an effect. */
  | "faults"
  | "isochronous"
  /** `plug` binds kernel drivers. */
  | "kernelDrivers"
  /** `plug` can make a node that may not be opened. */
  | "access"
  | "configurations"
  | "reset"
  /** Devices see resets of their port (over USB/IP they do not). */
  | "resetSeen"
  /** Transfers in flight of all clients share 16 MiB, as in Linux's usbfs. */
  | "memoryLimit"
  /** Devices of SuperSpeed, with their binary object store. */
  | "superSpeed";

/** Everything. */
export const ALL_FEATURES: ReadonlySet<ContractFeature> = new Set<
  ContractFeature
>([
  "hotplug",
  "faults",
  "isochronous",
  "kernelDrivers",
  "access",
  "configurations",
  "reset",
  "resetSeen",
  "memoryLimit",
  "superSpeed",
]);

/** Devices a bench can plug in. */
export type DeviceKind = "loopback" | "bootMouse" | "cdcAcmEcho";

/** How to plug one in. */
export interface PlugSpec {
  /** Tells devices of a kind apart. Default `0001`. */
  readonly serialNumber?: string;
  readonly speed?: Extract<Speed, "full" | "high" | "super">;
  /** Port of the root hub. Default: the first free one. */
  readonly port?: number;
  readonly kernelDrivers?: Readonly<Record<number, string>>;
  readonly isAccessible?: boolean;
  /** Loopback only: leaves the bus at a reset and comes back. */
  readonly leavesOnReset?: boolean;
  /** Loopback only: a lie in its descriptors. */
  readonly malformation?: {
    readonly kind: Malformation;
    readonly seed: number;
  };
}

/** A command to a bus. */
export type BusCommand =
  | {
    readonly type: "plug";
    readonly kind: DeviceKind;
    readonly spec: PlugSpec;
  }
  | { readonly type: "unplug"; readonly id: string }
  | { readonly type: "replug"; readonly id: string; readonly afterMs: number }
  | { readonly type: "fault"; readonly id: string; readonly rule: FaultRule }
  | { readonly type: "clearFaults"; readonly id: string }
  | { readonly type: "observed"; readonly id: string };

/** Answer to a command: `plug` gives an id, `observed` numbers, the others `null`. */
export type BusReply =
  | { readonly ok: true; readonly value: BusValue }
  | { readonly ok: false; readonly message: string };

/** What a command gives. */
export type BusValue = string | Readonly<Record<string, number>> | null;

/** A bus as the contract commands it. */
export interface BusControl {
  /** Plugs a device in; gives its id, which stays with it. */
  plug(kind: DeviceKind, spec?: PlugSpec): Promise<string>;
  unplug(id: string): Promise<void>;
  /** Takes it off and brings it back to its port. */
  replug(id: string, afterMs: number): Promise<void>;
  fault(id: string, rule: FaultRule): Promise<void>;
  clearFaults(id: string): Promise<void>;
  /** What the device counted. */
  observed(id: string): Promise<Readonly<Record<string, number>>>;
}

/** What one test of the contract runs on. */
export interface ContractBench {
  readonly port: UsbPort;
  readonly bus: BusControl;
  /** Lets time pass: virtual time where there is one, else a real wait. */
  advance(durationMs: number): Promise<void>;
  /** Closes port and bus. */
  dispose(): Promise<void>;
}

/** A bus behind anything that carries commands. @throws {Error} When the bus refuses one. */
export function busControl(
  send: (command: BusCommand) => Promise<BusReply>,
): BusControl {
  async function ask(command: BusCommand): Promise<BusValue> {
    const reply = await send(command);
    if (!reply.ok) throw new Error(`Bus: ${reply.message}`);
    return reply.value;
  }
  return {
    plug: async (kind, spec = {}) =>
      String(await ask({ type: "plug", kind, spec })),
    unplug: async (id) => void await ask({ type: "unplug", id }),
    replug: async (id, afterMs) =>
      void await ask({ type: "replug", id, afterMs }),
    fault: async (id, rule) => void await ask({ type: "fault", id, rule }),
    clearFaults: async (id) => void await ask({ type: "clearFaults", id }),
    observed: async (id) => {
      const value = await ask({ type: "observed", id });
      if (value === null || typeof value === "string") {
        throw new Error("Bus: observed gives numbers");
      }
      return value;
    },
  };
}
