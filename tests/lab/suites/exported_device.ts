/** A virtual device in a worker, plugged into this machine's own kernel. */

import type { DeviceCommand } from "../programs/device_worker.ts";
import {
  run,
  type SysfsDevice,
  until,
  waitForDevice,
} from "./sysfs_devices.ts";
import { findDevice } from "./sysfs_devices.ts";

/** One device; plug it in and out at will. */
export class ExportedDevice implements AsyncDisposable {
  readonly #ids: string;
  readonly #worker: Worker;
  readonly #first: Pick<DeviceCommand, "device" | "options">;
  #sequence = 0;
  #isClosed = false;

  private constructor(
    ids: string,
    first: Pick<DeviceCommand, "device" | "options">,
  ) {
    this.#ids = ids;
    this.#first = first;
    const program = new URL("./device_worker.js", import.meta.url);
    this.#worker = new Worker(program.href, { type: "module" });
  }

  /** Loads the host controller; `plug` shows the device. */
  static async make(
    ids: string,
    first: Pick<DeviceCommand, "device" | "options">,
  ): Promise<ExportedDevice> {
    if (Deno.env.get("LAB") !== "uml") await run("modprobe", "vhci-hcd");
    return new ExportedDevice(ids, first);
  }

  /** Plugs it in and waits until the kernel has configured it. */
  async plug(): Promise<SysfsDevice> {
    await this.#command({ action: "plug", ...this.#first });
    return await waitForDevice(this.#ids);
  }

  /** Unplugs it and waits until the kernel noticed. */
  async unplug(): Promise<void> {
    await this.#command({ action: "unplug" });
    await until(
      `departure of ${this.#ids}`,
      () => findDevice(this.#ids) === undefined,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#command({ action: "close" });
    await until(
      `departure of ${this.#ids}`,
      () => findDevice(this.#ids) === undefined,
    );
    this.#worker.terminate();
  }

  #command(command: Omit<DeviceCommand, "id">): Promise<void> {
    const id = ++this.#sequence;
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }): void => {
        if (data.id !== id) return;
        if (data.error === undefined) resolve();
        else reject(new Error(data.error));
      };
      this.#worker.onerror = (event): void => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      this.#worker.postMessage({ id, ...command });
    });
  }
}
