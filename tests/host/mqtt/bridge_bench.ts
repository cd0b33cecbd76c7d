/** A real supervisor with drivers in the test's hands, and a real bridge with exactly its rights. */

import { UsbError } from "../../../driver/errors.ts";
import { manifestOf } from "../../../driver/host/manifest.ts";
import {
  bridgeCommand,
  moduleFlags,
} from "../../../driver/host/mqtt/bridge_command.ts";
import { readBridgeConfiguration } from "../../../driver/host/mqtt/bridge_files.ts";
import {
  type RunningService,
  startService,
} from "../../../driver/host/supervisor/running_supervisor.ts";
import { systemClock } from "../../../driver/host/system_clock.ts";
import type { Json } from "../../../driver/driver.ts";
import { METER_DRIVER } from "../../cli/fake_parts.ts";
import { beat, FakeProcess, READY } from "../fake_process.ts";
import { meter } from "../supervisor/supervisor_bench.ts";
import { type Mosquitto, Peer } from "./mosquitto.ts";

/** Where a supervisor and a bridge meet. */
export class BridgeBench implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "driverspace_bridge." });
  readonly configuration = `${this.folder}/lab.toml`;
  readonly socket = `${this.folder}/socket`;
  /** Commands that reached a driver. */
  readonly commands: string[] = [];
  readonly #processes = new Map<string, FakeProcess>();
  #service: RunningService | undefined;
  #sequence = 0;

  /** `table` is what stands in `[mqtt]` besides the broker. */
  constructor(
    readonly broker: Mosquitto,
    readonly table: readonly string[] = [],
  ) {
    this.configure(["dmm", "scope"]);
  }

  /** Writes the configuration: a meter for each name. */
  configure(names: readonly string[]): void {
    const scheme = this.table.some((line) => line.startsWith("ca_file"))
      ? "mqtts"
      : "mqtt";
    Deno.writeTextFileSync(
      this.configuration,
      [
        `[server]\nsocket = "${this.socket}"`,
        `[mqtt]\nbroker = "${scheme}://127.0.0.1:${this.broker.port}"`,
        ...this.table,
        ...names.map((name) =>
          `[drivers.${name}]\ndriver = "usbtmc"\ndevice.serial = "${name}"`
        ),
        "",
      ].join("\n"),
    );
  }

  /** Starts the supervisor. The device of `scope` is away. */
  async serve(): Promise<RunningService> {
    return this.#service = await startService({
      clock: systemClock(),
      random: () => 0,
      configurationPath: this.configuration,
      defaults: {
        socket: this.socket,
        stateFile: `${this.folder}/state.json`,
        logPath: `${this.folder}/supervisor.log`,
      },
      devices: () => Promise.resolve([meter("dmm", 1)]),
      prepare: (entry) =>
        Promise.resolve({
          manifest: {
            ...manifestOf(METER_DRIVER),
            commands: {
              ...manifestOf(METER_DRIVER).commands,
              clear: { description: "Clears", params: {}, idempotent: true },
            },
          },
          logPath: `${this.folder}/${entry.name}.log`,
          spawn: () => Promise.resolve(this.#spawn(entry.name)),
        }),
      boot: "a boot",
      versions: { driverspace: "0.1.0", deno: "2.9.6", libusb: "1.0.26" },
    });
  }

  /** Ends the supervisor. */
  async end(): Promise<void> {
    await this.#service?.stop("test over");
    this.#service = undefined;
  }

  /** A driver tells something. */
  emit(name: string, data: { readonly [key: string]: Json }): void {
    this.#processes.get(name)?.say({
      type: "event",
      sequence: ++this.#sequence,
      event: "reading",
      data,
    });
  }

  /** A driver dies. */
  crash(name: string): void {
    this.#processes.get(name)?.end(1);
  }

  /** Starts a bridge by the command line of the unit; `change` may spoil it. */
  async bridge(
    change: (command: string[]) => string[] = (command) => command,
  ): Promise<Peer> {
    const { settings } = readBridgeConfiguration(this.configuration);
    const { configuration, socket } = this;
    const command = bridgeCommand({
      settings,
      configuration,
      socket,
      moduleFlags: await moduleFlags(),
    });
    const { DENO_DIR, HOME = "/" } = Deno.env.toObject();
    return new Peer(change(command), {
      HOME,
      ...(DENO_DIR === undefined ? {} : { DENO_DIR }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    Deno.removeSync(this.folder, { recursive: true });
  }

  #spawn(name: string): FakeProcess {
    const fake: FakeProcess = new FakeProcess((frame) => {
      if (frame.type === "stop") fake.end(0);
      if (frame.type !== "command") return;
      const { id, command, params } = frame;
      this.commands.push(`${name} ${command} ${JSON.stringify(params)}`);
      if (params["message"] === "fail") {
        const { message, code } = new UsbError({
          code: "stall",
          operation: "query",
          reason: "stalled",
        });
        fake.say({ type: "result", id, failure: { message, code } });
      } else fake.say({ type: "result", id, value: "answer" });
    });
    const timer = setInterval(() => fake.say(beat(1)), 100);
    void fake.status.then(() => clearInterval(timer));
    this.#processes.set(name, fake);
    queueMicrotask(() => fake.say(READY));
    return fake;
  }
}
