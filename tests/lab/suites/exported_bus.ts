/** Virtual devices plugged into this machine's own kernel, by a worker. */

import {
  type BusControl,
  busControl,
  type BusReply,
} from "../../contract/bench.ts";
import type { WorkerAnswer, WorkerOrder } from "../programs/device_worker.ts";
import { exportedDevices, run, until } from "./sysfs_devices.ts";

/** A bus behind vhci_hcd. */
export class ExportedBus {
  /** Commands to it. `plug` gives an id at once; the kernel takes its time. */
  readonly control: BusControl;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (reply: BusReply) => void>();
  #lastId = 0;

  private constructor() {
    const program = new URL("./device_worker.js", import.meta.url);
    this.#worker = new Worker(program.href, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>): void => {
      this.#waiting.get(data.id)?.(data.reply);
      this.#waiting.delete(data.id);
    };
    this.#worker.onerror = (event): void => {
      event.preventDefault();
      const reply = { ok: false, message: event.message } as const;
      for (const resolve of this.#waiting.values()) resolve(reply);
    };
    this.control = busControl((command) => this.#send(command));
  }

  /** Loads the host controller and starts the worker. */
  static async start(): Promise<ExportedBus> {
    if (Deno.env.get("LAB") !== "uml") await run("modprobe", "vhci-hcd");
    return new ExportedBus();
  }

  /** Plugs the multimeter in. */
  async plugMultimeter(): Promise<void> {
    const reply = await this.#send({ type: "plugMultimeter" });
    if (!reply.ok) throw new Error(reply.message);
  }

  /** Unplugs everything and waits until the kernel noticed. */
  async unplugAll(): Promise<void> {
    await this.#send({ type: "unplugAll" });
    await until("departure", () => exportedDevices().length === 0);
  }

  /** Unplugs everything and ends the worker. */
  async stop(): Promise<void> {
    await this.unplugAll();
    this.#worker.terminate();
  }

  #send(command: WorkerOrder["command"]): Promise<BusReply> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<BusReply>();
    this.#waiting.set(id, resolve);
    this.#worker.postMessage({ id, command } satisfies WorkerOrder);
    return promise;
  }
}
