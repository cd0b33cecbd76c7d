/**
 * A heater on a virtual bus with its driver under the real supervisor: real
 * processes, the real libusb, the sandbox or direct mode.
 */

import {
  prepareEntry,
  type PrepareParts,
} from "../../../driver/host/cli/serve_prepare.ts";
import type { Toolbox } from "../../../driver/host/cli/toolbox.ts";
import { BundleShelf } from "../../../driver/host/crash/bundle_shelf.ts";
import { systemFacts } from "../../../driver/host/crash/crash_keeper.ts";
import { FAMILIES } from "../../../driver/host/metrics/families.ts";
import { MetricRegistry } from "../../../driver/host/metrics/registry.ts";
import { parseConfiguration } from "../../../driver/host/supervisor/configuration.ts";
import {
  EventRing,
  type SupervisorEvent,
} from "../../../driver/host/supervisor/event_ring.ts";
import type { UnitStatus } from "../../../driver/host/supervisor/supervised_unit.ts";
import { Supervisor } from "../../../driver/host/supervisor/supervisor.ts";
import { systemClock } from "../../../driver/host/system_clock.ts";
import { VirtualBus } from "../../../driver/sim/virtual_bus.ts";
import { assert } from "../../../driver/std.ts";
import { toolboxOn } from "../../cli/own_bus.ts";
import { Folder } from "../../cli/spawned.ts";
import { Heater } from "./heater.ts";

/** The driver's module. */
export const HEATER_DRIVER = new URL("./heater_driver.ts", import.meta.url);

/** What is different in a lab. */
export interface LabOptions {
  readonly isDirect?: boolean;
  readonly tools?: Partial<Toolbox>;
  readonly safeStateTimeoutMs?: number;
  /** Default false: what a test says of a death must not hang on how long it took to it. */
  readonly hasStandby?: boolean;
  /** More lines of the options in the configuration. */
  readonly options?: string;
  /** Default: a folder of its own. */
  readonly bundleFolder?: string;
}

/** Far more than anything here takes, on a busy machine. */
const LIMIT_MS = 60_000;

/** What the device is told when its driver starts with a target of 55 degrees. */
export const CONFIGURED = ["target 55", "power 80"] as const;
/** What it is told to be safe. */
export const MADE_SAFE = ["power 0", "alarm 1,2"] as const;

/** The lab. */
export class HeaterLab implements AsyncDisposable {
  readonly heater = new Heater();
  readonly clock = systemClock();
  readonly bus = new VirtualBus({ clock: this.clock, random: () => 0.5 });
  readonly registry = new MetricRegistry(FAMILIES);
  readonly #events = new EventRing(this.clock);
  readonly #folder = new Folder();
  readonly #seen: SupervisorEvent[] = [];
  #cursor = 0;
  #wake: () => void = () => {};
  readonly supervisor: Supervisor;

  private constructor(options: LabOptions) {
    this.bus.plug(this.heater);
    this.#events.subscribe((event) => {
      this.#seen.push(event);
      this.#wake();
    });
    const { isDirect = false, tools = {}, safeStateTimeoutMs } = options;
    const parts: PrepareParts = {
      toolbox: toolboxOn(this.bus, {
        virtualDevices: [{ name: "heater", description: "Heats" }],
        ...tools,
      }),
      io: { clock: this.clock },
      logFolder: this.#folder.path,
      isDirect,
      ...(safeStateTimeoutMs === undefined
        ? {}
        : { start: { safeStateTimeoutMs } }),
    };
    this.supervisor = new Supervisor({
      clock: this.clock,
      random: () => 0.5,
      devices: () => Promise.resolve([]),
      prepare: (entry) => prepareEntry(entry, parts),
      registry: this.registry,
      events: this.#events,
      log: { write: () => {}, record: () => {} },
      crashes: {
        shelf: new BundleShelf(
          options.bundleFolder ?? `${this.#folder.path}/bundles`,
        ),
        clock: this.clock,
        versions: { driverspace: "0.1.0", deno: Deno.version.deno },
        system: systemFacts("boot"),
      },
    });
  }

  /** Starts it. */
  static async begin(options: LabOptions = {}): Promise<HeaterLab> {
    const lab = new HeaterLab(options);
    await lab.supervisor.start(parseConfiguration(
      `[drivers.heater]
driver = "${HEATER_DRIVER.pathname}"
device = { virtual = "heater" }
standby = ${options.hasStandby === true}
[drivers.heater.options]
target = 55
${options.options ?? ""}`,
      "heater.toml",
    ));
    return lab;
  }

  /** Starts it and waits until the driver is ready. */
  static async open(options: LabOptions = {}): Promise<HeaterLab> {
    const lab = await HeaterLab.begin(options);
    try {
      await lab.ready();
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  /** The driver as the supervisor shows it. */
  get status(): UnitStatus {
    const [status] = this.supervisor.status();
    assert(status !== undefined, "There is one driver");
    return status;
  }

  /** Lines of the driver's own log that have this event. */
  logLines(event: string): Record<string, unknown>[] {
    return Deno.readTextFileSync(`${this.#folder.path}/heater.log`)
      .split("\n").filter((line) => line !== "")
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter((line) => line["event"] === event);
  }

  /** Takes the driver's log away, as somebody else's rotation would. */
  moveLog(): void {
    const path = `${this.#folder.path}/heater.log`;
    Deno.renameSync(path, `${path}.old`);
    Deno.createSync(path).close();
  }

  /** Signals the driver's process. */
  kill(signal: Deno.Signal): void {
    const { pid } = this.status;
    assert(pid !== undefined, "The driver runs");
    Deno.kill(pid, signal);
  }

  /** Has the driver die in one of its ways. */
  die(how: string): void {
    this.call("die", { how }).catch(() => {});
  }

  /** Has a command carried out. */
  call(command: string, params: Record<string, string> = {}): Promise<unknown> {
    return this.supervisor.call({ driver: "heater", command, params });
  }

  /** The next READY. */
  async ready(): Promise<void> {
    await this.next("driver.state", { to: "ready" });
  }

  /** The next event of a name whose data have these members, in order of what happened. */
  async next(
    name: string,
    members: Record<string, unknown> = {},
  ): Promise<SupervisorEvent["data"]> {
    const deadline = AbortSignal.timeout(LIMIT_MS);
    for (;;) {
      while (this.#cursor < this.#seen.length) {
        const { event, data } = this.#seen[this.#cursor++] ?? {};
        const isIt = event === name && data !== undefined &&
          Object.entries(members).every(([key, value]) => data[key] === value);
        if (isIt) return data;
      }
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        deadline.addEventListener("abort", () => reject(this.#missing(name)));
      });
    }
  }

  #missing(name: string): Error {
    const seen = this.#seen.map(({ event, data }) =>
      `${event} ${JSON.stringify(data)}`
    );
    return new Error(`There was no ${name}:\n${seen.join("\n")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor.stop("test over");
    this.bus.close();
    this.#folder[Symbol.dispose]();
  }
}
