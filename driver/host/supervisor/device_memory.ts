/**
 * What a supervised driver remembers of its device from one process to the
 * next: since when its node is there, and whether it was said to be gone.
 *
 * @module
 */

import type { DeviceInfo } from "../../port.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { ExitClass } from "../exit_class.ts";

/** From a node's appearance until udev has given it its owner. */
export const NODE_SETTLE_MS = 2_000;

/** Remembers one device. */
export class DeviceMemory {
  #sighted: { readonly id: string; readonly atMs: number } | undefined;
  #goneId: string | undefined;

  /** A process is about to get it. */
  sight(device: DeviceInfo, nowMs: number): void {
    if (this.#sighted?.id === device.id) return;
    this.#sighted = { id: device.id, atMs: nowMs };
  }

  /** A driver serves with it: whatever was said of it before was wrong. */
  serves(): void {
    this.#goneId = undefined;
  }

  /** Whether access was refused only because whoever gives the node its owner comes a moment after it. */
  isUnsettled(
    end: Pick<DriverProcessEnd, "exitClass" | "wasReady">,
    nowMs: number,
  ): boolean {
    if (end.exitClass !== "permission" || end.wasReady) return false;
    return this.#sighted !== undefined &&
      nowMs - this.#sighted.atMs < NODE_SETTLE_MS;
  }

  /** A device that is said to be gone twice and is still listed is not gone: that is a fault. */
  judge(exitClass: ExitClass, device: DeviceInfo): ExitClass {
    if (exitClass !== "device-gone") return exitClass;
    const isRepeated = this.#goneId === device.id;
    this.#goneId = device.id;
    return isRepeated ? "fault" : "device-gone";
  }
}
